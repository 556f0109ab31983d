"""What a report shows: sections of tables, pictures and passages, in plain records that know nothing of HTML."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Tone = Literal["good", "bad", "unsure", "plain"]


@dataclass(frozen=True)
class Mark:
    """A judgement: never by color alone, so it has a symbol and a word too."""

    tone: Tone
    symbol: str
    word: str


@dataclass(frozen=True)
class IntervalPlot:
    """A dot with its whisker; positions in percent of the plot's width."""

    says: str
    """The same in words."""
    value: float
    low: float | None = None
    high: float | None = None
    zero: float | None = None
    """Where a line marks no difference."""
    bar: bool = False
    """Drawn as a bar from the left, instead of a dot."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str = ""
    below: str = ""
    """A second, smaller line."""
    mark: Mark | None = None
    plot: IntervalPlot | None = None
    shade: int | None = None
    """0 (none) to 5 (all of the row), of a cell that is one of a row's shares."""
    strong: bool = False
    code: bool = False


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    title: str
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows under heads; the first cell of a row names it."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    is_folded: bool = False
    """Shown when it is asked for."""


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
