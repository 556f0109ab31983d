"""`run.json`: which stages a run had, what came of each, and where that lies."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict

from ctiforge.records.base import File, Record
from ctiforge.records.references import folder_in

State = Literal["waiting", "running", "done", "cached", "skipped", "failed", "interrupted", "cancelled"]


class Cause(Record):
    """Why a stage ended badly, or did not start, as the cluster tells it."""

    category: str
    """A word for the kind of trouble."""
    summary: str
    """What happened, for people."""
    detail: str
    """The cluster's own words; "" where it has none."""
    remedy: str
    """What to do about it."""
    since: datetime | None = None
    """The cluster's own time of the sign."""
    told_at: datetime | None = None
    """When the launcher knew."""

    def lines(self) -> list[str]:
        """Lay it out for people, a line each: what happened, the cluster's words, what to do."""
        return [self.summary, *([f"the cluster says: {self.detail}"] if self.detail else []), f"to do: {self.remedy}"]


class StageRecord(Record):
    """One stage of a run."""

    model_config = ConfigDict(frozen=False)

    name: str
    """The stage's name in its line."""
    program: str
    """The module of `ctiforge.programs`."""
    state: State = "waiting"
    """Where it stands."""
    fingerprint: str | None = None
    """The artifact's fingerprint; None while nobody knows it."""
    artifact: str | None = None
    """The URI of the artifact's folder; None while there is none."""
    attempts: int = 0
    """How often its program was started."""
    interruptions: dict[str, int] = {}
    """How often its program was stopped and started again, by the category of the cause."""
    exit_code: int | None = None
    """Of its last attempt; None while it has not ended."""
    last_lines: list[str] = []
    """The last lines that its program wrote, where it failed or a gate was not passed."""
    cause: Cause | None = None
    """Why it ended badly, as the cluster tells it; None where nobody tells."""
    queued_s: float | None = None
    """Seconds that it waited for a place to run; None where nobody knows."""
    ran_s: float = 0.0
    """Seconds that its program ran in a cluster, all ended attempts together: they count towards the run's limit."""
    under_way_s: float = 0.0
    """The same of attempts that have not ended, as far as the launcher saw them when it last wrote this."""
    started_at: datetime | None = None
    """When its first attempt began, in UTC; None before that."""
    ended_at: datetime | None = None
    """When it ended, in UTC; None before that."""

    def references(self) -> frozenset[str]:
        """Name the folders of a store that it made, or is about to make.

        Returns:
            Keys of its artifact and of its checkpoints.
        """
        folder = folder_in(self.artifact) if self.artifact else None
        planned = {f"{kind}/{self.program}/{self.fingerprint}" for kind in ("artifacts", "checkpoints")}
        return frozenset([*(planned if self.fingerprint else ()), *([folder] if folder else ())])


class RunRecord(File):
    """One run of a line, kept as `runs/<id>/run.json`."""

    model_config = ConfigDict(frozen=False)

    NAME: ClassVar[str] = "run.json"
    # 2: a stage may have been skipped, which an older reader takes for damage
    SCHEMA: ClassVar[int] = 2

    id: str
    """The run's id."""
    line: str
    """The line's name."""
    state: State = "running"
    """Where it stands."""
    started_at: datetime
    """When it began, in UTC."""
    ended_at: datetime | None = None
    """When it ended, in UTC; None before that."""
    exit_code: int | None = None
    """That of the whole run; None while it has not ended."""
    reason: str | None = None
    """Why it ended other than well, in one line; None where it ended well, or has not ended."""
    stages: list[StageRecord]
    """Its stages, in the order of the line."""
    pinned: dict[str, str] = {}
    """Setting → the model of the Hub that it names, with the commit that all stages use: `org/name@commit`."""

    def references(self) -> frozenset[str]:
        """Name the folders of a store that its stages made, or are about to make.

        Returns:
            Keys of artifacts and checkpoints.
        """
        return frozenset().union(*(stage.references() for stage in self.stages))
