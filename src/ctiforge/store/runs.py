"""The record of a run: which stages it had, what came of each, and where that lies."""

import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from ctiforge.errors import StoreError, UsageError
from ctiforge.records.base import SchemaError
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.store.objects import ObjectInfo, ObjectStore
from ctiforge.store.reading import read_each, read_record


def new_run_id(line: str) -> str:
    """Make the id of a run that starts now; ids of one line sort by time, and are names that Kubernetes allows.

    Args:
        line: The line's name, like `extract`.

    Returns:
        `<line>-<date>-<time>-<4 random hex digits>`, in UTC.
    """
    return f"{line}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def new_run(line: str, stages: list[StageRecord], run_id: str | None = None) -> RunRecord:
    """Make the record of a run that starts now; nothing is written.

    Args:
        line: The line's name.
        stages: The records of its stages, in order.
        run_id: The run's id; None: a new one.

    Returns:
        The record.
    """
    return RunRecord(id=run_id or new_run_id(line), line=line, started_at=datetime.now(UTC), stages=stages)


def save_run(store: ObjectStore, run: RunRecord) -> None:
    """Write a run's record as it stands, over the one before.

    Args:
        store: The store that keeps the run.
        run: The record.
    """
    store.write(_key(run.id), run.to_json().encode())


def load_run(store: ObjectStore, run_id: str | None = None) -> RunRecord:
    """Read the record of a run.

    Args:
        store: The store that keeps the run.
        run_id: The run's id, or a beginning that only one id has; None: the run that changed last.

    Returns:
        The record.

    Raises:
        UsageError: There is no such run, or the beginning fits several.
        SchemaError: Another ctiforge wrote the record, which this one cannot read.
        StoreError: The record is damaged, or the store does not answer.
    """
    if run_id and "/" not in run_id:
        # a whole id needs no list of all runs
        with suppress(FileNotFoundError):
            return read_record(store, _key(run_id), RunRecord, "delete it")
    # whoever asked for no run in particular can do with another
    remedy = "delete it" if run_id else "delete it, or name another run (`ctiforge runs` lists them)"
    return read_record(store, _key(find_run(store, run_id)), RunRecord, remedy)


def find_run(store: ObjectStore, run_id: str | None = None) -> str:
    """Find a run by its name alone, whatever its record holds.

    Args:
        store: The store that keeps the run.
        run_id: The run's id, or a beginning that only one id has; None: the run that changed last.

    Returns:
        The run's id.

    Raises:
        UsageError: There is no such run, or the beginning fits several.
        StoreError: The store does not answer.
    """
    ids = run_ids(store)
    matching = [each for each in ids if each == run_id] or [each for each in ids if each.startswith(run_id or "")]
    if not matching:
        raise UsageError(
            f"{store.uri}: there is no run {run_id}; see `ctiforge runs`"
            if run_id
            else f"{store.uri}: there are no runs yet"
        )
    if run_id and len(matching) > 1:
        raise UsageError(f"{run_id} may mean {', '.join(matching[:5])}; give more of it")
    return matching[0]


def note_cancelled(store: ObjectStore, run_id: str) -> None:
    """Write into a run's record that it was cancelled; nothing happens where it has no record.

    Args:
        store: The store that keeps the run.
        run_id: The run's id.
    """
    if not store.exists(_key(run_id)):
        return
    run = load_run(store, run_id)
    run.state, run.ended_at = "cancelled", datetime.now(UTC)
    run.reason = "it was cancelled; the same command starts it again"
    for stage in run.stages:
        if stage.state in ("running", "interrupted"):
            # that its Job is gone needs no other reason
            stage.state, stage.cause = "cancelled", None
    save_run(store, run)


def is_cancelled(store: ObjectStore, run_id: str) -> bool:
    """Tell whether the run's record says that it was cancelled.

    Args:
        store: The store that keeps the run.
        run_id: The run's id.

    Returns:
        False also where there is no record.
    """
    try:
        return read_record(store, _key(run_id), RunRecord, "delete it").state == "cancelled"
    except FileNotFoundError:
        return False


def run_ids(store: ObjectStore) -> list[str]:
    """List the ids of all runs.

    Args:
        store: The store that keeps the runs.

    Returns:
        The ids, the run that changed last first.
    """
    return ids_in(store.list("runs"))


def ids_in(objects: Iterable[ObjectInfo]) -> list[str]:
    """Pick the ids of runs out of what was listed of a store; the run that changed last comes first."""
    found = [info for info in objects if info.key.startswith("runs/") and info.key.endswith(f"/{RunRecord.NAME}")]
    return [info.key.split("/")[1] for info in sorted(found, key=lambda info: info.modified, reverse=True)]


def read_runs(store: ObjectStore, ids: Sequence[str] | None = None) -> tuple[list[RunRecord], list[str]]:
    """Read runs, each record once.

    Args:
        store: The store that keeps them.
        ids: Which runs, as they were listed; None: all.

    Returns:
        The runs, in the order of `ids` or newest first, and the ids of those whose record cannot be read.
    """
    ids = run_ids(store) if ids is None else ids
    runs, broken = [], []
    for run_id, found in zip(ids, read_each(lambda run_id: _read(store, run_id), ids), strict=True):
        if isinstance(found, RunRecord):
            runs.append(found)
        elif not isinstance(found, FileNotFoundError):
            # else it was deleted since it was listed
            broken.append(run_id)
    return runs, broken


def _read(store: ObjectStore, run_id: str) -> RunRecord | Exception:
    try:
        return read_record(store, _key(run_id), RunRecord, "delete it")
    except (FileNotFoundError, StoreError, SchemaError) as error:
        return error


def _key(run_id: str) -> str:
    return f"runs/{run_id}/{RunRecord.NAME}"
