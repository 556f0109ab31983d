"""The registry of models: what was promoted, how it came to be, and back to an earlier version."""

from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import DeviceFlag, LineArgument, StoreFlag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctiforge.records.registry import Champion, ModelRecord, Move
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
    for line_ in origin_lines(registry, record):
        print(f"  {line_}")
    if line == "extract":
        print_agents(registry, record)
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
    """Put an earlier version back into use, once its files are proven; nothing is deleted.

    Exit code 3 where a file is gone or no longer what was registered.
    """
    from ctiforge.progress import warn
    from ctiforge.store.actor import find_actor
    from ctiforge.store.owned import is_kept, locate

    registry = open_registry(line, store)
    champion = registry.roll_back(to, _said(why), find_actor())
    record = registry.get(champion.version)
    print_move(registry, champion)
    print(f"-> {locate(registry.store, record)}")
    if not is_kept(registry.store, record):
        warn(f"its files lie outside the store, at {record.artifact}: whoever changes them changes the model in use")


@app.command()
def approve(
    line: LineArgument,
    version: Annotated[int, typer.Argument(help="The version that waits, as `models list` numbers them.")],
    why: Annotated[str, typer.Option(help="Why it may be used: kept in the history.")],
    store: StoreFlag = None,
) -> None:
    """Make a version the champion that passed the gate and waits for a person; see promote_approval.

    Exit code 5 where the champion has changed since: then it has to be promoted against that one.
    """
    from ctiforge.store.actor import find_actor
    from ctiforge.store.waiting import approve as approve_version

    registry = open_registry(line, store)
    print_move(registry, approve_version(registry, version, _said(why), find_actor()))


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="models:LINE@champion, @previous or @VERSION; models: may be left out.")],
    canary: Annotated[
        bool,
        typer.Option("--canary", help="Ask the model its canary, too: the answers must be those of its evaluation."),
    ] = False,
    put_back_from: Annotated[
        str | None, typer.Option(help="First put back what is missing or damaged, from a copy of the same files.")
    ] = None,
    device: DeviceFlag = "auto",
    store: StoreFlag = None,
) -> None:
    """Hold the files of a version, as they lie now, against its record; exit code 3 where one differs."""
    from ctiforge.errors import DataError
    from ctiforge.store.artifacts import find_input
    from ctiforge.store.named_models import PREFIX, find_version
    from ctiforge.store.owned import find_fault
    from ctiforge.store.restoring import restore_version

    line, _, which = model.removeprefix(PREFIX).partition("@")
    registry = open_registry(line, store)
    record = find_version(registry, which)
    if put_back_from:
        written = restore_version(registry.store, record, find_input(put_back_from))
        print(f"put back: {', '.join(written) or 'nothing, all was there'}")
    fault = find_fault(registry.store, record)
    name = f"{line} version {record.version}, {record.name}"
    if fault:
        raise DataError(f"{name}: {fault}")
    print(f"{name}: every file is as it was registered")
    print(f"  files     {kept_words(registry, record)}")
    if canary:
        ask_canary(registry, record, device)


def ask_canary(registry: "Registry", record: "ModelRecord", device: str) -> None:
    """Ask a version about the windows that are kept with it; raise DataError where an answer is another one."""
    from ctiforge.errors import DataError
    from ctiforge.extract.canary import changed_answers
    from ctiforge.extract.evaluate import load_named
    from ctiforge.promotion.canary import read_canary
    from ctiforge.store.owned import locate

    kept = read_canary(registry.store, record.line, record.content)
    if kept is None:
        raise DataError(f"{record.name} has no canary: its evaluation kept no answers")
    changed = changed_answers(kept, load_named(locate(registry.store, record), device=device))
    if changed:
        raise DataError(f"{record.name} answers {len(changed)} of {len(kept.windows)} windows otherwise: {changed[0]}")
    print(f"  canary    {len(kept.windows)} windows answered as in its evaluation")


