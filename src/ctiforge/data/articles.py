"""What the sources hand to the harvest: one article with all executions that read it."""

from dataclasses import dataclass, field

from ctiforge.data.generations import ReadResult


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the application's extraction over one article."""

    status: str
    """The application's word for how it ended: `completed`, or another one."""
    finished_at: str
    """ISO 8601, or empty where nothing says."""
    outcome: ReadResult
    """What the execution found."""

    @property
    def rank(self) -> tuple[bool, int, str]:
        """Rank an article's executions, the best highest: completed first, then most labeled types, then newest."""
        return (self.status == "completed", len(self.outcome.labelled_types), self.finished_at)


@dataclass(slots=True)
class Article:
    """An article as its source holds it."""

    id: str
    """The source's own number, or name in files."""
    url: str | None
    """The page's address; None where the source has none."""
    title: str
    """"" where the source has none."""
    content: str | None
    """The text; None where the source has none, as in some result files."""
    hunt_score: float | None
    """The application's threat_hunting_score; None where there is none, or no number."""
    executions: list[Execution] = field(default_factory=list)
    """Every execution over the article that was asked for; empty where none was."""
