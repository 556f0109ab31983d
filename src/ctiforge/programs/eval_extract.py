"""Scores one model on a test set, or shows one article with what was found, missed and wrong."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    INDEX_VARIABLE,
    ConstrainedFlag,
    DeviceFlag,
    EvaluationFlag,
    ExpectFlag,
    PlanFlag,
    RevisionFlag,
    StoreFlag,
    TellFlag,
    WindowsTogetherFlag,
    choose,
)

if TYPE_CHECKING:
    from ctiforge.extract.answering.extraction import Extractor
    from ctiforge.records.evaluation import Evaluation, Price


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
    engine: Annotated[
        str | None,
        typer.Option(
            help="A command that serves --model in OpenAI's protocol, started and ended here: {model} is its folder or "
            "GGUF file, {port} a free port.",
            metavar="COMMAND",
        ),
    ] = None,
    engine_wait: Annotated[
        float, typer.Option(min=1, help="Seconds that an engine may take until it is ready.")
    ] = 900.0,
    asked_as: Annotated[
        str | None,
        typer.Option(
            help="With --endpoint or --engine: the trained model whose prompt, windows and tokenizer are used."
        ),
    ] = None,
    as_served: Annotated[
        str | None,
        typer.Option(
            help="With --endpoint or --engine: a file with the application's own prompt ({content} is the article): "
            "whole articles are asked about, as they are today.",
            metavar="PROMPT_FILE",
        ),
    ] = None,
    served_version: Annotated[
        str | None, typer.Option(help="With --endpoint: what exactly is served, like the hash of its file.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="Money for a million tokens read and written, like 0.15,0.60: shown as cost.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests to an endpoint or engine at a time.")] = 4,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that an endpoint may take for an answer.")] = 300.0,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many of the articles, spread over the test data; no gate takes it."),
    ] = None,
    batch_size: WindowsTogetherFlag = 32,
    device: DeviceFlag = "auto",
    nproc: Annotated[
        int, typer.Option(min=1, help="Processes that share the articles, each with the model on its own GPU.")
    ] = 1,
    shards: Annotated[
        int,
        typer.Option(
            min=1, help="Share the articles among so many commands like this one, at any time, on any machines."
        ),
    ] = 1,
    shard: Annotated[
        int,
        typer.Option(min=0, envvar=INDEX_VARIABLE, help="With --shards: which of them this one is, from 0."),
    ] = 0,
    report_to: TellFlag = "none",
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Score a model on the labeled types of a test set; a type that nobody labeled is never scored.

    The key of an endpoint that wants one is in OPENAI_API_KEY. What it serves may change under one name:
    it is asked anew each time; so is an engine whose program does not tell its version.
    """
    from ctiforge.data.testsets import find_test_data
    from ctiforge.errors import UsageError
    from ctiforge.evaluation.tracking import Tracker, tell, told_of_evaluation
    from ctiforge.extract.models import find_model, model_version
    from ctiforge.store.hub import pin, split_name
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    check_served(endpoint, engine, asked_as or as_served, served_version, article_id)
    if nproc > 1 and (endpoint or engine or examples):
        raise UsageError(
            "--nproc shares a model of this machine: leave it out with --endpoint, --engine and --examples"
        )
    check_shard(shards, shard, nproc, store)
    if examples and not prepared:
        raise UsageError("--examples shows passages of prepared data: give --prepared, an output of format_extract")
    if examples and as_served:
        raise UsageError("--as-served asks with the application's own prompt, which shows no --examples")
    check_count(examples)
    tracker: Tracker = choose("--report-to", report_to, get_args(Tracker))
    money = read_price(price)
    # what is served has a name of its own there, and a file is no name of the Hub
    model = model if endpoint or (engine and Path(model).is_file()) else pin(find_model_uri(model, store), revision)
    asked_as = asked_as and find_model_uri(asked_as, store)
    if article_id is not None:
        show_article(model, test_data, article_id, store, device, batch_size)
        return
    if shards > 1 and (endpoint or engine) and not plan:
        # what answers there is one for all, and has its own ways to answer many at once
        if shard > 0:
            print(f"shard {shard} of {shards}: the first shard alone asks what is served; nothing to do here")
            return
        shards = 1
    uri, reference = find_test_data(test_data, store)
    used = None
    if engine:
        from ctiforge.extract.by_engine import find_engine, find_engine_model, open_engine

        model_inputs, named = find_engine_model(model)
        used = find_engine(engine, concurrency=concurrency, timeout_s=timeout, wait_s=engine_wait)
    else:
        model_inputs, named = ({}, {"model_name": model}) if endpoint else find_model(model)
    params: dict[str, Any] = named | ({"constrained": True} if constrained else {})
    params |= {"engine": used.command.shown, "engine_version": used.version} if used else {}
    params |= {name: each for name, each in (("examples", examples), ("price", price), ("sample", sample)) if each}
    optional = {
        "training_data": training_data, "prepared": prepared, "asked_as": asked_as, "as_served": as_served,
    }  # fmt: skip
    inputs = {"test_data": uri, **model_inputs} | {name: each for name, each in optional.items() if each}

    def work(dirs: StageDirs) -> dict[str, Any] | None:
        from ctiforge.extract import evaluate
        from ctiforge.extract.answering.endpoint import Endpoint
        from ctiforge.extract.scored_articles import TestData
        from ctiforge.training.tracking import check_tracker

        check_tracker(tracker)
        articles = TestData.read(dirs.inputs["test_data"], reference, sample)
        version = (served_version or model) if endpoint else model_version(model, model_inputs)
        trained_on = dirs.inputs.get("training_data")
        if nproc > 1:
            from ctiforge.extract.evaluate_together import SharedEvaluation, evaluate_together

            asked = SharedEvaluation(model, version, dirs.inputs, reference, device, batch_size, constrained, sample)
            return finished(evaluate_together(asked, nproc, dirs.out, dirs.scratch), dirs)

        def load() -> "Extractor":
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
            return extractor

        if shards > 1:
            from ctiforge.extract.asking import Share
            from ctiforge.extract.evaluation_parts import evaluate_shard

            share = Share(shard, shards)
            merged = evaluate_shard(articles, load, version, share, dirs.parts, dirs.is_published, trained_on, dirs.out)
            return finished(merged, dirs) if merged else None
        if not used:
            return finished(evaluate.evaluate_on(articles, load(), version, trained_on, dirs.out), dirs)
        with open_engine(used, model, dirs.inputs, constrained=constrained) as (extractor, about):
            if examples:
                show_passages(extractor, dirs.inputs["prepared"], examples)
            evaluation = evaluate.evaluate_on(articles, extractor, version, trained_on, dirs.out, about)
        return finished(evaluation, dirs)

    def finished(evaluation: "Evaluation", dirs: StageDirs) -> dict[str, Any]:
        evaluation.model_copy(update={"price": money}).write(dirs.out)
        tell(tracker, told_of_evaluation(evaluation, model), dirs.out)
        return {name: figure.value for name, figure in evaluation.metrics.items()}

    packages = ("numpy", "scipy") if model == "regex" else ("numpy", "scipy", "torch", "transformers", "peft")
    # of an engine's version that is told only once it runs no fingerprint can be made before
    is_live = endpoint is not None or (used is not None and used.version is None)
    result = run_stage(
        Stage(
            "eval_extract",
            8,
            packages=(*packages, "llguidance") if constrained else packages,
            keyed_by_output=is_live,
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


def check_served(
    endpoint: str | None, engine: str | None, asked_with: str | None, served_version: str | None, article_id: str | None
) -> None:
    """Refuse flags about a served model that do not go together."""
    from ctiforge.errors import UsageError

    if endpoint and engine:
        raise UsageError("--endpoint is served already, and --engine starts one: give one of the two")
    if engine and article_id is not None:
        raise UsageError("--article-id shows what the model finds without an engine: leave out --engine")
    if not (endpoint or engine) and asked_with:
        raise UsageError("--asked-as and --as-served are about a served model: give its --endpoint or --engine")
    if served_version and not endpoint:
        raise UsageError("--served-version is about a served model: give its --endpoint")


def check_shard(shards: int, shard: int, nproc: int, store: str | None) -> None:
    """Refuse a shard that there is not, or that the others cannot meet."""
    from ctiforge.errors import UsageError

    if shards == 1:
        if shard > 0:
            raise UsageError(f"--shard {shard}: say of how many it is one, --shards N")
        return
    if shard >= shards:
        raise UsageError(f"--shard {shard}: of {shards} shards the last one is {shards - 1}")
    if not store:
        raise UsageError("--shards: give a --store that all shards reach: their parts meet there")
    if nproc > 1:
        raise UsageError("--shards and --nproc both share the articles: give each process a shard, without --nproc")


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
