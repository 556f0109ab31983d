"""Which process launches a run on this machine: one that was killed writes no end into the run's record."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from ctiforge.records.run import RunRecord
from ctiforge.store.objects import ObjectStore


def note_launcher(store: ObjectStore, run_id: str) -> None:
    """Note that this process launches the run.

    Args:
        store: The store that keeps the run.
        run_id: The run's id.
    """
    store.write(_key(run_id), json.dumps(_described(os.getpid())).encode())


def as_it_stands(store: ObjectStore, run: RunRecord) -> RunRecord:
    """Tell of a run that its record says is running whether its launcher has gone.

    Args:
        store: The store that keeps the run.
        run: The run as its record has it.

    Returns:
        The run as interrupted where that is sure: it was launched on this machine since the machine started, and no
        such process lives. Else the run as it is: one that ended, of another machine, or of a cluster.
    """
    if run.state != "running" or not _launcher_is_gone(store, run.id):
        return run
    stages = [
        each.model_copy(update={"state": "interrupted"}) if each.state == "running" else each for each in run.stages
    ]
    reason = "its launcher is gone, without a word; the same command goes on from here"
    return run.model_copy(update={"state": "interrupted", "reason": reason, "stages": stages})


def _launcher_is_gone(store: ObjectStore, run_id: str) -> bool:
    try:
        noted = json.loads(store.read(_key(run_id)))
        pid = int(noted["pid"])
        lived = noted["begun"] is not None and noted["place"] == _place()
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return lived and _described(pid) != noted


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
