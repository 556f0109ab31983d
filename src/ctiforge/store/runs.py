"""The record of a run: which stages it had, what came of each, and where that lies."""

import secrets
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ctiforge.errors import StoreError, UsageError
from ctiforge.store.objects import ObjectStore

State = Literal["waiting", "running", "done", "cached", "failed", "interrupted", "cancelled"]


class Cause(BaseModel):
    """Why a stage ended badly, or did not start, as the cluster tells it."""

    model_config = ConfigDict(frozen=True)

    category: str
    summary: str
    detail: str
    remedy: str
    since: datetime | None = None
    """The cluster's own time of the sign."""
    told_at: datetime | None = None
    """When the launcher knew."""

    def lines(self) -> list[str]:
        """For people."""
        return [self.summary, *([f"the cluster says: {self.detail}"] if self.detail else []), f"to do: {self.remedy}"]


class StageRecord(BaseModel):
    """One stage of a run."""

    name: str
    program: str
    state: State = "waiting"
    fingerprint: str | None = None
    artifact: str | None = None
    """The URI of the artifact's folder."""
    attempts: int = 0
    exit_code: int | None = None
    last_lines: list[str] = []
    cause: Cause | None = None
    queued_s: float | None = None
    """Seconds that it waited for a place to run."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class RunRecord(BaseModel):
    """One run of a line, kept as `runs/<id>/run.json`."""

    id: str
    line: str
    state: State = "running"
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    stages: list[StageRecord]


def new_run_id(line: str) -> str:
    """The id of a run that starts now; ids sort by time, and are names that Kubernetes allows."""
    return f"{line}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def new_run(line: str, stages: list[StageRecord], run_id: str | None = None) -> RunRecord:
    """A run that starts now."""
    return RunRecord(id=run_id or new_run_id(line), line=line, started_at=datetime.now(UTC), stages=stages)


def save_run(store: ObjectStore, run: RunRecord) -> None:
    """Write the record as it stands."""
    store.write(_key(run.id), run.model_dump_json(indent=1).encode())


def load_run(store: ObjectStore, run_id: str | None = None) -> RunRecord:
    """The run with this id, or whose id alone begins so; None: the newest. UsageError when there is none."""
    ids = run_ids(store)
    matching = [each for each in ids if each == run_id] or [each for each in ids if each.startswith(run_id or "")]
    if not matching:
        raise UsageError(f"{store.uri}: there is no run {run_id}" if run_id else f"{store.uri}: there are no runs yet")
    if run_id and len(matching) > 1:
        raise UsageError(f"{run_id} may mean {', '.join(matching[:5])}; give more of it")
    try:
        return RunRecord.model_validate_json(store.read(_key(matching[0])))
    except ValidationError:
        raise StoreError(f"{store.uri}/{_key(matching[0])} is damaged; delete it") from None


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
    """The ids of all runs, the one that changed last first."""
    found = [info for info in store.list("runs") if info.key.endswith("/run.json")]
    return [info.key.split("/")[1] for info in sorted(found, key=lambda info: info.modified, reverse=True)]


def read_runs(store: ObjectStore) -> tuple[list[RunRecord], list[str]]:
    """All runs, and the ids of those whose record cannot be read, newest first."""
    runs, broken = [], []
    for run_id in run_ids(store):
        try:
            runs.append(load_run(store, run_id))
        except StoreError:
            broken.append(run_id)
    return runs, broken


def _key(run_id: str) -> str:
    return f"runs/{run_id}/run.json"
