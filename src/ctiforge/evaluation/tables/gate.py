"""A decision of the gate as a table to read."""

from io import StringIO
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ctiforge.evaluation.tables.evaluation import ARROWS, show
from ctiforge.records.decision import Check, Decision

_HEADINGS = ("", "against", "before", "after", "gain", "at least", "must be above", "articles", "verdict")
_STYLES = {"better": "green", "no worse": "green", "equivalent": "yellow", "underpowered": "yellow", "worse": "red"}


def print_decision(decision: Decision, console: Console) -> None:
    """Every check with its numbers, then whether the gate is passed and why not."""
    test_set = decision.test_set
    title = f"gate of {decision.line}: {decision.candidate.name} on {test_set.name} {test_set.version}"
    console.print(Text(title, style="bold"))
    if decision.checks:
        console.print(_table(decision))
        console.print(Text(_footnote(decision)))
    for line in decision_lines(decision):
        console.print(Text(line))


def plain_text(decision: Decision) -> str:
    """Give the same as a terminal of 140 columns without colors shows it."""
    with StringIO() as file:
        print_decision(decision, Console(file=file, width=140, color_system=None))
        return file.getvalue()


def write_decision(decision: Decision, folder: Path) -> None:
    """Write the decision into a folder: its file, and `decision.txt` for people."""
    decision.write(folder)
    (folder / "decision.txt").write_text(plain_text(decision), encoding="utf-8")


def decision_lines(decision: Decision) -> list[str]:
    """Give the verdict, and the reasons."""
    head = "the gate is passed" if decision.passed else "the gate is not passed"
    if decision.accepted_equivalent:
        head = "the gate is passed as equivalent, which a person asked for"
    return [head, *(f"  {reason}" for reason in decision.reasons)]


def _table(decision: Decision) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(_HEADINGS):
        table.add_column(name, justify="left" if number in (0, 1, len(_HEADINGS) - 1) else "right")
    for number, check in enumerate(decision.checks):
        cells = [Text(cell) for cell in _cells(check)]
        cells[-1].stylize(_STYLES.get(check.verdict, ""))
        table.add_row(*cells, end_section=number == 0)
    return table


def _cells(check: Check) -> list[str]:
    threshold = 0.0 if check.role == "primary" else -check.margin
    return [
        f"{check.label} {ARROWS[check.direction]}",
        check.against,
        show(check.before, check.unit),
        show(check.after, check.unit),
        _signed(check.gain),
        _signed(check.low),
        _signed(threshold),
        str(check.articles),
        check.verdict,
    ]


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _footnote(decision: Decision) -> str:
    return (
        f"Gain: how much better, whichever way the arrow points. At least: one-sided {decision.level:.0%} bound of the "
        "paired gain, by Student's t for the first figure; for the others as if one article more were lost altogether. "
        f"Pairs of models compared on this test set so far: {decision.comparisons}."
    )
