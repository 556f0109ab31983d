"""The record of a run: which stages it had, what came of each, and where that lies."""

import secrets
from datetime import UTC, datetime

from ctiforge.errors import StoreError, UsageError
from ctiforge.records.base import SchemaError
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.store.objects import ObjectStore
from ctiforge.store.reading import read_record


def new_run_id(line: str) -> str:
    """Give the id of a run that starts now; ids sort by time, and are names that Kubernetes allows."""
    return f"{line}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def new_run(line: str, stages: list[StageRecord], run_id: str | None = None) -> RunRecord:
    """Give a run that starts now."""
    return RunRecord(id=run_id or new_run_id(line), line=line, started_at=datetime.now(UTC), stages=stages)


def save_run(store: ObjectStore, run: RunRecord) -> None:
    """Write the record as it stands."""
    store.write(_key(run.id), run.to_json().encode())


def load_run(store: ObjectStore, run_id: str | None = None) -> RunRecord:
    """Give the run with this id, or whose id alone begins so; None: the newest. UsageError when there is none."""
    ids = run_ids(store)
    matching = [each for each in ids if each == run_id] or [each for each in ids if each.startswith(run_id or "")]
    if not matching:
        raise UsageError(f"{store.uri}: there is no run {run_id}" if run_id else f"{store.uri}: there are no runs yet")
    if run_id and len(matching) > 1:
        raise UsageError(f"{run_id} may mean {', '.join(matching[:5])}; give more of it")
    return read_record(store, _key(matching[0]), RunRecord, "delete it")


def note_cancelled(store: ObjectStore, run_id: str) -> None:
    """Write into the run's record, where there is one, that it was cancelled."""
    if not store.exists(_key(run_id)):
        return
    run = load_run(store, run_id)
    run.state, run.ended_at = "cancelled", datetime.now(UTC)
    for stage in run.stages:
        if stage.state in ("running", "interrupted"):
            stage.state = "cancelled"
    save_run(store, run)


def run_ids(store: ObjectStore) -> list[str]:
    """Give the ids of all runs, the one that changed last first."""
    found = [info for info in store.list("runs") if info.key.endswith(f"/{RunRecord.NAME}")]
    return [info.key.split("/")[1] for info in sorted(found, key=lambda info: info.modified, reverse=True)]


def read_runs(store: ObjectStore) -> tuple[list[RunRecord], list[str]]:
    """All runs, and the ids of those whose record cannot be read, newest first."""
    runs, broken = [], []
    for run_id in run_ids(store):
        try:
            runs.append(load_run(store, run_id))
        except (StoreError, SchemaError):
            broken.append(run_id)
    return runs, broken


def _key(run_id: str) -> str:
    return f"runs/{run_id}/{RunRecord.NAME}"
