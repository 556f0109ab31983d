"""The command `ctiforge`: the launcher's verbs and every program, each with its own `--help`."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Annotated

import typer

from ctiforge import __version__
from ctiforge.launcher import looking, verbs
from ctiforge.pod.entry import exit_on_error
from ctiforge.programs import (
    baselines_os,
    check_data,
    collect_garbage,
    compare,
    detect_os,
    eval_extract,
    eval_os_bert,
    export_model,
    extract,
    forget,
    format_extract,
    harvest_extract,
    label,
    labels,
    model,
    models,
    prepare_os,
    profile,
    promote,
    publish,
    report,
    serve,
    testset,
    train_extract,
    train_os_bert,
)

data = typer.Typer(help="Look at training data before it is used.", no_args_is_help=True)
data.command("check")(check_data.main)
app = typer.Typer(
    name="ctiforge",
    help="Train, evaluate, promote and export the models of a threat-intelligence team.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("run", verbs.run, "Run a line's stages; what is done is skipped."),
    ("sweep", verbs.sweep, "Train a grid of flags, chosen on validation."),
    ("runs", looking.runs, "List the runs of the store, newest first."),
    ("status", looking.status, "Show a run's stages, and why one failed."),
    ("logs", looking.logs, "Print what a run's programs said."),
    ("report", report.main, "Write a run's report as one HTML file."),
    ("cancel", verbs.cancel, "Stop a run in the cluster."),
    ("collect", looking.collect, "Copy a run's evaluations to the outputs folder."),
    ("config", verbs.config, "Print each setting and where it came from."),
    ("doctor", verbs.doctor, "Check the store and the cluster before a run."),
    ("gc", collect_garbage.main, "List or remove what only old runs named."),
    ("forget", forget.main, "Remove an article from everything but weights."),
    ("compare", compare.main, "Compare evaluations of one test set."),
    ("extract", extract.main, "Extract the observables of one text."),
    ("serve", serve.main, "Serve a model to the application."),
    ("detect-os", detect_os.main, "Say which operating system a text is about."),
    ("promote", promote.main, "Make a better model the champion of its line."),
    ("approve", models.approve, "Use a version that waits for a person."),
    ("rollback", models.rollback, "Make an earlier version the champion again."),
    ("export", export_model.main, "Export a model to where it is served."),
    ("harvest-extract", harvest_extract.main, "Stage: articles and results into records."),
    ("format-extract", format_extract.main, "Stage: records into training examples."),
    ("train-extract", train_extract.main, "Stage: examples into an Extract Agent."),
    ("eval-extract", eval_extract.main, "Stage: an Extract Agent's figures on a test set."),
    ("prepare-os", prepare_os.main, "Stage: articles labeled by operating system."),
    ("train-os-bert", train_os_bert.main, "Stage: labeled articles into an OS-BERT."),
    ("baselines-os", baselines_os.main, "Stage: the baselines beside OS-BERT."),
    ("eval-os-bert", eval_os_bert.main, "Stage: an OS-BERT's figures on a test set."),
)
GROUPS: tuple[tuple[str, typer.Typer, str], ...] = (
    ("data", data, "Look at training data before it is used: check."),
    ("label", label.app, "Label articles on a page; `next`: which ones."),
    ("labels", labels.app, "Import labels of people, and compare two people."),
    ("testset", testset.app, "Make, draw, import and list test sets."),
    ("model", model.app, "Put base models into the store: add, list."),
    ("models", models.app, "Show what is registered, and what is in use."),
    ("profile", profile.app, "How an application asks: check, import."),
    ("publish", publish.app, "Publish a model or a dataset to the Hub, with its card."),
)


def show_version(is_asked: bool) -> None:
    """Print the version and end, where it is asked for."""
    if is_asked:
        typer.echo(f"ctiforge {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the command's own flags, and warn of misspelled settings in the environment."""
    if any(name.startswith("CTIFORGE_") for name in os.environ):
        # only then: a --help need not wait for it
        from ctiforge.progress import warn
        from ctiforge.settings import explain_unknown

        for line in explain_unknown(os.environ):
            warn(line)


for _name, _program, _text in COMMANDS:
    app.command(_name, short_help=_text)(_program)
for _name, _group, _text in GROUPS:
    app.add_typer(_group, name=_name, short_help=_text)


def main() -> None:
    """Run the command."""
    try:
        exit_on_error(app)
    except SystemExit as end:
        if threading.active_count() == 1 or not isinstance(end.code, int | None):
            raise
        # a watch may still sit in a read, and an interpreter that ends around it aborts
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


if __name__ == "__main__":
    main()
