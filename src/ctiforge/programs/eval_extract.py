"""Scores one model on a test set, or shows one article with what was found, missed and wrong."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    ConstrainedFlag,
    DeviceFlag,
    EvaluationFlag,
    ExpectFlag,
    PlanFlag,
    RevisionFlag,
    StoreFlag,
    WindowsTogetherFlag,
)

if TYPE_CHECKING:
    from ctiforge.records.evaluation import Price


def main(
    model: Annotated[
        str, typer.Option(help="A folder, artifact, hub name or models:extract@champion; demo; or regex, the rules.")
    ],
    revision: RevisionFlag = None,
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
    examples: Annotated[
        str | None,
        typer.Option(help="Show the training passages of --prepared most like each window: how many, or auto."),
    ] = None,
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
    price: Annotated[
        str | None, typer.Option(help="Money for a million tokens read and written, like 0.15,0.60: shown as cost.")
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
    from ctiforge.extract.models import find_model, model_version
    from ctiforge.store.hub import pin, split_name
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    if not endpoint and (asked_as or as_served or served_version):
        raise UsageError("--asked-as, --as-served and --served-version are about a served model: give its --endpoint")
    if examples and not prepared:
        raise UsageError("--examples shows passages of prepared data: give --prepared, an output of format_extract")
    if examples and as_served:
        raise UsageError("--as-served asks with the application's own prompt, which shows no --examples")
    check_count(examples)
    money = read_price(price)
    # what is served has a name of its own there
    model = model if endpoint else pin(find_model_uri(model, store), revision)
    asked_as = asked_as and find_model_uri(asked_as, store)
    if article_id is not None:
        show_article(model, test_data, article_id, store, device, batch_size)
        return
    uri, reference = find_test_data(test_data, store)
    model_inputs, named = ({}, {"model_name": model}) if endpoint else find_model(model)
    params: dict[str, Any] = named | ({"constrained": True} if constrained else {})
    params |= {name: each for name, each in (("examples", examples), ("price", price)) if each}
    optional = {
        "training_data": training_data, "prepared": prepared, "asked_as": asked_as, "as_served": as_served,
    }  # fmt: skip
    inputs = {"test_data": uri, **model_inputs} | {name: each for name, each in optional.items() if each}

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.extract import evaluate
        from ctiforge.extract.answering.endpoint import Endpoint

        articles = evaluate.TestData.read(dirs.inputs["test_data"], reference)
        extractor = evaluate.open_extractor(
            model,
            dirs.inputs,
            endpoint=Endpoint(endpoint, model, concurrency, timeout) if endpoint else None,
            device=device,
            batch_size=batch_size,
            constrained=constrained,
        )
        if examples:
            show_passages(extractor, dirs.inputs["prepared"], examples)
        version = (served_version or model) if endpoint else model_version(model, model_inputs)
        evaluation = evaluate.evaluate_on(articles, extractor, version, dirs.inputs.get("training_data"), dirs.out)
        evaluation.model_copy(update={"price": money}).write(dirs.out)
        return {name: figure.value for name, figure in evaluation.metrics.items()}

    packages = ("numpy", "scipy") if model == "regex" else ("numpy", "scipy", "torch", "transformers", "peft")
    result = run_stage(
        Stage(
            "eval_extract",
            5,
            packages=(*packages, "llguidance") if constrained else packages,
            keyed_by_output=endpoint is not None,
        ),
        params=params,
        inputs=inputs,
        output=output.removesuffix(".json")
        if output
        else (None if store else f"outputs/evaluations/{Path(split_name(model)[0]).name}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.uri and not plan:
        from ctiforge.evaluation.tables.result import print_result

        print_result(result.uri, output)


def check_count(examples: str | None) -> None:
    """Refuse a number of examples that is none."""
    from ctiforge.errors import UsageError

    if examples and examples != "auto" and not (examples.isdecimal() and 0 < int(examples) < 100):
        raise UsageError(f"--examples {examples}: give a number from 1 to 99, or auto")


def read_price(price: str | None) -> "Price | None":
    """Read what a million tokens cost; None where nobody says."""
    from ctiforge.errors import UsageError
    from ctiforge.records.evaluation import Price

    if not price:
        return None
    try:
        read, written = (float(each) for each in price.split(","))
    except ValueError:
        read = written = -1.0
    if not (0 <= read < 1e6 and 0 <= written < 1e6):
        raise UsageError(f"--price {price}: give two numbers, for a million tokens read and written, like 0.15,0.60")
    return Price(read=read, written=written)


def show_passages(extractor: Any, prepared: Path, examples: str) -> None:
    """Let an extractor show solved passages, and say how many validation chose."""
    from ctiforge.extract.answering.examples_shown import read_passages
    from ctiforge.extract.shown_count import show_examples

    tried = show_examples(extractor, read_passages(prepared), read_passages(prepared, "validation"), examples)
    extractor.name += ", with examples"
    if tried:
        said = ", ".join(f"{count}: {f1:.3f}" for count, f1 in tried.items())
        print(f"examples shown: {extractor.shown.count} (micro-F1 on validation with {said})")


def show_article(
    model: str, test_data: str | None, article_id: str, store: str | None, device: str, batch_size: int
) -> None:
    """Print one article's items: found, missed and wrong side by side; unlabeled ones as what was extracted."""
    from rich.console import Console

    from ctiforge.data.database import read_article
    from ctiforge.data.testsets import find_labelled_article
    from ctiforge.evaluation.tables.evaluation import article_view
    from ctiforge.extract.answering.merging import application_result
    from ctiforge.extract.evaluate import load_named, score_record
    from ctiforge.tables import print_tables
    from ctiforge.visible import visible

    if test_data:
        article = find_labelled_article(test_data, store, article_id)
    else:
        article = read_article(os.environ.get("DATABASE_URL"), article_id)
    extractor = load_named(model, device=device, batch_size=batch_size)
    if article.labelled_types:
        print_tables(article_view(score_record(extractor, article)), Console())
        return
    found = extractor.extract(article.content, source_url=article.url)
    print("nobody has labeled this article (--test-data names one that is); what the model extracts:")
    print(visible(json.dumps(application_result(found.observables, article.url), ensure_ascii=False, indent=1)))


if __name__ == "__main__":
    run_program(main)
