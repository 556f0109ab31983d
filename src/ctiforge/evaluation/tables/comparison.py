"""A comparison as a table to read on a terminal and as Markdown."""

from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ctiforge.evaluation.tables.evaluation import show, show_interval
from ctiforge.lines.line import MARGIN
from ctiforge.records.comparison import Change, Comparison, Contender

_STYLES = {"better": "green", "worse": "red", "underpowered": "yellow"}
_HEADINGS = ("", "before", "after", "difference", "interval", "articles", "verdict")


def print_comparison(comparison: Comparison, console: Console) -> None:
    """One table a contender: before, after, paired interval of the difference, verdict."""
    for contender in comparison.contenders:
        console.print(Text(heading(comparison, contender), style="bold"))
        table = Table(box=box.SIMPLE_HEAD)
        for number, name in enumerate(_HEADINGS):
            table.add_column(name, justify="left" if number in (0, len(_HEADINGS) - 1) else "right")
        group = contender.changes[0].group if contender.changes else ""
        for change in contender.changes:
            if change.group != group:
                table.add_section()
                group = change.group
            cells = [Text(cell) for cell in change_cells(change)]
            cells[-1].stylize(_STYLES.get(change.verdict, ""))
            table.add_row(*cells)
        console.print(table)
    console.print(Text(footnote(comparison)))


def plain_text(comparison: Comparison) -> str:
    """Give the tables as a terminal of 140 columns without colors shows them."""
    with StringIO() as file:
        print_comparison(comparison, Console(file=file, width=140, color_system=None))
        return file.getvalue()


def markdown(comparison: Comparison) -> str:
    """Give the same as Markdown."""
    parts = []
    for contender in comparison.contenders:
        lines = [f"### {heading(comparison, contender)}", "", "| " + " | ".join(_HEADINGS) + " |"]
        lines.append("|---|" + "---:|" * (len(_HEADINGS) - 2) + "---|")
        for change in contender.changes:
            cells = [cell.replace("|", "\\|") for cell in change_cells(change)]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, footnote(comparison)]) + "\n"


def heading(comparison: Comparison, contender: Contender) -> str:
    """Who against whom, on what."""
    return (
        f"{comparison.baseline.name} (before) against {contender.model.name} (after) "
        f"on {comparison.test_set.name} {comparison.test_set.version}"
    )


def footnote(comparison: Comparison) -> str:
    """Give what the columns mean."""
    bootstrap = comparison.bootstrap
    return (
        f"Rows named after items show micro-F1. Intervals: {bootstrap.level:.0%} of the paired difference, "
        f"bootstrap over articles; none below {bootstrap.least_articles} articles. The arrow says where a figure "
        f"moved, the word whether that is good. Underpowered: too few articles, or an interval around 0 wider than "
        f"±{MARGIN:g}: neither a win nor a loss."
    )


def change_cells(change: Change) -> list[str]:
    """Give the cells of one row."""
    label = f"F1, {change.label}" if change.group != "figure" else change.label
    sides = [show(change.before, change.unit), show(change.after, change.unit)]
    difference = "n/a" if change.difference is None else _signed(change)
    interval = show_interval(change.low, change.high, change.unit)
    return [label, *sides, difference, interval, str(change.articles), f"{_arrow(change)} {change.verdict}"]


def _signed(change: Change) -> str:
    text = show(change.difference, change.unit)
    return text if text.startswith("-") else f"+{text}"


def _arrow(change: Change) -> str:
    """Where the figure moved; nothing is said by an arrow that the data cannot carry."""
    if change.verdict not in ("better", "worse", "changed"):
        return "·"
    return "↑" if (change.difference or 0) > 0 else "↓"
