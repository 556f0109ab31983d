"""Evaluates OS-BERT beside its floors, its baselines and the plain snippet on one test set."""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    DeviceFlag,
    EvaluationFlag,
    ExpectFlag,
    PlanFlag,
    RevisionFlag,
    StoreFlag,
    TellFlag,
    choose,
)


def main(
    model: Annotated[str, typer.Option(help="A trained model: a folder, an artifact, or models:os-bert@champion.")],
    test_data: Annotated[
        str, typer.Option(help="A JSONL with os_label, testset:NAME[@VERSION], or a part that prepare_os left.")
    ],
    output: EvaluationFlag = None,
    baselines: Annotated[str | None, typer.Option(help="Output of baselines_os, evaluated as well.")] = None,
    base_model: Annotated[
        str | None, typer.Option(help="The encoder of the baselines; default: as they name it.")
    ] = None,
    revision: RevisionFlag = None,
    data: Annotated[
        str | None, typer.Option(help="Output of prepare_os that it was trained on, for the majority's floor.")
    ] = None,
    device: DeviceFlag = "auto",
    report_to: TellFlag = "none",
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Score a model, and everything it is to be compared with, on articles whose operating system is known."""
    from ctiforge.data.testsets import find_test_data
    from ctiforge.evaluation.tracking import Tracker, tell, told_of_evaluation
    from ctiforge.osbert.base import encoder_input, resolve_encoder
    from ctiforge.store.artifacts import find_input
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    tracker: Tracker = choose("--report-to", report_to, get_args(Tracker))
    model = find_model_uri(model, store)
    base_model = base_model and find_model_uri(base_model, store)
    uri, reference = find_test_data(test_data, store)
    base_model = base_model and pin(base_model, revision)
    base_inputs, base_params = encoder_input(base_model) if base_model and baselines else ({}, {})
    optional = {"baselines": baselines, "trained_on": data and f"{data.rstrip('/')}/train.jsonl"}
    inputs = {"model": model, "test_data": uri} | base_inputs | {name: each for name, each in optional.items() if each}

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.evaluation.tables.classifiers import plot_confusion
        from ctiforge.osbert.evaluate import evaluate_os_bert, read_test_articles
        from ctiforge.osbert.pickled import with_safetensors
        from ctiforge.training.tracking import check_tracker

        check_tracker(tracker)
        named = dirs.inputs.get("base_model") or (base_model and resolve_encoder(base_model))
        base = with_safetensors(str(named), store, dirs.scratch) if named else None
        evaluation = evaluate_os_bert(
            read_test_articles(dirs.inputs["test_data"], reference),
            dirs.inputs["model"],
            find_input(model).content[:12],
            baselines=dirs.inputs.get("baselines"),
            base_folder=base,
            trained_on=dirs.inputs.get("trained_on"),
            device=device,
        )
        evaluation.write(dirs.out)
        plot_confusion(evaluation, dirs.out / "confusion.png")
        tell(tracker, told_of_evaluation(evaluation, model), dirs.out)
        return {row.name: {name: each.value for name, each in row.metrics.items()} for row in evaluation.rows}

    result = run_stage(
        Stage("eval_os_bert", 5, packages=("numpy", "scipy", "torch", "transformers", "scikit-learn")),
        params=base_params,
        inputs=inputs,
        output=output.removesuffix(".json")
        if output
        else (None if store else f"outputs/evaluations/{Path(model).name}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.uri and not plan:
        from ctiforge.evaluation.tables.result import print_result

        print_result(result.uri, output)


if __name__ == "__main__":
    run_program(main)
