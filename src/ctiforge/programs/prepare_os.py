"""Labels articles of the database by operating system and splits them into parts to train OS-BERT on."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, PlanFlag, StoreFlag, TestSetsFlag

ANSWERS = ".ctiforge/answers"


def main(
    output: Annotated[str | None, typer.Option(help="A folder for the parts, review.jsonl and prepare.json.")] = None,
    min_hunt_score: Annotated[float, typer.Option(help="Least threat_hunting_score of an article.")] = 80.0,
    limit: Annotated[int, typer.Option(min=0, help="Articles to label, highest score first; 0: all.")] = 200,
    labeler: Annotated[
        list[str] | None,
        typer.Option(help="keywords, application, openai or human; several, parted by commas, are compared."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Of the labeler human, beside the store's: a review file, or CSV of id, os_label, annotator."
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Of the labeler openai: base URL of its API; key in OPENAI_API_KEY.")
    ] = None,
    labeler_model: Annotated[str | None, typer.Option(help="Of the labeler openai: the model to ask.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions on their way at once.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one answer.")] = 60.0,
    price_in: Annotated[float | None, typer.Option(help="Dollars for a million tokens asked.")] = None,
    price_out: Annotated[float | None, typer.Option(help="Dollars for a million tokens answered.")] = None,
    balance: Annotated[int | None, typer.Option(min=1, help="Most articles of a class; default: all.")] = None,
    augment: Annotated[int, typer.Option(min=0, help="Altered copies of each training article.")] = 0,
    validation_share: Annotated[float, typer.Option(min=0.0, max=0.5)] = 0.15,
    test_share: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Kept to measure agreement with the labeler; never accuracy.")
    ] = 0.1,
    test_set: TestSetsFlag = None,
    force: Annotated[bool, typer.Option(help="Go on below the minimum of articles of a class.")] = False,
    seed: int = 0,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Label the articles with the highest hunt scores, whole articles, and split them for training.

    DATABASE_URL names the database. Labels of a program are for training: a model is measured on
    test sets that people made (ctiforge testset).
    """
    from ctiforge.data.labels import held_out_labels, read_labels
    from ctiforge.data.testsets import held_out_articles, test_set_inputs
    from ctiforge.errors import UsageError
    from ctiforge.osbert.prepare import PrepareOptions
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import find_store
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    names = [name for each in labeler or ["keywords"] for name in each.split(",")]
    options = PrepareOptions(min_hunt_score, limit or None, balance, augment, validation_share, test_share, seed)
    label_inputs = {"labels": str(labels)} if labels else {}

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.data.database import open_database
        from ctiforge.osbert.labeling.labelers import LabelingEndpoint, make_labelers
        from ctiforge.osbert.labeling.review import registered_labels
        from ctiforge.osbert.prepare import check_minimum, prepare, print_prepared

        url = os.environ.get("DATABASE_URL", "").strip()
        if not url:
            raise UsageError(
                "set DATABASE_URL to postgresql://user:password@host/database, which the articles are read from"
            )
        registry = find_store(store or load_settings().settings.store)
        people = list(read_labels(registry)) if registry else []
        held_out = [*held_out_articles(dirs.inputs), *held_out_labels(people)]
        asked = LabelingEndpoint(endpoint, labeler_model, store or ANSWERS, concurrency, timeout, price_in, price_out)
        with open_database(url) as database:
            labelers = make_labelers(
                names, dirs.inputs.get("labels"), registered_labels(people), asked, database.os_verdicts
            )
            articles = database.articles_by_score(options.min_hunt_score, None)
            report = prepare(articles, held_out, labelers, options, dirs.out, dirs.scratch)
        print_prepared(report, labelers)
        check_minimum(report["classes"], force=force)
        return report

    run_stage(
        Stage("prepare_os", 2, packages=("rensa",), keyed_by_output=True),
        params=asdict(options) | {"labeler": names, "labeler_model": labeler_model},
        inputs=label_inputs | test_set_inputs(store, test_set),
        output=output.removesuffix(".json") if output else (None if store else "outputs/os-data"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )


if __name__ == "__main__":
    run_program(main)
