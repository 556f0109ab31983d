"""Evaluations and comparisons of classifiers as tables to read, as Markdown, and as a picture of the confusion."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ctiforge import tables
from ctiforge.evaluation.tables.evaluation import show, show_interval
from ctiforge.lines.line import MARGIN
from ctiforge.plots import drawing
from ctiforge.records.classification import ClassFigures, ClassifierEvaluation, ClassifierRow
from ctiforge.records.comparison import ClassifierComparison, ComparedRow
from ctiforge.records.evaluation import Intervals, MetricFigure
from ctiforge.tables import Cell, Mark, Table, table_of

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = ("classifier", "{measure}", "interval", "macro-F1", "interval", "weighted F1", "s/article", "MB")
_CLASS_COLUMNS = ("class", "articles", "predicted", "precision", "recall", "F1", "interval")
_AGAINST = ("macro-F1 +", "interval", "verdict")


def print_classifier_evaluation(evaluation: ClassifierEvaluation, console: "Console") -> None:
    """Print every row, then the classes and the confusion of the model.

    Args:
        evaluation: What is shown.
        console: A console of rich.
    """
    tables.print_tables(_evaluation_parts(evaluation), console)


def print_classifier_comparison(comparison: ClassifierComparison, console: "Console") -> None:
    """Print one table: every row, and what the model has over it.

    Args:
        comparison: What is shown.
        console: A console of rich.
    """
    tables.print_tables(_comparison_parts(comparison), console)


def plain_text(comparison: ClassifierComparison) -> str:
    """Give the table as a terminal of 180 columns without colors shows it."""
    return tables.plain_text(_comparison_parts(comparison), width=180)


def markdown(comparison: ClassifierComparison) -> str:
    """Give the same as Markdown."""
    return tables.markdown(_comparison_parts(comparison)) + "\n"


def plot_confusion(evaluation: ClassifierEvaluation, path: Path) -> None:
    """Draw the model's confusion as a PNG: true classes down, predicted ones across, counts in the cells.

    Args:
        evaluation: Whose confusion is drawn.
        path: The file to write.
    """
    counts, labels = evaluation.result.confusion, evaluation.labels
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    title = f"{evaluation.model.name} on {evaluation.test_set.name}"
    truth = "true" if evaluation.measure == "accuracy" else "labeled"
    with drawing(path, title, across="predicted", up=truth, size=(6, 5), has_grid=False) as axes:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        for row, each in enumerate(counts):
            for column, count in enumerate(each):
                color = "w" if shares[row][column] > 0.5 else "k"
                axes.text(column, row, str(count), ha="center", va="center", color=color)


def _evaluation_parts(evaluation: ClassifierEvaluation) -> Iterator[Table | Cell]:
    test_set = evaluation.test_set
    yield Cell(
        f"{evaluation.model.name} ({evaluation.model.version}) on {test_set.name} {test_set.version}: "
        f"{test_set.articles} articles, {test_set.unlabelled} without a label left out"
    )
    if evaluation.measure == "agreement":
        warning = "These labels come from the labeler that the model was trained on: agreement, not accuracy."
        yield Cell(mark=Mark("unsure", "", warning))
    for row in evaluation.rows:
        for reason, count in row.failed.items():
            yield Cell(f"{count} failed for {row.name}: {reason}")
    yield table_of(_head(evaluation.measure), map(_cells, evaluation.rows))
    yield table_of(_CLASS_COLUMNS, map(_class_cells, evaluation.result.classes))
    counts = zip(evaluation.labels, evaluation.result.confusion, strict=True)
    yield table_of(("true \\ predicted", *evaluation.labels), ((label, *row) for label, row in counts))
    yield Cell(_footnote(evaluation.intervals))


def _comparison_parts(comparison: ClassifierComparison) -> Iterator[Table | Cell]:
    head = [*_head(comparison.measure), *_AGAINST]
    yield table_of(head, map(_compared_cells, comparison.rows), caption=_heading(comparison))
    yield Cell(_comparison_footnote(comparison))


def _head(measure: str) -> list[str]:
    return [name.format(measure=measure) for name in _COLUMNS]


def _cells(row: ClassifierRow) -> list[str]:
    metrics = row.metrics
    return [
        row.name,
        *_with_interval(metrics["accuracy"]),
        *_with_interval(metrics["macro_f1"]),
        show(metrics["weighted_f1"].value),
        f"{row.latency_s.median:.3f}" if row.latency_s else "–",
        f"{row.size_bytes / 1e6:.1f}" if row.size_bytes else "–",
    ]


def _with_interval(metric: MetricFigure) -> list[str]:
    return [show(metric.value), show_interval(metric.low, metric.high)]


def _class_cells(each: ClassFigures) -> list[object]:
    shares = [show(each.precision), show(each.recall), show(each.f1)]
    return [each.label, each.support, each.predicted, *shares, show_interval(each.low, each.high)]


def _compared_cells(compared: ComparedRow) -> list[str]:
    difference = compared.differences.get("macro_f1")
    if difference is None:
        return [*_cells(compared.row), "", "", ""]
    interval = show_interval(difference.low, difference.high)
    return [*_cells(compared.row), f"{difference.value:+.3f}", interval, difference.verdict]


def _heading(comparison: ClassifierComparison) -> str:
    return f"{comparison.model} beside the others on {comparison.test_set.name} {comparison.test_set.version}"


def _comparison_footnote(comparison: ClassifierComparison) -> str:
    return (
        f"{comparison.test_set.articles} articles. + is what {comparison.model} has over the row, with its paired "
        f"interval and whether that is good for {comparison.model}. "
        f"{_footnote(comparison.intervals)} Underpowered: an interval around 0 wider than "
        f"±{MARGIN:g}: neither a win nor a loss."
    )


def _footnote(intervals: Intervals) -> str:
    return (
        f"Intervals: {intervals.level:.0%}, {intervals.method}; none below {intervals.least_articles} articles. "
        "Seconds: median of one article at a time, on this machine."
    )
