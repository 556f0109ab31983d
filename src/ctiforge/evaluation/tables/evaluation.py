"""An evaluation as tables to read, and one article with what was found, missed and wrong side by side."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ctiforge.records.evaluation import ArticleScore, Evaluation, MetricFigure, QualityRow, ScoredItem, Unit

ARROWS = {"higher": "↑", "lower": "↓", "none": " "}
_OUTCOMES = ("found", "missed", "wrong")


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print the quality of every row and every other figure, with what they rest on."""
    test_set = evaluation.test_set
    console.print(
        f"{evaluation.model.name} ({evaluation.model.version}) on {test_set.name} {test_set.version}: "
        f"{len(evaluation.articles)} articles scored, {test_set.unlabelled} with nothing labeled left out",
        markup=False,
        highlight=False,
    )
    for reason, count in evaluation.failed.items():
        console.print(f"{count} failed: {reason}", markup=False, highlight=False)
    console.print(quality_table(evaluation))
    console.print(figures_table(evaluation))
    least = evaluation.bootstrap.least_articles
    console.print(
        f"Intervals: {evaluation.bootstrap.level:.0%}, bootstrap over articles; "
        f"none below {least} positive articles (counts only).",
        highlight=False,
    )


def quality_table(evaluation: Evaluation) -> Table:
    """One row a subset: counts, precision, recall and F1 at the normalized tier, and at the strict and partial ones."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("items")
    for name in (
        "articles",
        "expected",
        "predicted",
        "found",
        "precision",
        "recall",
        "F1",
        "interval",
        "strict",
        "partial",
    ):
        table.add_column(name, justify="right")
    group = evaluation.rows[0].group
    for row in evaluation.rows:
        if row.group != group:
            table.add_section()
            group = row.group
        table.add_row(*_quality_cells(row))
    return table


def figures_table(evaluation: Evaluation) -> Table:
    """Every metric with its direction, interval and what it is to be read beside."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("figure")
    for name in ("", "value", "interval", "beside", "articles"):
        table.add_column(name, justify="right")
    for metric in evaluation.metrics.values():
        table.add_row(metric.label, ARROWS[metric.direction], *_figure_cells(metric))
    return table


def show(value: float | None, unit: Unit = "share") -> str:
    """Give a figure in three decimals (shares) or three digits (numbers); n/a where there is none."""
    if value is None:
        return "n/a"
    return f"{value:.3f}" if unit == "share" else f"{value:.4g}"


def show_interval(low: float | None, high: float | None, unit: Unit = "share") -> str:
    """`low … high`, or a dash."""
    return "–" if low is None or high is None else f"{show(low, unit)} … {show(high, unit)}"


def article_view(article: ArticleScore) -> RenderableType:
    """One article for reading: per type, what was found, missed and wrong side by side."""
    parts: list[RenderableType] = [Text(f"{article.id}  {article.title}", style="bold")]
    if article.url:
        parts.append(Text(article.url))
    if article.error:
        parts.append(Text(f"failed: {article.error}", style="red"))
    for type_, counts in article.counts.items():
        title = f"{type_}: {counts.found} found, {counts.missed} missed, {counts.wrong} wrong"
        parts.append(_side_by_side(title, [item for item in article.items if item.type == type_]))
    return Group(*parts)


def _side_by_side(title: str, items: list[ScoredItem]) -> RenderableType:
    if not items:
        return Text(f"{title.partition(':')[0]}: none here, and none claimed", style="dim")
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, expand=True)
    columns = [[_item_text(item) for item in items if item.outcome == outcome] for outcome in _OUTCOMES]
    for outcome in _OUTCOMES:
        table.add_column(outcome, ratio=1, overflow="fold")
    for number in range(max(map(len, columns), default=0)):
        table.add_row(*(column[number] if number < len(column) else Text() for column in columns))
    return table


def _item_text(item: ScoredItem) -> Text:
    if item.outcome == "found":
        return Text(item.predicted or "") if item.exact else Text(f"{item.predicted} (for {item.expected})")
    if item.outcome == "missed":
        return Text(f"{item.expected} (in part: {item.near})" if item.near else item.expected or "")
    if item.grounding == "located":
        return Text(item.predicted or "")
    nearest = f"; the article has: {item.nearest}" if item.nearest else ""
    return Text(f"{item.predicted} ({item.grounding}{nearest})")


def _quality_cells(row: QualityRow) -> list[str]:
    counts = [str(number) for number in (row.articles, row.expected, row.predicted, row.found)]
    shares = [show(row.precision), show(row.recall), show(row.f1)]
    return [
        escape(row.label),
        *counts,
        *shares,
        show_interval(row.low, row.high),
        show(row.f1_strict),
        show(row.f1_partial),
    ]


def _figure_cells(metric: MetricFigure) -> list[str]:
    beside = f"{metric.beside_label} {show(metric.beside, metric.unit)}" if metric.beside is not None else ""
    interval = show_interval(metric.low, metric.high, metric.unit)
    return [show(metric.value, metric.unit), interval, beside, str(metric.support)]
