"""Which launcher drives a run: one that was killed writes no end into the run's record."""

import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from ctiforge.errors import StoreError
from ctiforge.records.run import RunRecord
from ctiforge.store.objects import ObjectInfo, ObjectStore

BEAT_EVERY_S = 30.0
"""How often a launcher that may be anywhere writes its note anew."""
STALE_AFTER = timedelta(minutes=5)
"""A note that is older is that of a launcher that has gone, or sleeps: ten beats."""
LAST_BEAT_WITHIN_S = 5.0
FOLDER = "launchers"


@dataclass(frozen=True)
class Launched:
    """A launcher that lives, as its note has it."""

    run: str
    release: str
    """The release of the chart that it makes Jobs from."""


def note_launcher(store: ObjectStore, run_id: str) -> None:
    """Note that this process launches the run.

    Args:
        store: The store that keeps the run.
        run_id: The run's id.
    """
    store.write(_key(run_id), json.dumps(_described(os.getpid())).encode())


@contextmanager
def heard_of(store: ObjectStore, run_id: str, release: str) -> Iterator[None]:
    """Let others know, whatever machine they are on, that a launcher of this run lives: until the block ends.

    A store that is away meanwhile disturbs nothing: the next beat writes again.

    Args:
        store: The store that keeps the run.
        run_id: The run's id.
        release: The release of the chart that the launcher makes Jobs from.

    Yields:
        Nothing.
    """
    # several launchers may drive one run: each has a note of its own
    key = f"runs/{run_id}/{FOLDER}/{secrets.token_hex(4)}.json"
    note = json.dumps(_described(os.getpid()) | {"release": release}).encode()
    store.write(key, note)
    # what is gone on with in a cluster is no machine's any more
    store.delete(_key(run_id))
    over = Event()

    def beat() -> None:
        while not over.wait(BEAT_EVERY_S):
            with suppress(StoreError, OSError):
                store.write(key, note)

    beating = Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join(LAST_BEAT_WITHIN_S)
        with suppress(StoreError, OSError):
            store.delete(key)


def launchers_alive(store: ObjectStore, now: datetime, run_id: str | None = None) -> list[Launched]:
    """Tell which launchers of a cluster's runs live.

    One of this machine lives as long as its process does; another as long as its note is no older than `STALE_AFTER`.

    Args:
        store: The store that keeps the runs.
        now: The present moment, by the store's clock where that is known.
        run_id: Only the launchers of this run; None: of all runs.

    Returns:
        Those that live.
    """
    infos = store.list(f"runs/{run_id}" if run_id else "runs")
    found = [info for info in infos if info.key.count("/") == 3 and info.key.split("/")[2] == FOLDER]
    return [alive for info in found if (alive := _alive(store, info, now))]


def as_it_stands(store: ObjectStore, run: RunRecord) -> RunRecord:
    """Tell of a run that its record says is running whether its launcher has gone.

    Args:
        store: The store that keeps the run.
        run: The run as its record has it.

    Returns:
        The run as interrupted where that is sure: it was launched on this machine since the machine started, and no
        such process lives. Else the run as it is: one that ended, of another machine, or of a cluster.
    """
    if run.state != "running" or not _is_gone_here(store, run.id):
        return run
    return interrupted(run, "its launcher is gone, without a word; the same command goes on from here")


def interrupted(run: RunRecord, reason: str) -> RunRecord:
    """Give the run as one whose launcher has gone.

    Args:
        run: The run, which its record says is running.
        reason: Why it is taken to be interrupted, in one line.

    Returns:
        Another record of it.
    """
    stages = [
        each.model_copy(update={"state": "interrupted"}) if each.state == "running" else each for each in run.stages
    ]
    return run.model_copy(update={"state": "interrupted", "reason": reason, "stages": stages})


def is_of_a_machine(store: ObjectStore, run_id: str) -> bool:
    """Tell whether the run was launched to run on one machine, this or another one, and not in a cluster.

    Args:
        store: The store that keeps the run.
        run_id: The run's id.

    Returns:
        Whether it was.
    """
    return store.exists(_key(run_id))


def _is_gone_here(store: ObjectStore, run_id: str) -> bool:
    """Whether the process of this machine that launched the run has gone; False also where nobody can tell."""
    try:
        return _is_gone(json.loads(store.read(_key(run_id)))) is True
    except (OSError, ValueError):
        return False


def _alive(store: ObjectStore, info: ObjectInfo, now: datetime) -> Launched | None:
    try:
        noted = json.loads(store.read(info.key))
        launched = Launched(info.key.split("/")[1], str(noted["release"]))
    except (OSError, ValueError, LookupError, TypeError):
        # it left since it was listed
        return None
    gone = _is_gone(noted)
    if gone is None:
        gone = now - info.modified > STALE_AFTER
    return None if gone else launched


def _is_gone(noted: object) -> bool | None:
    """Whether the process of a note has gone; None where it is of another place, or nobody can tell."""
    match noted:
        case {"place": place, "pid": int(pid), "begun": str(begun)} if place == _place():
            return _begun(pid) != begun
    return None


def _key(run_id: str) -> str:
    return f"runs/{run_id}/launcher.json"


def _described(pid: int) -> dict[str, object]:
    return {"place": _place(), "pid": pid, "begun": _begun(pid)}


def _place() -> list[str]:
    """Name the machine since it started, and the container: only there a process has its number."""
    found = [socket.gethostname()]
    with suppress(OSError):
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        found.append(os.readlink("/proc/self/ns/pid"))
    return found


def _begun(pid: int) -> str | None:
    """When the process began, as numbers are used again; None where it has ended, or where nobody can tell (macOS)."""
    try:
        # the name, in brackets, may hold anything
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in ("Z", "X") else rest[18]
