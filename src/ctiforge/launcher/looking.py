"""The verbs that look at runs: which there are, how one stands, what its programs said, what it came to."""

from typing import Annotated

import typer

from ctiforge.errors import UsageError
from ctiforge.launcher.asked import BackendFlag, RunArgument, StoreFlag, load, open_named, say


def runs(store: StoreFlag = None, backend: BackendFlag = None) -> None:
    """List the runs of the store, newest first."""
    from ctiforge.launcher.report import describe_runs

    say(describe_runs(open_named(load(store, backend))))


def status(run_id: RunArgument = None, store: StoreFlag = None, backend: BackendFlag = None) -> None:
    """Show a run's stages, where their artifacts lie, and why one failed; the newest run by default."""
    from ctiforge.launcher.report import describe_run
    from ctiforge.store.launcher_note import as_it_stands
    from ctiforge.store.runs import load_run

    opened = open_named(load(store, backend))
    say(describe_run(as_it_stands(opened, load_run(opened, run_id))))


def logs(
    run_id: RunArgument = None,
    stage: Annotated[str | None, typer.Option(help="Only this stage's.")] = None,
    store: StoreFlag = None,
    backend: BackendFlag = None,
) -> None:
    """Print what a run's programs said: of pods that are there, and the saved tails of those that are gone."""
    from ctiforge.launcher.logs import print_logs

    print_logs(load(store, backend), run_id, stage, say)


def collect(run_id: RunArgument = None, store: StoreFlag = None, backend: BackendFlag = None) -> None:
    """Copy a run's evaluations and comparison into the outputs folder."""
    from ctiforge.launcher.collecting import collect as collect_stage
    from ctiforge.launcher.collecting import evaluations_folder
    from ctiforge.lines import LINES
    from ctiforge.store.runs import load_run

    loaded = load(store, backend)
    record = load_run(open_named(loaded), run_id)
    if record.line not in LINES:
        raise UsageError(f"{record.id} is a sweep: its table lies in {loaded.settings.outputs}/sweeps/{record.id}")
    folder = evaluations_folder(loaded.settings)
    stages = {stage.name: stage for stage in LINES[record.line].stages}
    for entry in record.stages:
        path = collect_stage(stages[entry.name], entry, folder)
        if path:
            say(str(path))
