"""What a run's programs said: live from pods that are there, else from the tails that the store keeps."""

from collections.abc import Callable, Iterator

from ctiforge.errors import UsageError
from ctiforge.launcher.backend import Said, read_event
from ctiforge.settings import Loaded
from ctiforge.store.objects import ObjectStore, open_to_look
from ctiforge.store.runs import find_run, run_ids


def print_logs(loaded: Loaded, run_id: str | None, stage: str | None, say: Callable[[str], None]) -> None:
    """Say every log of the run under a heading, progress left out. UsageError when there is none."""
    live: dict[str, Iterator[str]] = {}
    if loaded.settings.backend == "local":
        store = open_to_look(loaded.settings.store, is_named=loaded.is_named("store"))
        run_id = _known(store, run_id)
    else:
        from ctiforge.launcher.kubernetes.release import find_release
        from ctiforge.launcher.kubernetes.runs import live_logs

        found = find_release(loaded)
        store = open_to_look(found.settings.store, is_named=loaded.is_named("store"))
        run_id = _known(store, run_id)
        live = dict(live_logs(found.cluster, run_id, stage))
    saved = {name: lines for name, lines in saved_logs(store, run_id, stage) if not _is_live(name, live)}
    if not live and not saved:
        of_stage = f" of {stage}" if stage else ""
        if run_id not in run_ids(store):
            raise UsageError(f"{store.uri}: there is no run {run_id}, and no log of it{of_stage}; see `ctiforge runs`")
        raise UsageError(f"{run_id}: no log is kept{of_stage}; see `ctiforge status {run_id}`")
    for name, lines in [*saved.items(), *live.items()]:
        say(f"--- {name}")
        for line in lines:
            if isinstance(read_event(line), Said):
                say(line)


def saved_logs(store: ObjectStore, run_id: str, stage: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """(name, lines) of each log in the store, in order of time: a stage's as the launcher kept it, a pod's tail."""
    infos = sorted(store.list(f"runs/{run_id}"), key=lambda info: info.modified)
    tails = [info for info in infos if "/logs/" in info.key]
    stages_with_tail = {_stage_of(info.key) for info in tails}
    for info in infos:
        own = info.key.endswith(".log") and (info in tails or _stage_of(info.key) not in stages_with_tail)
        if own and stage in (None, _stage_of(info.key)):
            name = info.key.rpartition("/")[2].removesuffix(".log")
            yield name, store.read(info.key).decode(errors="replace").splitlines()


def _known(store: ObjectStore, run_id: str | None) -> str:
    try:
        return find_run(store, run_id)
    except UsageError:
        # a run whose launcher has not begun has pods but no record
        if run_id:
            return run_id
        raise


def _stage_of(key: str) -> str:
    """`runs/<run>/<stage>.log` or `runs/<run>/logs/<stage>-<attempt>-<pod>.log`: the stage, which has no dash."""
    return key.rpartition("/")[2].removesuffix(".log").partition("-")[0]


def _is_live(name: str, pods: dict[str, Iterator[str]]) -> bool:
    return any(name.endswith(pod) for pod in pods)
