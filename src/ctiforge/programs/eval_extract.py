"""Scores one model on a test set, or shows one article with what was found, missed and wrong."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    ConstrainedFlag,
    DeviceFlag,
    EvaluationFlag,
    ExpectFlag,
    PlanFlag,
    StoreFlag,
    WindowsTogetherFlag,
)


def main(
    model: Annotated[str, typer.Option(help="A model's folder, artifact or hub name; demo; or regex, the rule floor.")],
    test_data: Annotated[
        str | None, typer.Option(help="A JSONL of labeled articles, or testset:NAME[@VERSION] of the store.")
    ] = None,
    output: EvaluationFlag = None,
    article_id: Annotated[
        str | None, typer.Option(help="Only show this article, of --test-data or else of the database (DATABASE_URL).")
    ] = None,
    training_data: Annotated[
        str | None, typer.Option(help="Records that the model was trained on: values not among them get a row.")
    ] = None,
    prepared: Annotated[
        str | None, typer.Option(help="Output of format_extract: a model not trained here is asked as that was cut.")
    ] = None,
    constrained: ConstrainedFlag = False,
    endpoint: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible address that serves --model, like http://localhost:1234/v1."),
    ] = None,
    asked_as: Annotated[
        str | None,
        typer.Option(help="With --endpoint: the trained model whose prompt, windows and tokenizer are used."),
    ] = None,
    as_served: Annotated[
        str | None,
        typer.Option(
            help="With --endpoint: a file with the application's own prompt ({content} is the article): whole "
            "articles are asked about, as they are today.",
            metavar="PROMPT_FILE",
        ),
    ] = None,
    served_version: Annotated[
        str | None, typer.Option(help="With --endpoint: what exactly is served, like the hash of its file.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests to an endpoint at a time.")] = 4,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that an endpoint may take for an answer.")] = 300.0,
    batch_size: WindowsTogetherFlag = 32,
    device: DeviceFlag = "auto",
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Score a model on the labeled types of a test set; a type that nobody labeled is never scored.

    The key of an endpoint that wants one is in OPENAI_API_KEY. What it serves may change under one name:
    it is asked anew each time.
    """
    from ctiforge.data.testsets import find_test_data
    from ctiforge.errors import UsageError
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    if article_id is not None:
        show_article(model, test_data, article_id, store, device, batch_size)
        return
    if not endpoint and (asked_as or as_served or served_version):
        raise UsageError("--asked-as, --as-served and --served-version are about a served model: give its --endpoint")
    uri, reference = find_test_data(test_data, store)
    model_inputs, named = ({}, {"model_name": model}) if endpoint else find_model(model)
    params: dict[str, Any] = named | ({"constrained": True} if constrained else {})
    optional = {
        "training_data": training_data, "prepared": prepared, "asked_as": asked_as, "as_served": as_served,
    }  # fmt: skip
    inputs = {"test_data": uri, **model_inputs} | {name: each for name, each in optional.items() if each}

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.data.testsets import read_labelled_articles
        from ctiforge.extract import evaluate
        from ctiforge.extract.answering.endpoint import Endpoint
        from ctiforge.records.evaluation import ModelInfo

        records = list(read_labelled_articles(dirs.inputs["test_data"]))
        as_prepared = dirs.inputs.get("prepared")
        if endpoint:
            extractor = evaluate.load_served(
                Endpoint(endpoint, model, concurrency, timeout),
                asked_as=dirs.inputs.get("asked_as"),
                prepared=as_prepared,
                prompt=dirs.inputs.get("as_served"),
                constrained=constrained,
            )
        else:
            extractor = evaluate.load_extractor(
                model,
                dirs.inputs.get("model"),
                prepared=as_prepared,
                device=device,
                batch_size=batch_size,
                constrained=constrained,
            )
        version = (served_version or model) if endpoint else model_version(model, model_inputs)
        evaluation = evaluate.evaluate_extractor(
            extractor,
            records,
            model=ModelInfo(name=extractor.name, version=version),
            test_set=evaluate.describe_test_set(dirs.inputs["test_data"], reference),
            trained_on=evaluate.values_seen_in_training(dirs.inputs["training_data"]) if training_data else None,
        )
        evaluation.write(dirs.out)
        return {name: figure.value for name, figure in evaluation.metrics.items()}

    packages = ("numpy",) if model == "regex" else ("numpy", "torch", "transformers", "peft")
    result = run_stage(
        Stage(
            "eval_extract",
            2,
            packages=(*packages, "llguidance") if constrained else packages,
            keyed_by_output=endpoint is not None,
        ),
        params=params,
        inputs=inputs,
        output=output.removesuffix(".json") if output else (None if store else default_output(model)),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.uri and not plan:
        print_result(result.uri, output)


def find_model(model: str) -> tuple[dict[str, str], dict[str, str]]:
    """How the model enters the fingerprint: by content where it lies in a folder or the store, else by name."""
    from ctiforge.training.encoding import model_input

    if model == "regex":
        return {}, {"model_name": model}
    if model.startswith("s3://") or (Path(model).is_dir() and model != "demo"):
        return {"model": model}, {}
    return model_input(model)


def model_version(model: str, inputs: dict[str, str]) -> str:
    """Give the hash of the model's files; this program's version for the rule floor, the name of a hub model."""
    import ctiforge
    from ctiforge.store.artifacts import find_input

    if model == "regex":
        return ctiforge.__version__
    return find_input(inputs["model"]).content[:12] if inputs else model


def show_article(
    model: str, test_data: str | None, article_id: str, store: str | None, device: str, batch_size: int
) -> None:
    """Print one article's items: found, missed and wrong side by side; unlabeled ones as what was extracted."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from ctiforge.data.database import read_article
    from ctiforge.data.testsets import find_test_data, read_labelled_articles
    from ctiforge.errors import UsageError
    from ctiforge.evaluation.tables.evaluation import article_view
    from ctiforge.extract import evaluate
    from ctiforge.extract.answering.merging import application_result
    from ctiforge.store.artifacts import fetch
    from ctiforge.tables import print_tables

    with TemporaryDirectory() as scratch:
        if test_data:
            file = fetch(find_test_data(test_data, store)[0], Path(scratch) / "test_data")
            article = next((each for each in read_labelled_articles(file) if each.id == article_id), None)
            if article is None:
                raise UsageError(f"no article {article_id} in {test_data}")
        else:
            article = read_article(os.environ.get("DATABASE_URL"), article_id)
        inputs, _ = find_model(model)
        folder = fetch(inputs["model"], Path(scratch) / "model") if inputs else None
        extractor = evaluate.load_extractor(model, folder, device=device, batch_size=batch_size)
    if article.labelled_types:
        print_tables(article_view(evaluate.score_record(extractor, article)), Console())
        return
    found = extractor.extract(article.content, source_url=article.url)
    print("nobody has labeled this article (--test-data names one that is); what the model extracts:")
    print(json.dumps(application_result(found.observables, article.url), ensure_ascii=False, indent=1))


def default_output(model: str) -> str:
    """Where the evaluation of a model goes when nothing says so."""
    return f"outputs/evaluations/{Path(model.rstrip('/')).name}"


def print_result(uri: str, output: str | None) -> None:
    """Print the tables of the evaluation, and leave it at X.json where that was asked for."""
    from tempfile import TemporaryDirectory

    from ctiforge.evaluation.tables.evaluation import print_evaluation
    from ctiforge.records.evaluation import Evaluation
    from ctiforge.store.artifacts import fetch
    from ctiforge.tables import wide_console

    with TemporaryDirectory() as folder:
        text = fetch(f"{uri}/{Evaluation.NAME}", Path(folder)).read_text(encoding="utf-8")
    if output and output.endswith(".json") and not output.startswith("s3://"):
        Path(output).write_text(text, encoding="utf-8")
    print_evaluation(Evaluation.parse(text, uri), wide_console())
    print(f"-> {uri}/{Evaluation.NAME}")


if __name__ == "__main__":
    run_program(main)
