"""What the sources hand to the harvest: one article with all executions that read it."""

from dataclasses import dataclass, field

from ctiforge.data.generations import ReadResult


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the application's extraction over one article."""

    status: str
    finished_at: str
    """ISO 8601, or empty where nothing says."""
    outcome: ReadResult

    @property
    def rank(self) -> tuple[bool, int, str]:
        """The best execution of an article ranks highest: completed before others, most labeled types, newest."""
        return (self.status == "completed", len(self.outcome.labelled_types), self.finished_at)


@dataclass(slots=True)
class Article:
    """An article as its source holds it; `content` may be missing."""

    id: str
    url: str | None
    title: str
    content: str | None
    hunt_score: float | None
    executions: list[Execution] = field(default_factory=list)
