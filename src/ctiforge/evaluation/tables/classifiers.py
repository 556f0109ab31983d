"""Evaluations and comparisons of classifiers as tables to read, as Markdown, and as a picture of the confusion."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ctiforge.evaluation.tables.evaluation import show, show_interval
from ctiforge.lines.line import MARGIN
from ctiforge.records.classification import ClassifierEvaluation, ClassifierRow
from ctiforge.records.comparison import ClassifierComparison, ComparedRow
from ctiforge.records.evaluation import MetricFigure

_COLUMNS = ("classifier", "{measure}", "interval", "macro-F1", "interval", "weighted F1", "s/article", "MB")
_AGAINST = ("macro-F1 +", "interval", "verdict")


def print_classifier_evaluation(evaluation: ClassifierEvaluation, console: Console) -> None:
    """Every row, then the classes and the confusion of the model."""
    test_set = evaluation.test_set
    console.print(
        f"{evaluation.model.name} ({evaluation.model.version}) on {test_set.name} {test_set.version}: "
        f"{test_set.articles} articles, {test_set.unlabelled} without a label left out",
        markup=False,
        highlight=False,
    )
    if evaluation.measure == "agreement":
        console.print(
            "These labels come from the labeler that the model was trained on: agreement, not accuracy.",
            style="yellow",
        )
    console.print(_table([_head(evaluation.measure), *map(_cells, evaluation.rows)]))
    console.print(_table(_class_rows(evaluation.result)))
    console.print(_table(_confusion_rows(evaluation)))
    console.print(_footnote(evaluation.bootstrap.level, evaluation.bootstrap.least_articles), highlight=False)


def print_classifier_comparison(comparison: ClassifierComparison, console: Console) -> None:
    """One table: every row, and what the model has over it."""
    console.print(Text(_heading(comparison), style="bold"))
    console.print(_table([_compared_head(comparison), *(_compared_cells(each) for each in comparison.rows)]))
    console.print(Text(_comparison_footnote(comparison)))


def plain_text(comparison: ClassifierComparison) -> str:
    """Give the table as a terminal of 180 columns without colors shows it."""
    with StringIO() as file:
        print_classifier_comparison(comparison, Console(file=file, width=180, color_system=None))
        return file.getvalue()


def markdown(comparison: ClassifierComparison) -> str:
    """Give the same as Markdown."""
    head = _compared_head(comparison)
    rows = [_compared_cells(each) for each in comparison.rows]
    lines = [f"### {_heading(comparison)}", "", _line(head), "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *map(_line, rows), "", _comparison_footnote(comparison)]) + "\n"


def plot_confusion(evaluation: ClassifierEvaluation, path: Path) -> None:
    """Draw the model's confusion as a PNG: true classes down, predicted ones across, counts in the cells."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    counts, labels = evaluation.result.confusion, evaluation.labels
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    figure, axes = pyplot.subplots(figsize=(6, 5), dpi=120)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true" if evaluation.measure == "accuracy" else "labeled")
    axes.set_title(f"{evaluation.model.name} on {evaluation.test_set.name}")
    for row, each in enumerate(counts):
        for column, count in enumerate(each):
            axes.text(
                column, row, str(count), ha="center", va="center", color="w" if shares[row][column] > 0.5 else "k"
            )
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


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


def _class_rows(row: ClassifierRow) -> list[list[str]]:
    head = ["class", "articles", "predicted", "precision", "recall", "F1", "interval"]
    return [
        head,
        *(
            [
                each.label,
                str(each.support),
                str(each.predicted),
                show(each.precision),
                show(each.recall),
                show(each.f1),
                show_interval(each.low, each.high),
            ]
            for each in row.classes
        ),
    ]


def _confusion_rows(evaluation: ClassifierEvaluation) -> list[list[str]]:
    counts = zip(evaluation.labels, evaluation.result.confusion, strict=True)
    return [["true \\ predicted", *evaluation.labels], *([label, *map(str, row)] for label, row in counts)]


def _compared_head(comparison: ClassifierComparison) -> list[str]:
    return [*_head(comparison.measure), *_AGAINST]


def _compared_cells(compared: ComparedRow) -> list[str]:
    difference = compared.differences.get("macro_f1")
    if difference is None:
        return [*_cells(compared.row), "", "", ""]
    interval = show_interval(difference.low, difference.high)
    return [*_cells(compared.row), f"{difference.value:+.3f}", interval, difference.verdict]


def _heading(comparison: ClassifierComparison) -> str:
    return f"{comparison.model} beside the others on {comparison.test_set.name} {comparison.test_set.version}"


def _comparison_footnote(comparison: ClassifierComparison) -> str:
    bootstrap = comparison.bootstrap
    return (
        f"{comparison.test_set.articles} articles. + is what {comparison.model} has over the row, with its paired "
        f"interval and whether that is good for {comparison.model}. "
        f"{_footnote(bootstrap.level, bootstrap.least_articles)} Underpowered: an interval around 0 wider than "
        f"±{MARGIN:g}: neither a win nor a loss."
    )


def _footnote(level: float, least: int) -> str:
    return (
        f"Intervals: {level:.0%}, bootstrap over articles; none below {least} articles. Seconds: median of one article "
        "at a time, on this machine."
    )


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(rows[0]):
        table.add_column(Text(name), justify="left" if number == 0 else "right")
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
