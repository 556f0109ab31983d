"""The registry of models: what was promoted, how it came to be, and back to an earlier version."""

from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import LineArgument, StoreFlag

if TYPE_CHECKING:
    from ctiforge.records.registry import Move
    from ctiforge.store.models import Registry

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def main(context: typer.Context, store: StoreFlag = None) -> None:
    """Show the registry of models; with nothing else said, the list of both lines."""
    if context.invoked_subcommand is None:
        list_(store=store)


@app.command("list")
def list_(
    line: Annotated[str | None, typer.Argument(help="extract or os-bert; default: both.")] = None,
    store: StoreFlag = None,
) -> None:
    """List the versions of a line, the champion marked, and how many candidates were looked at on each test set."""
    from ctiforge.lines import LINES

    for each in (line,) if line else LINES:
        print_versions(open_registry(each, store))


@app.command()
def show(
    line: LineArgument,
    version: Annotated[int, typer.Argument(help="As `list` numbers them.")],
    store: StoreFlag = None,
) -> None:
    """Show where a version comes from, back to the harvest, and what the gate said of it."""
    from ctiforge.evaluation.tables.gate import print_decision
    from ctiforge.store.fingerprint import SHORT
    from ctiforge.tables import wide_console

    registry = open_registry(line, store)
    record = registry.get(version)
    champion = registry.standing().champion
    mark = ", the champion" if champion and champion.version == version else ""
    print(f"{line} version {version}{mark}: {record.name}")
    print(f"  model     {record.artifact}")
    print(f"  content   {record.content}")
    print(f"  trained   commit {record.git_commit or 'unknown'}, image {record.image or 'none'}")
    for move in champion.history if champion else ():
        if version in (move.version, move.previous):
            print(f"  {move.at:%Y-%m-%d %H:%M}  {words(move)}")
    print("made by, the newest first:")
    for step in record.lineage:
        print(f"  {step.stage:<16} {step.fingerprint[:SHORT]}  {step.started_at:%Y-%m-%d %H:%M}  {step.uri}")
        for name, entry in step.inputs.items():
            print(f"    {name} {entry.content[:SHORT]}  {entry.uri}")
    print_decision(record.decision, wide_console())


@app.command()
def rollback(
    line: LineArgument,
    why: Annotated[str, typer.Option(help="What is wrong with the version in use: kept in the history.")],
    to: Annotated[int | None, typer.Option(help="The version to use again; default: the one before.")] = None,
    store: StoreFlag = None,
) -> None:
    """Put an earlier version back into use; nothing is deleted, and the history keeps the reason."""
    registry = open_registry(line, store)
    champion = registry.roll_back(to, why)
    record = registry.get(champion.version)
    print(f"{words(champion.history[-1])}")
    print(f"-> {record.artifact}")


def open_registry(line: str, store: str | None) -> "Registry":
    """Give the registry of a line in the store of the settings."""
    from ctiforge.lines import find_line
    from ctiforge.settings import load_settings
    from ctiforge.store.models import Registry
    from ctiforge.store.objects import open_to_look

    loaded = load_settings({"store": store})
    opened = open_to_look(loaded.settings.store, is_named=loaded.is_named("store"))
    return Registry(opened, find_line(line).name)


def print_versions(registry: "Registry") -> None:
    """One row a version, the champion's with a star."""
    from ctiforge.evaluation.gate.looks import YEAR
    from ctiforge.evaluation.tables.evaluation import show, show_interval
    from ctiforge.tables import print_tables, table_of, wide_console

    champion = registry.standing().champion
    promoted = {move.version: f"{move.at:%Y-%m-%d %H:%M}" for move in champion.history} if champion else {}
    titles = ("version", "name", "test set", "figure", "interval", "promoted")
    rows = []
    for record in registry.versions():
        test_set, figure = record.decision.test_set, record.decision.primary
        row = (
            f"{record.version}{' *' if champion and champion.version == record.version else ''}",
            record.name,
            f"{test_set.name}@{test_set.version}",
            f"{figure.label} {show(figure.value, figure.unit)}" if figure else "",
            show_interval(figure.low, figure.high, figure.unit) if figure else "",
            promoted.get(record.version, "never"),
        )
        rows.append(row)
    print(f"{registry.line} (* in use)" if rows else f"{registry.line}: nothing was promoted yet")
    if rows:
        print_tables([table_of(titles, rows, left=range(len(titles)))], wide_console())
    for name, looks in registry.looked_at().items():
        print(f"{name}: {looks:.0f} candidates looked at so far, of {YEAR}")


def words(move: "Move") -> str:
    """Give a change of the champion in words."""
    previous = f" in the place of {move.previous}" if move.previous else ""
    return f"version {move.version} {move.what}{previous}: {move.why}"


if __name__ == "__main__":
    exit_on_error(app)
