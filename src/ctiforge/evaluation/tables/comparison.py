"""A comparison as tables to read on a terminal and as Markdown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ctiforge import tables
from ctiforge.evaluation.tables.evaluation import TONES, breaks_of, show, show_interval
from ctiforge.lines.line import MARGIN
from ctiforge.records.comparison import Change, Comparison, Contender
from ctiforge.tables import Cell, Mark, Table, table_of

if TYPE_CHECKING:
    from rich.console import Console

_HEADINGS = ("", "before", "after", "difference", "interval", "articles", "verdict")


def print_comparison(comparison: Comparison, console: "Console") -> None:
    """One table a contender: before, after, paired interval of the difference, verdict."""
    tables.print_tables(_parts(comparison), console)


def plain_text(comparison: Comparison) -> str:
    """Give the tables as a terminal of 140 columns without colors shows them."""
    return tables.plain_text(_parts(comparison), width=140)


def markdown(comparison: Comparison) -> str:
    """Give the same as Markdown."""
    return tables.markdown(_parts(comparison)) + "\n"


def _parts(comparison: Comparison) -> Iterator[Table | Cell]:
    for contender in comparison.contenders:
        yield table_of(
            _HEADINGS,
            map(_cells, contender.changes),
            caption=_heading(comparison, contender),
            left=(0, -1),
            breaks=breaks_of(contender.changes),
        )
    yield Cell(_footnote(comparison))


def _heading(comparison: Comparison, contender: Contender) -> str:
    """Who against whom, on what."""
    return (
        f"{comparison.baseline.name} (before) against {contender.model.name} (after) "
        f"on {comparison.test_set.name} {comparison.test_set.version}{_sampled(comparison, contender)}"
    )


def _sampled(comparison: Comparison, contender: Contender) -> str:
    return f", {contender.articles} of {comparison.test_set.whole} articles" if contender.articles else ""


def _footnote(comparison: Comparison) -> str:
    """Give what the columns mean."""
    intervals = comparison.intervals
    return (
        f"Rows named after items show micro-F1. The row with a star is what a model is judged by; all others are "
        f"exploratory, their verdicts hold for all of them together (Holm). Intervals: {intervals.level:.0%} of the "
        f"paired difference alone, {intervals.method}; none below {intervals.least_articles} articles. The arrow says "
        f"where a figure moved, the word whether that is good. Underpowered: too few articles, or an interval wider "
        f"than ±{MARGIN:g} and no verdict: neither a win nor a loss."
    )


def _cells(change: Change) -> list[object]:
    label = f"F1, {change.label}" if change.group != "figure" else change.label
    label += " *" if change.primary else ""
    sides = [show(change.before, change.unit), show(change.after, change.unit)]
    difference = "n/a" if change.difference is None else _signed(change)
    interval = show_interval(change.low, change.high, change.unit)
    verdict = Cell(mark=Mark(TONES.get(change.verdict, "plain"), _arrow(change), change.verdict))
    return [label, *sides, difference, interval, change.articles, verdict]


def _signed(change: Change) -> str:
    text = show(change.difference, change.unit)
    return text if text.startswith("-") else f"+{text}"


def _arrow(change: Change) -> str:
    """Where the figure moved; nothing is said by an arrow that the data cannot carry."""
    if change.verdict not in ("better", "worse", "changed"):
        return "·"
    return "↑" if (change.difference or 0) > 0 else "↓"
