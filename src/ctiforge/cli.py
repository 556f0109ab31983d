"""The command `ctiforge`: plan and run a line, look at runs, and start the programs of `jobs/`."""

import os
import signal
import sys
from typing import Annotated, Any

import typer

from ctiforge.errors import UsageError
from ctiforge.program import exit_on_error

app = typer.Typer(
    name="ctiforge",
    help="Train, evaluate and compare the models of a threat-intelligence team.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
PASSED_ON: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
}
StoreFlag = Annotated[str | None, typer.Option("--store", help="Folder or s3://bucket/prefix of artifacts and runs.")]
SetFlag = Annotated[
    list[str] | None,
    typer.Option("--set", help="A further flag of a stage: train_extract.epochs=5. May be repeated.", metavar="FLAG"),
]


def main() -> None:
    """Entry point of the command."""
    exit_on_error(app)


@app.command()
def run(
    line: Annotated[str, typer.Argument(help="What to train: extract.")],
    store: StoreFlag = None,
    model: Annotated[str | None, typer.Option(help="Base model: a Hugging Face name or folder, or demo.")] = None,
    test_set: Annotated[str | None, typer.Option(help="Test set to evaluate on: name or name@2.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of prompt, window and answer together.")] = None,
    outputs: Annotated[str | None, typer.Option(help="Folder that evaluations are collected in.")] = None,
    set_: SetFlag = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the plan.")] = False,
) -> None:
    """Run a line's stages in order, skipping what is done; the same command goes on after a stop.

    The database is named by DATABASE_URL; without one, a demo database is used.
    """
    from ctiforge.launcher.lines import LINES
    from ctiforge.launcher.local import LocalBackend
    from ctiforge.launcher.run import run_line
    from ctiforge.settings import load_settings

    if line not in LINES:
        raise UsageError(f"there is no line {line}; there is {', '.join(LINES)}")
    flags = {"store": store, "model": model, "test_set": test_set, "max_length": max_length, "outputs": outputs}
    loaded = load_settings({**flags, "stages": _stage_flags(set_ or [])})
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        # a terminal that is closed stops the run as SIGTERM does; nohup is left alone
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    run_line(line, loaded.settings, LocalBackend(), dry_run=dry_run)


@app.command()
def runs(store: StoreFlag = None) -> None:
    """List the runs of the store, newest first."""
    from ctiforge.launcher.report import describe_runs
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

    typer.echo(describe_runs(open_store(load_settings({"store": store}).settings.store)))


@app.command()
def status(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id, or its beginning.")] = None,
    store: StoreFlag = None,
) -> None:
    """Show a run's stages, where their artifacts lie, and why one failed; the newest run by default."""
    from ctiforge.launcher.report import describe_run
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store
    from ctiforge.store.runs import load_run

    typer.echo(describe_run(load_run(open_store(load_settings({"store": store}).settings.store), run_id)))


@app.command()
def config() -> None:
    """Print each setting and where it came from, secrets masked."""
    from ctiforge.settings import load_settings

    lines = list(load_settings().lines())
    width = max(len(name) for name, _, _ in lines)
    for name, value, origin in lines:
        typer.echo(f"{name:<{width}}  {value}  ({origin})")


@app.command()
def doctor(store: StoreFlag = None) -> None:
    """Check that the store reads, writes, and keeps its conditional writes."""
    from ctiforge.settings import load_settings
    from ctiforge.store.check import check_store
    from ctiforge.store.objects import open_store

    opened = open_store(load_settings({"store": store}).settings.store)
    typer.echo(f"store {opened.uri}")
    for passed in check_store(opened):
        typer.echo(f"  ok: {passed}")


@app.command(**PASSED_ON)
def compare(context: typer.Context) -> None:
    """Compare evaluations of one test set: A.json B.json …"""
    _become("compare_extract", context.args)


@app.command(**PASSED_ON)
def testset(context: typer.Context) -> None:
    """Make, import and list test sets: create, import, list."""
    _become("testset", context.args)


@app.command(**PASSED_ON)
def extract(context: typer.Context) -> None:
    """Extract observables from an article: FILE, - or --article-id N."""
    _become("extract", context.args)


def _become(program: str, arguments: list[str]) -> None:
    """Go on as that program of `jobs/`, with the same terminal, environment and process."""
    from ctiforge.launcher.local import program_path

    os.execv(sys.executable, [sys.executable, str(program_path(program)), *arguments])


def _stage_flags(texts: list[str]) -> dict[str, dict[str, str | bool]]:
    flags: dict[str, dict[str, str | bool]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        stage, dot, name = place.partition(".")
        if not (equals and dot and stage and name):
            raise UsageError(f"--set {text}: write it as stage.flag=value, like train_extract.epochs=5")
        flags.setdefault(stage, {})[name.replace("-", "_")] = {"true": True, "false": False}.get(value, value)
    return flags
