"""Fine-tunes OS-BERT on prepared articles."""

from datetime import date
from typing import Annotated, Any, get_args

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    DeviceFlag,
    EpochsFlag,
    EstimateFlag,
    EvalStepsFlag,
    ExpectFlag,
    FirstNodeFlag,
    MaxStepsFlag,
    ModelFolderFlag,
    NodeFlag,
    NodesFlag,
    NprocFlag,
    OsWindowFlag,
    PatienceFlag,
    PlanFlag,
    ReportToFlag,
    ResumeFlag,
    RevisionFlag,
    SaveStepsFlag,
    ScheduleFlag,
    SeedFlag,
    StoreFlag,
    choose,
    machines_of,
)
from ctiforge.training.options import OS_BERT


def main(
    data: Annotated[
        str | None, typer.Option(help="Output of prepare_os: a folder or artifact. --estimate needs none.")
    ] = None,
    base_model: Annotated[
        str, typer.Option(help="The encoder to train: a hub name, folder or artifact; demo: a small one.")
    ] = "ibm-research/CTI-BERT",
    revision: RevisionFlag = None,
    output_dir: ModelFolderFlag = None,
    name: Annotated[str | None, typer.Option(help="Default: os-bert-{base}-{YYYYMMDD}.")] = None,
    epochs: EpochsFlag = OS_BERT.training.epochs,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Articles in memory at once (micro-batch).")
    ] = OS_BERT.training.batch_size,
    gradient_accumulation_steps: Annotated[
        int, typer.Option(min=1, help="Micro-batches of one step.")
    ] = OS_BERT.training.gradient_accumulation_steps,
    max_steps: MaxStepsFlag = OS_BERT.training.max_steps,
    learning_rate: Annotated[float, typer.Option(min=0.0, max=1.0)] = OS_BERT.training.learning_rate,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = OS_BERT.training.weight_decay,
    warmup_ratio: Annotated[float, typer.Option(min=0.0, max=1.0)] = OS_BERT.training.warmup_ratio,
    schedule: ScheduleFlag = OS_BERT.training.schedule,
    max_length: OsWindowFlag = OS_BERT.max_length,
    pooling: Annotated[
        str, typer.Option(help="Windows into one answer: auto (chosen on validation), noisy-or, mean or max.")
    ] = "auto",
    class_weights: Annotated[
        bool,
        typer.Option("--class-weights/--no-class-weights", help="Let rare classes weigh as much as frequent ones."),
    ] = True,
    fp16: Annotated[
        bool, typer.Option("--fp16/--no-fp16", help="16-bit floats on a GPU; default: bf16 where it has that.")
    ] = False,
    eval_steps: EvalStepsFlag = OS_BERT.training.eval_steps,
    save_steps: SaveStepsFlag = OS_BERT.training.save_steps,
    early_stopping_patience: PatienceFlag = OS_BERT.training.early_stopping_patience,
    resume: ResumeFlag = OS_BERT.training.resume,
    device: DeviceFlag = "auto",
    nproc: NprocFlag = 1,
    nodes: NodesFlag = 1,
    node: NodeFlag = 0,
    first_node: FirstNodeFlag = None,
    use_gpu: Annotated[bool, typer.Option("--use-gpu", help="The same as --device cuda.")] = False,
    report_to: ReportToFlag = OS_BERT.training.report_to,
    seed: SeedFlag = OS_BERT.training.seed,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
    estimate: EstimateFlag = False,
) -> None:
    """Fine-tune OS-BERT; articles are read whole, in windows, and the loss is on the article."""
    from ctiforge.errors import UsageError
    from ctiforge.osbert.base import encoder_input, resolve_encoder
    from ctiforge.osbert.prepared import part_inputs
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.options import Schedule, TrainingOptions, result_params
    from ctiforge.training.summary import default_name, print_training
    from ctiforge.training.tracking import TRACKERS

    if pooling not in ("auto", "noisy-or", "mean", "max"):
        raise UsageError(f"--pooling {pooling}: give auto, noisy-or, mean or max")
    training = TrainingOptions(
        batch_size=batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        epochs=epochs,
        max_steps=max_steps,
        learning_rate=learning_rate,
        warmup_ratio=warmup_ratio,
        schedule=choose("--schedule", schedule, get_args(Schedule)),
        weight_decay=weight_decay,
        save_steps=save_steps,
        eval_steps=eval_steps,
        early_stopping_patience=early_stopping_patience,
        seed=seed,
        report_to=choose("--report-to", report_to, TRACKERS),
        resume=resume,
    )
    base_model = pin(find_model_uri(base_model, store), revision)
    computes_on = "cuda" if use_gpu else device
    if estimate:
        from ctiforge.osbert.estimate import describe_memory

        print("\n".join(describe_memory(base_model, max_length, computes_on, fp16)))
        return
    if data is None:
        raise UsageError("--data is missing: give the output of prepare_os")
    model_inputs, model_params = encoder_input(base_model)
    run_name = name or default_name("os-bert", base_model, date.today())

    machines = machines_of(nodes, node, first_node, store)
    # refused where it is planned, not after the stages before it
    training.for_ranks(nproc * nodes)

    def work(dirs: StageDirs) -> dict[str, Any] | None:
        from ctiforge.osbert.pickled import with_safetensors
        from ctiforge.osbert.train import OsBertTraining, train_os_bert
        from ctiforge.training.together import train_together

        named = str(dirs.inputs.get("base_model", resolve_encoder(base_model)))
        base = with_safetensors(named, store, dirs.scratch)
        chosen: Any = None if pooling == "auto" else pooling
        request = OsBertTraining(
            base_model, base, run_name, max_length, chosen, class_weights, training, computes_on, fp16
        )
        parts = dirs.inputs["train"], dirs.inputs["validation"]
        return train_together(
            train_os_bert, request, parts, dirs.out, dirs.scratch, dirs.checkpoints, nproc, machines, dirs.is_published
        )

    result = run_stage(
        Stage("train_os_bert", 6, packages=("torch", "transformers", "accelerate")),
        params=result_params(training, None)
        | model_params
        | {"max_length": max_length, "pooling": pooling, "class_weights": class_weights, "fp16": fp16},
        inputs=part_inputs(data) | model_inputs,
        output=output_dir or (None if store else f"models/{run_name}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.summary:
        print_training(result.summary, result.uri, name)


if __name__ == "__main__":
    run_program(main)
