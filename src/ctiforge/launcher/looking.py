"""The verbs that look at runs: which there are, how one stands, what its programs said, what it came to."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.errors import UsageError
from ctiforge.launcher.asked import BackendFlag, RunArgument, StoreFlag, load, open_named, say

if TYPE_CHECKING:
    from ctiforge.records.run import RunRecord
    from ctiforge.settings import Loaded
    from ctiforge.store.objects import ObjectStore

STOPPED = 130
"""The exit code after Ctrl-C."""
NOT_ASKED = "no cluster was asked whether it goes on; `--backend kubernetes` asks"


def runs(store: StoreFlag = None, backend: BackendFlag = None) -> None:
    """List the runs of the store, newest first."""
    from ctiforge.launcher.report import describe_runs

    say(describe_runs(open_named(load(store, backend))))


def status(run_id: RunArgument = None, store: StoreFlag = None, backend: BackendFlag = None) -> None:
    """Show a run's stages, where their artifacts lie, and why one failed; the newest run by default.

    Of a run under way in a cluster, the cluster is asked whether its launcher and its Jobs live.
    """
    from ctiforge.launcher.report import describe_run
    from ctiforge.store.launcher_note import as_it_stands
    from ctiforge.store.runs import load_run

    loaded = load(store, backend)
    opened = open_named(loaded)
    try:
        run = load_run(opened, run_id)
    except UsageError:
        # handed over, and its launcher has no pod perhaps
        if not (begins := run_id and _launcher_of(loaded, run_id)):
            raise
        say(begins)
        return
    say(describe_run(_as_it_is(loaded, opened, as_it_stands(opened, run))))


def logs(
    run_id: RunArgument = None,
    stage: Annotated[
        str | None, typer.Option(help="Only this stage's; `launcher`: the launcher's in a cluster.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what they say, until the run ends.")] = False,
    store: StoreFlag = None,
    backend: BackendFlag = None,
) -> None:
    """Print what a run's programs said: of pods that are there, and the saved tails of those that are gone.

    With --follow, pods of next stages and attempts are followed as they come; Ctrl-C leaves the run alone.
    """
    from ctiforge.launcher.logs import follow_logs, print_logs

    loaded = load(store, backend)
    if not follow:
        print_logs(loaded, run_id, stage, say)
        return
    try:
        follow_logs(loaded, run_id, stage, say)
    except KeyboardInterrupt:
        # the run is not what was stopped
        raise SystemExit(STOPPED) from None


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


def _launcher_of(loaded: "Loaded", run_id: str) -> str | None:
    """Tell of a launcher in the cluster that has not begun its run; None where there is none, or no answer."""
    from ctiforge.launcher.kubernetes.connecting import connect
    from ctiforge.launcher.kubernetes.refusals import ClusterError
    from ctiforge.launcher.kubernetes.standing import launcher_without_record

    if loaded.settings.backend == "local":
        return None
    try:
        return launcher_without_record(connect(loaded.settings.context, loaded.settings.namespace), run_id)
    except (ClusterError, UsageError):
        return None


def _as_it_is(loaded: "Loaded", store: "ObjectStore", run: "RunRecord") -> "RunRecord":
    """Tell of a run that is under way, by its record, what the cluster knows of it, or that it was not asked."""
    from ctiforge.launcher.kubernetes.connecting import connect
    from ctiforge.launcher.kubernetes.refusals import ClusterError
    from ctiforge.launcher.kubernetes.standing import as_the_cluster_has_it, ask
    from ctiforge.store.launcher_note import is_of_a_machine, launchers_alive

    settings, now = loaded.settings, datetime.now(UTC)
    # a launcher that the cluster refused, or did not answer, leaves its stage's Job behind
    failed_alone = run.state == "failed" and any(each.state == "interrupted" for each in run.stages)
    # and a cancelled one the Job that the cluster did not let it delete
    if not (failed_alone or run.state in ("running", "interrupted", "cancelled")) or is_of_a_machine(store, run.id):
        return run
    if settings.backend == "local":
        is_known = run.state != "running" or launchers_alive(store, now, run.id)
        return run if is_known else run.model_copy(update={"reason": NOT_ASKED})
    try:
        cluster = connect(settings.context, settings.namespace)
        return as_the_cluster_has_it(run, ask(cluster, store, settings.release, run.id, run, now))
    except (ClusterError, UsageError) as error:
        if run.state == "cancelled":
            return run
        return run.model_copy(update={"reason": f"the cluster was not asked whether it goes on: {error}"})
