"""Keeps what people said of articles in one registry, from which training and test sets are drawn."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import StoreFlag

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_SHOWN = 20


class UsageChoice(StrEnum):
    """What labels are for."""

    TRAIN = "train"
    EVAL = "eval"
    GOLD = "gold"


@app.command("import")
def import_(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A review file, Label Studio's JSON export, or the application's config/eval_articles_data."
        ),
    ] = None,
    from_database: Annotated[
        bool,
        typer.Option("--from-database", help="Read annotations and expected items of the DATABASE_URL's application."),
    ] = False,
    annotator: Annotated[str | None, typer.Option(help="Who labeled what names nobody.")] = None,
    looked_at: Annotated[
        list[str] | None,
        typer.Option(help="A type that was looked for in all of every text, where the export does not say (repeat)."),
    ] = None,
    usage: Annotated[
        UsageChoice | None, typer.Option(help="What the labels are for: eval and gold are never trained on.")
    ] = None,
    store: StoreFlag = None,
) -> None:
    """Bring labels of people into the registry.

    A type that somebody looked for replaces what the same person said of the same text before; a single item is added.
    """
    from ctiforge.data.database import database_url, open_database
    from ctiforge.errors import UsageError
    from ctiforge.labels.importing import import_labels, read_application, read_file
    from ctiforge.progress import warn
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

    if (file is None) == (not from_database):
        raise UsageError("give one of the two: a file of labels, or --from-database")
    if file is not None:
        read = read_file(file, looked_at or (), annotator)
    else:
        with open_database(database_url()) as database:
            read = read_application(database, annotator)
    opened = open_store(load_settings({"store": store}).settings.store)
    done = import_labels(opened, read, usage.value if usage else None)
    for reason, count in sorted(done.left_out.items()):
        warn(f"left out: {reason}: {count}")
    if done.changed:
        warn(f"labeled with another text before, both are kept: {_some(done.changed)}")
    if done.conflicts:
        warn(f"people contradict each other: {_some(done.conflicts)}")
    print(f"{opened.uri}: " + ", ".join(f"{count} labels {saved}" for saved, count in sorted(done.saved.items())))


@app.command("list")
def list_(store: StoreFlag = None) -> None:
    """Show who labeled how much, and for what."""
    from rich.console import Console

    from ctiforge.data.labels import find_conflicts, read_labels
    from ctiforge.labels.counting import count_labels
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import find_store
    from ctiforge.tables import print_tables, table_of

    opened = find_store(load_settings({"store": store}).settings.store)
    labels = list(read_labels(opened)) if opened else []
    if not labels:
        print("there are no labels yet: bring some in with `ctiforge labels import`")
        return
    titles = ("person", "texts", "looked for", "items", "single items", "systems", "for evaluation")
    print_tables([table_of(titles, count_labels(labels), left=(0, 2), look="bare")], Console())
    if conflicts := find_conflicts(labels):
        print(f"people contradict each other: {_some(conflicts)}")


@app.command()
def agreement(
    one: Annotated[str, typer.Argument(help="A person, as they sign.")],
    other: Annotated[str, typer.Argument(help="Another one.")],
    all_items: Annotated[bool, typer.Option("--all", help="Show every item that only one of them has.")] = False,
    store: StoreFlag = None,
) -> None:
    """Compare two people: F1 by type over the texts that both labeled, and the items that only one of them has."""
    from rich.console import Console

    from ctiforge.data.labels import read_labels
    from ctiforge.labels.agreement import measure_agreement
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import find_store
    from ctiforge.tables import print_tables, table_of

    opened = find_store(load_settings({"store": store}).settings.store)
    found = measure_agreement(read_labels(opened) if opened else (), one, other)
    first, second = found.names
    print(f"{found.texts} texts labeled by both")
    titles = ("type", "texts", "F1", "both", f"only {first}", f"only {second}")
    rows: list[tuple[object, ...]] = [
        (type_, each.texts, "–" if each.f1 is None else f"{each.f1:.3f}", each.both, each.alone(0), each.alone(1))
        for type_, each in found.types.items()
    ]
    if found.os_labels:
        same = sum(one == other for _, one, other in found.os_labels)
        other_ones = len(found.os_labels) - same
        rows.append(("os_label", len(found.os_labels), "–", same, other_ones, other_ones))
    console = Console()
    print_tables([table_of(titles, rows, left=(0,), look="bare")], console)
    only = [(id_, found.names[who], each.type, each.value) for a in found.types.values() for id_, who, each in a.only]
    only += [(id_, f"{first} / {second}", "os_label", f"{a} / {b}") for id_, a, b in found.os_labels if a != b]
    if not only:
        return
    shown = only if all_items else only[:_SHOWN]
    print_tables([table_of(("article", "only", "type", "item"), shown, left=range(4), look="bare")], console)
    if len(shown) < len(only):
        print(f"and {len(only) - len(shown)} more: --all shows them")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


if __name__ == "__main__":
    exit_on_error(app)
