"""An evaluation as tables to read, and one article with what was found, missed and wrong side by side."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from ctiforge.records.answer import ChoiceQuality
from ctiforge.records.comparison import Change
from ctiforge.records.evaluation import (
    ArticleScore,
    Evaluation,
    MetricFigure,
    QualityRow,
    ScoredItem,
    TestSetInfo,
    Unit,
)
from ctiforge.tables import Cell, Mark, Table, Tone, print_tables, table_of

if TYPE_CHECKING:
    from rich.console import Console

ARROWS = {"higher": "↑", "lower": "↓", "none": " "}
TONES: dict[str, Tone] = {
    "better": "good",
    "likely better": "unsure",
    "no worse": "good",
    "no loss shown": "good",
    "likely worse": "unsure",
    "equivalent": "unsure",
    "underpowered": "unsure",
    "worse": "bad",
}
"""How a verdict of a comparison or of the gate sounds; others are plain."""
_OUTCOMES = ("found", "missed", "wrong")
_QUALITY = (
    *("items", "articles", "expected", "predicted", "found"),
    *("precision", "recall", "F1", "interval", "strict", "partial"),
)
"""One row a subset: F1 at the normalized tier, and at the strict and partial ones."""
_FIGURES = ("figure", "", "value", "interval", "beside", "articles")
"""One row a metric, with its direction and what it is to be read beside."""


def print_evaluation(evaluation: Evaluation, console: "Console") -> None:
    """Print the quality of every row and every other figure, with what they rest on.

    Args:
        evaluation: What is shown.
        console: A console of rich.
    """
    print_tables(_evaluation_parts(evaluation), console)


def article_view(article: ArticleScore) -> Iterator[Table | Cell]:
    """Lay out one article for reading: per type, what was found, missed and wrong side by side.

    Args:
        article: What was counted in it.

    Yields:
        Tables, and lines between them, for `print_tables`.
    """
    yield Cell(f"{article.id}  {article.title}", strong=True)
    if article.url:
        yield Cell(article.url)
    if article.error:
        yield Cell(mark=Mark("bad", "", f"failed: {article.error}"))
    for type_, counts in article.counts.items():
        items = [item for item in article.items if item.type == type_]
        title = f"{type_}: {counts.found} found, {counts.missed} missed, {counts.wrong} wrong"
        yield _side_by_side(title, items) if items else Cell(f"{type_}: none here, and none claimed")


def breaks_of(rows: Sequence[QualityRow | Change]) -> Iterator[int]:
    """Where another group of rows begins."""
    return (number for number in range(1, len(rows)) if rows[number].group != rows[number - 1].group)


def choice_words(choice: ChoiceQuality) -> str:
    """Say how well a model tells windows with an item from windows without.

    Args:
        choice: The figures.

    Returns:
        A sentence.
    """
    by_type = ", ".join(f"{name} {show(share)}" for name, share in choice.by_type.items())
    return (
        f"Telling windows with an item from windows without: AUC {show(choice.auc)} "
        f"({choice.with_item} of {choice.windows} windows have one; 0.5 is chance){f'; {by_type}' if by_type else ''}."
    )


def show(value: float | None, unit: Unit = "share") -> str:
    """Write a figure for people.

    Args:
        value: The figure; None where there is none.
        unit: What it counts.

    Returns:
        Three decimals of a share, three digits or more of a number, or `n/a`.
    """
    if value is None:
        return "n/a"
    return f"{value:.3f}" if unit == "share" else f"{value:.4g}"


def show_interval(low: float | None, high: float | None, unit: Unit = "share") -> str:
    """Write an interval for people.

    Args:
        low: Its lower end; None where there is no interval.
        high: Its upper end.
        unit: What its ends count.

    Returns:
        `low … high`, or a dash.
    """
    return "–" if low is None or high is None else f"{show(low, unit)} … {show(high, unit)}"


def scored_words(test_set: TestSetInfo) -> str:
    """Say how many articles were scored.

    Args:
        test_set: What a model was evaluated on.

    Returns:
        Their number; of a sample with what it was drawn from.
    """
    drawn = f" of {test_set.drawn_from:,}" if test_set.drawn_from else ""
    return f"{test_set.articles:,}{drawn} articles scored"


def _evaluation_parts(evaluation: Evaluation) -> Iterator[Table | Cell]:
    test_set = evaluation.test_set
    yield Cell(
        f"{evaluation.model.name} ({evaluation.model.version}) on {test_set.name} {test_set.version}: "
        f"{scored_words(test_set)}, {test_set.unlabelled} with nothing labeled left out"
    )
    for reason, count in evaluation.failed.items():
        yield Cell(f"{count} failed: {reason}")
    yield table_of(_QUALITY, map(_quality_cells, evaluation.rows), breaks=breaks_of(evaluation.rows))
    yield table_of(_FIGURES, map(_figure_cells, evaluation.metrics.values()))
    if evaluation.choice:
        yield Cell(choice_words(evaluation.choice))
    yield Cell(
        f"Intervals: {evaluation.intervals.level:.0%}, {evaluation.intervals.method}; "
        f"none below {evaluation.intervals.least_articles} positive articles (counts only)."
    )


def _side_by_side(title: str, items: Sequence[ScoredItem]) -> Table:
    columns = [[_item_text(item) for item in items if item.outcome == outcome] for outcome in _OUTCOMES]
    rows = zip_longest(*columns, fillvalue="")
    return table_of(_OUTCOMES, rows, caption=title, left=range(len(_OUTCOMES)), look="even")


def _item_text(item: ScoredItem) -> str:
    if item.outcome == "found":
        return item.predicted or "" if item.exact else f"{item.predicted} (for {item.expected})"
    if item.outcome == "missed":
        return f"{item.expected} (in part: {item.near})" if item.near else item.expected or ""
    if item.grounding == "located":
        return item.predicted or ""
    nearest = f"; the article has: {item.nearest}" if item.nearest else ""
    return f"{item.predicted} ({item.grounding}{nearest})"


def _quality_cells(row: QualityRow) -> list[str]:
    counts = [str(number) for number in (row.articles, row.expected, row.predicted, row.found)]
    shares = [show(row.precision), show(row.recall), show(row.f1)]
    return [
        row.label,
        *counts,
        *shares,
        show_interval(row.low, row.high),
        show(row.f1_strict),
        show(row.f1_partial),
    ]


def _figure_cells(metric: MetricFigure) -> list[str]:
    beside = f"{metric.beside_label} {show(metric.beside, metric.unit)}" if metric.beside is not None else ""
    interval = show_interval(metric.low, metric.high, metric.unit)
    value = show(metric.value, metric.unit)
    return [metric.label, ARROWS[metric.direction], value, interval, beside, str(metric.support)]