def print_agents(registry: "Registry", record: "ModelRecord") -> None:
    """Print which agents of the shipped profile a version answers where it is served; nothing where nobody knows."""
    from ctiforge.errors import DataError, UsageError
    from ctiforge.serving.agents import agents_of_version
    from ctiforge.serving.profiles import load_profile

    try:
        agents = agents_of_version(registry, record, load_profile("huntable"))
    except (DataError, UsageError):
        # what is wrong with its files `models check` says
        return
    if agents:
        print(f"  answers   {', '.join(agent for agent, why in agents.items() if why is None) or 'no agent'}")
    for agent, why in agents.items():
        if why:
            print(f"            not {agent}: {why}")


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
    from ctiforge.store.looks import Looks
    from ctiforge.store.owned import is_kept
    from ctiforge.store.waiting import moves_of, waiting_of
    from ctiforge.tables import print_tables, table_of, wide_console

    standing = registry.standing()
    champion = standing.champion
    promoted = {move.version: f"{move.at:%Y-%m-%d %H:%M}" for move in champion.history} if champion else {}
    waiting = {each.version: each for each in waiting_of(registry)}
    versions = registry.versions()
    titles = ("version", "name", "test set", "figure", "interval", "promoted")
    rows = []
    for record in versions:
        test_set, figure = record.decision.test_set, record.decision.primary
        row = (
            f"{record.version}{' *' if champion and champion.version == record.version else ''}",
            record.name,
            f"{test_set.name}@{test_set.version}",
            f"{figure.label} {show(figure.value, figure.unit)}" if figure else "",
            show_interval(figure.low, figure.high, figure.unit) if figure else "",
            promoted.get(record.version, "waits for approval" if record.version in waiting else "never"),
        )
        rows.append(row)
    print(f"{registry.line} (* in use)" if rows else f"{registry.line}: nothing was promoted yet")
    if rows:
        print_tables([table_of(titles, rows, left=range(len(titles)))], wide_console())
    for record in versions:
        if not is_kept(registry.store, record):
            print(f"version {record.version}: {kept_words(registry, record)}")
    moves = moves_of(standing)
    for each in waiting.values():
        if each.version not in promoted and each.moves == moves:
            print(f"version {each.version} waits for a person: ctiforge approve {registry.line} {each.version} --why …")
        elif each.version not in promoted:
            print(f"version {each.version} was decided on before the champion changed: promote it again")
    for name, looks in Looks(registry.store, registry.line).by_test_set().items():
        print(f"{name}: {looks:.0f} candidates looked at so far, of {YEAR}")


def print_move(registry: "Registry", champion: "Champion") -> None:
    """Say what was in use until now, and what is from now on."""
    move = champion.history[-1]
    if move.previous:
        print(f"in use until now: version {move.previous} ({registry.get(move.previous).name})")
    print(f"in use from now on: version {move.version} ({registry.get(move.version).name})")


def kept_words(registry: "Registry", record: "ModelRecord") -> str:
    """Say where a version's files lie, and whether anybody can prove them."""
    from ctiforge.store.owned import is_kept, locate

    uri = locate(registry.store, record)
    if record.place and record.files:
        size = sum(entry.size for entry in record.files.values())
        return f"{len(record.files)} of {size / 1e6:,.1f} MB, kept with the registry: {uri}"
    if is_kept(registry.store, record):
        return f"an artifact of the store: {uri}"
    return f"not kept with the registry, and not proven until they are checked: {uri}"


def origin_lines(registry: "Registry", record: "ModelRecord") -> "Iterator[str]":
    """Say what is known of a version: its files, what it was made of, who promoted it and why."""
    from ctiforge.promotion.calibration import read_calibration
    from ctiforge.promotion.canary import read_canary
    from ctiforge.store.fingerprint import SHORT

    yield f"model     {record.artifact}"
    yield f"files     {kept_words(registry, record)}"
    yield f"content   {record.content}"
    yield f"trained   commit {record.git_commit or 'unknown'}, image {record.image or 'none'}"
    for data in record.trained_on or ():
        yield f"data      {data.content[:SHORT]}  {data.uri}"
    base = record.base
    yield f"base      {base.name}, {base.revision or 'revision unknown'}" if base else "base      unknown"
    yield f"license   {record.license or 'unknown'}"
    canary = read_canary(registry.store, record.line, record.content)
    yield f"canary    {len(canary.windows)} windows" if canary else "canary    none: the evaluation kept no answers"
    sure = read_calibration(registry.store, record.line, record.content)
    yield f"sureness  of {len(sure.pairs)} items, for calibration" if sure else "sureness  nothing was kept"
    yield f"promoted  by {record.actor or 'unknown'}: {record.reason or 'no reason was kept'}"


def words(move: "Move") -> str:
    """Give a change of the champion in words."""
    previous = f", {move.previous} until then" if move.previous else ""
    return f"{move.what}: version {move.version} in use{previous}, by {move.actor or 'unknown'}: {move.why}"


def _said(why: str) -> str:
    """Give a person's reason; UsageError where none is said."""
    from ctiforge.errors import UsageError

    if not why.strip():
        raise UsageError("--why: say in a few words why; the history keeps it")
    return why


if __name__ == "__main__":
    exit_on_error(app)
