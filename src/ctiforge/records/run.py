"""`run.json`: which stages a run had, what came of each, and where that lies."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict

from ctiforge.records.base import File, Record

State = Literal["waiting", "running", "done", "cached", "failed", "interrupted", "cancelled"]


class Cause(Record):
    """Why a stage ended badly, or did not start, as the cluster tells it."""

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


class StageRecord(Record):
    """One stage of a run."""

    model_config = ConfigDict(frozen=False)

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
    ran_s: float = 0.0
    """Seconds that its program ran in a cluster, all attempts together: they count towards the run's limit."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class RunRecord(File):
    """One run of a line, kept as `runs/<id>/run.json`."""

    model_config = ConfigDict(frozen=False)

    NAME: ClassVar[str] = "run.json"

    id: str
    line: str
    state: State = "running"
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    """Why it ended other than well, as it was printed; None where it ended well, or has not ended."""
    stages: list[StageRecord]
