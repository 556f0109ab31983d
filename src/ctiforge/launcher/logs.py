"""What a run's programs said: live from pods that are there, else from the tails that the store keeps."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ctiforge.errors import UsageError
from ctiforge.launcher.backend import Said, read_event
from ctiforge.records.run import RunRecord
from ctiforge.settings import Loaded
from ctiforge.store.launcher_note import as_it_stands, is_of_a_machine
from ctiforge.store.objects import ObjectStore, open_to_look
from ctiforge.store.runs import find_run, load_run, run_ids

LOOK_EVERY_S = 2.0
"""How often the store is asked for what is new."""


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
        _say_log(name, lines, say)


def follow_logs(loaded: Loaded, run_id: str | None, stage: str | None, say: Callable[[str], None]) -> None:
    """Say what the run's programs said and go on to say, each line once, until the run ends; and how it ended.

    Of a run on this machine that is each stage's log when the stage has ended. UsageError when there is no such run.
    """
    if loaded.settings.backend == "local":
        store = open_to_look(loaded.settings.store, is_named=loaded.is_named("store"))
        _say_end(follow_saved(store, find_run(store, run_id), stage, say), say)
        return
    from ctiforge.launcher.kubernetes.following import Following
    from ctiforge.launcher.kubernetes.release import find_release
    from ctiforge.launcher.kubernetes.runs import RUNNER
    from ctiforge.launcher.kubernetes.standing import Living, as_the_cluster_has_it, launcher_without_record

    found = find_release(loaded)
    store = open_to_look(found.settings.store, is_named=loaded.is_named("store"))
    run_id = _known(store, run_id)
    following = Following(found.cluster, store, found.name, run_id, stage, say)
    live = following.pods()
    if not live and run_id not in run_ids(store) and (begins := launcher_without_record(found.cluster, run_id)):
        say(begins)
    for name, lines in saved_logs(store, run_id, stage):
        # a launcher repeats what its stages say
        if not _is_live(name, live) and (stage or _stage_of(name) != RUNNER):
            _say_log(name, lines, say)
    following.follow()
    if run := following.run:
        # it was followed for as long as anything of it lived
        _say_end(as_the_cluster_has_it(run, Living()) if run.state == "running" else run, say)
    elif not following.followed:
        raise UsageError(f"{store.uri}: there is no run {run_id}, and no launcher of it; see `ctiforge runs`")


def follow_saved(
    store: ObjectStore,
    run_id: str,
    stage: str | None,
    say: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> RunRecord:
    """Say what the store keeps of the run's logs, and what comes to that until the run ends; give back its end."""
    said: dict[str, list[str]] = {}
    is_told = False
    while True:
        # first the record: what was kept before the run ended is read
        run = as_it_stands(store, load_run(store, run_id))
        if not is_told and run.state == "running" and is_of_a_machine(store, run_id):
            is_told = True
            say("a stage's log is kept here when the stage ends; until then the run's own terminal shows it")
        for name, lines in saved_logs(store, run_id, stage):
            if new := lines_since(said.get(name, []), lines):
                _say_log(name, new, say)
            said[name] = lines
        if run.state != "running":
            return run
        wait(LOOK_EVERY_S)


def lines_since(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Give the lines that came to a log, of which the end alone is kept. Pure.

    Args:
        before: The log as it was read before.
        now: The log as it is; it may have lost lines at its beginning, and one at its end may have become longer.

    Returns:
        The lines that were not there; all, where nothing of it was.
    """
    kept, found = list(before[:-1]), list(now)
    lost = next(each for each in range(len(kept) + 1) if kept[each:] == found[: len(kept) - each])
    new = found[len(kept) - lost :]
    return new[1:] if before and new[:1] == [before[-1]] else new


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


def _say_log(name: str, lines: Iterable[str], say: Callable[[str], None]) -> None:
    say(f"--- {name}")
    for line in lines:
        if isinstance(read_event(line), Said):
            say(line)


def _say_end(run: RunRecord, say: Callable[[str], None]) -> None:
    say(f"--- run {run.id}: {run.state}" + (f": {run.reason}" if run.reason else ""))


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


def _is_live(name: str, pods: Iterable[str]) -> bool:
    return any(name.endswith(pod) for pod in pods)
