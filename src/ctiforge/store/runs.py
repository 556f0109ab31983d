"""The record of a run: which stages it had, what came of each, and where that lies."""

import secrets
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ValidationError

from ctiforge.errors import StoreError, UsageError
from ctiforge.store.objects import ObjectStore

State = Literal["waiting", "running", "done", "cached", "failed", "interrupted"]


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


def new_run(line: str, stages: list[StageRecord]) -> RunRecord:
    """A run that starts now; ids sort by time."""
    now = datetime.now(UTC)
    return RunRecord(id=f"{line}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}", line=line, started_at=now, stages=stages)


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


def run_ids(store: ObjectStore) -> list[str]:
    """The ids of all runs, newest first."""
    ids = [info.key.split("/")[1] for info in store.list("runs") if info.key.endswith("/run.json")]
    return sorted(ids, key=lambda each: each.split("-")[-3:], reverse=True)


def _key(run_id: str) -> str:
    return f"runs/{run_id}/run.json"
