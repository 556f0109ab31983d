"""A decision of the gate as a table to read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ctiforge import tables
from ctiforge.evaluation.tables.evaluation import ARROWS, TONES, show
from ctiforge.records.decision import Check, Decision
from ctiforge.tables import Cell, Mark, Table, table_of

if TYPE_CHECKING:
    from rich.console import Console

_HEADINGS = ("", "against", "before", "after", "gain", "at least", "at most", "articles", "verdict")


def print_decision(decision: Decision, console: "Console") -> None:
    """Print every check with its numbers, then whether the gate is passed and why not.

    Args:
        decision: What is shown.
        console: A console of rich.
    """
    tables.print_tables(_parts(decision), console)


def plain_text(decision: Decision) -> str:
    """Render the same as a terminal of 140 columns without colors shows it.

    Args:
        decision: What is shown.

    Returns:
        Lines with an end each.
    """
    return tables.plain_text(_parts(decision), width=140)


def write_decision(decision: Decision, folder: Path) -> None:
    """Write the decision into a folder: its file, and `decision.txt` for people.

    Args:
        decision: What is written.
        folder: A folder that is there.
    """
    decision.write(folder)
    (folder / "decision.txt").write_text(plain_text(decision), encoding="utf-8")


def decision_lines(decision: Decision) -> list[str]:
    """Give the verdict, and the reasons."""
    head = "the gate is passed" if decision.passed else "the gate is not passed"
    if decision.accepted_equivalent:
        head = "the gate is passed as equivalent, which a person asked for"
    return [head, *(f"  {reason}" for reason in decision.reasons)]


def _parts(decision: Decision) -> Iterator[Table | Cell]:
    test_set = decision.test_set
    yield Cell(f"gate of {decision.line}: {decision.candidate.name} on {test_set.name} {test_set.version}", strong=True)
    if decision.checks:
        # the first figure must be better, the others must not be worse
        shown = [check for check in decision.checks if not check.counts]
        primary = sum(check.role == "primary" for check in shown)
        yield table_of(_HEADINGS, map(_cells, shown), left=(0, 1, -1), breaks=(primary,))
        for check in decision.checks:
            if check.counts:
                yield Cell(f"{check.figure}, too few articles for a figure ({check.articles}): {check.counts}")
        yield Cell(_footnote(decision))
    yield from map(Cell, decision_lines(decision))


def _cells(check: Check) -> list[object]:
    return [
        f"{check.label} {ARROWS[check.direction]}",
        check.against,
        show(check.before, check.unit),
        show(check.after, check.unit),
        _signed(check.gain),
        _signed(check.low),
        _signed(check.high),
        check.articles,
        Cell(mark=Mark(TONES.get(check.verdict, "plain"), "", check.verdict)),
    ]


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _footnote(decision: Decision) -> str:
    own = next((f"{check.level:.2%}" for check in decision.checks if check.role == "primary"), "")
    together = next((f", {check.level:.2%} for the mean" for check in decision.checks if check.candidates > 1), "")
    return (
        f"Gain: how much better, whichever way the arrow points. The first figure, its own or the mean of the last "
        f"candidates, must gain at least something at the level that each of a year of looks must reach ({own}"
        f"{together}); no other must be shown to lose, at {decision.level:.0%} for all together (at most: at "
        f"{decision.level:.0%} each). Candidates looked at on this test set so far: {decision.looks:.0f}."
    )
