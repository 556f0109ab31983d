"""What a report shows: sections of tables, pictures and passages, in plain records that know nothing of HTML."""

from dataclasses import dataclass
from typing import ClassVar

from ctiforge.tables import Mark, Table, Tone


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    kind: ClassVar[str] = "facts"
    title: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Note:
    """Sentences; a warning or a refusal has a tone."""

    kind: ClassVar[str] = "note"
    lines: tuple[str, ...]
    tone: Tone = "plain"


@dataclass(frozen=True)
class Tick:
    """A line of a chart's grid."""

    at: float
    text: str


@dataclass(frozen=True)
class Series:
    """A line of a chart, in the units of the drawing."""

    label: str
    points: tuple[tuple[float, float], ...]
    has_dots: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines over steps, in a drawing of `width` by `height` units."""

    kind: ClassVar[str] = "chart"
    title: str
    says: str
    """The picture in words."""
    width: float
    height: float
    frame: tuple[float, float, float, float]
    """Left, top, right and bottom of the plotting area."""
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    across_title: str
    up_title: str
    series: tuple[Series, ...]
    marked: tuple[float, float] | None = None
    marked_text: str = ""


@dataclass(frozen=True)
class Piece:
    """A stretch of an article."""

    text: str
    is_marked: bool = False


@dataclass(frozen=True)
class ShownPassage:
    """Part of an article with what it is shown for."""

    pieces: tuple[Piece, ...]
    title: str = ""


@dataclass(frozen=True)
class Finding:
    """One error: what it is about, where it is, and what the article says there."""

    value: str
    mark: Mark
    article: str
    remarks: tuple[str, ...] = ()
    passages: tuple[ShownPassage, ...] = ()


@dataclass(frozen=True)
class FindingGroup:
    """Errors of one kind; those beyond the limit are only counted."""

    title: str
    counts: str
    findings: tuple[Finding, ...]
    more: int = 0


@dataclass(frozen=True)
class Findings:
    """Errors with the text around them, to be searched and folded."""

    kind: ClassVar[str] = "findings"
    groups: tuple[FindingGroup, ...]
    words: tuple[str, ...]
    """The words of the marks, to choose from."""


Block = Table | Facts | Note | Chart | Findings


@dataclass(frozen=True)
class Section:
    """A chapter; `lead` says in a sentence what it shows."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Verdict:
    """The first thing that is read."""

    mark: Mark
    sentence: str
    details: tuple[str, ...] = ()
    numbers: tuple[tuple[str, str], ...] = ()
    """The primary figure and its gain: what each is, and its value."""
    gate: Mark | None = None
    gate_lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Stages without a result, and why."""


@dataclass(frozen=True)
class Report:
    """A whole report."""

    run: str
    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    verdict: Verdict
    sections: tuple[Section, ...] = ()
    made_by: str = ""
