"""Harvests training records for the Extract Agent from the team's PostgreSQL and from result files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, PlanFlag, StoreFlag, TestSetsFlag


class Included(StrEnum):
    """Kinds of articles that are kept out unless they are named."""

    ARCHIVED = "archived"
    EVAL_ARTICLES = "eval_articles"


def main(
    output: Annotated[str | None, typer.Option(help="A folder or s3://… for records.jsonl and report.json.")] = None,
    from_database: Annotated[
        bool, typer.Option("--from-database", help="Read the PostgreSQL that DATABASE_URL names.")
    ] = False,
    json_files: Annotated[
        list[str] | None, typer.Option(help="Result files, paths or s3://… (repeat the flag).")
    ] = None,
    auto_find_json: Annotated[
        bool, typer.Option("--auto-find-json", help="Find result files below the working folder by their names.")
    ] = False,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Labels of people beside those of the store (ctiforge labels), which go before any model's: a review "
            "file, or the application's config/eval_articles_data (repeat the flag)."
        ),
    ] = None,
    min_observables: Annotated[int, typer.Option(min=1, help="Fewest observables of a positive article.")] = 1,
    negative_ratio: Annotated[
        float, typer.Option(min=0, max=0.95, help="Largest share of kept articles without observables.")
    ] = 0.2,
    status_filter: Annotated[
        list[str] | None, typer.Option(help="Only executions of this status (repeat the flag); default: any.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only executions since a date like 2026-11-22 (database).")] = None,
    exclude_urls: Annotated[
        Path | None, typer.Option(help="A file of URLs, one a line: they and their near duplicates stay out.")
    ] = None,
    test_set: TestSetsFlag = None,
    labelers: Annotated[
        list[str] | None,
        typer.Option(help="A model whose labels go before others' (repeat the flag, the best first)."),
    ] = None,
    own_answers: Annotated[
        bool, typer.Option("--own-answers", help="Learn from answers of our own promoted models as well.")
    ] = False,
    include: Annotated[
        list[Included] | None,
        typer.Option(help="Articles of the database that stay out otherwise (repeat the flag)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the true negatives.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Go on with fewer articles than the minimum.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only see whether the database can be read.")] = False,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Harvest articles with their observables into records.jsonl.

    Each type of an article takes its labels from whoever says something about it and is trusted most: a person,
    then an execution that saw the whole article, then the model named first in --labelers, then a completed
    execution, then the newest. Only a completed one proves that there is nothing to find.
    """
    from ctiforge.data.labels import read_labels
    from ctiforge.data.testsets import test_set_inputs
    from ctiforge.extract.harvest.harvest import HarvestOptions
    from ctiforge.extract.harvest.sources import Sources, harvest_sources, read_urls
    from ctiforge.settings import load_settings
    from ctiforge.store.models import registered_names
    from ctiforge.store.objects import find_store, open_store
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    if check:
        check_database()
        return
    options = HarvestOptions(
        min_observables,
        negative_ratio,
        tuple(status_filter or ()),
        seed,
        labelers=tuple(labelers or ()),
        include=tuple(each.value for each in include or ()),
        own_answers=own_answers,
    )
    sources = Sources(from_database, tuple(json_files or ()), auto_find_json, tuple(labels or ()), since)
    urls = [] if plan else read_urls(exclude_urls)

    def work(dirs: StageDirs) -> dict[str, Any]:
        uri = store or load_settings().settings.store
        registry = find_store(uri)
        return harvest_sources(
            sources,
            options,
            urls,
            dirs.inputs,
            dirs.out,
            dirs.scratch,
            own_models=registered_names(uri, "extract"),
            registered=read_labels(registry) if registry else (),
            cache_in=open_store(store) if store else None,
            force=force,
        )

    run_stage(
        Stage("harvest_extract", 2, packages=("rensa",), keyed_by_output=True),
        params=options.as_params() | sources.as_params() | {"exclude_urls": urls},
        inputs=test_set_inputs(store, test_set) | sources.inputs(),
        output=output,
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )


def check_database() -> None:
    """Say how much there is to harvest."""
    import os

    from ctiforge.data.database import open_database
    from ctiforge.errors import UsageError

    url = os.environ.get("DATABASE_URL")
    if not url:
        raise UsageError(
            "--check reads the database: set DATABASE_URL to postgresql://user:password@host/database "
            "(in a cluster, the chart's value database.existingSecret names its secret)"
        )
    with open_database(url) as database:
        print(f"the database can be read: {database.count_executions()} executions of articles")


if __name__ == "__main__":
    run_program(main)
