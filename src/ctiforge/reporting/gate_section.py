"""What the gate decided, check by check."""

from ctiforge.records.decision import Check, Decision
from ctiforge.reporting import words
from ctiforge.reporting.view import Section
from ctiforge.tables import Cell, Column, Mark, Table

_MARKS = {
    "better": Mark("good", "▲", "better"),
    "likely better": Mark("unsure", "△", "likely better"),
    "no worse": Mark("good", "✓", "no worse"),
    "no loss shown": Mark("good", "✓", "no loss shown"),
    "likely worse": Mark("unsure", "▽", "likely worse"),
    "counts only": Mark("plain", "#", "counts only"),
    "equivalent": Mark("unsure", "≈", "equivalent"),
    "underpowered": Mark("unsure", "?", "underpowered"),
    "worse": Mark("bad", "▼", "worse"),
    "n/a": Mark("plain", "–", "n/a"),
}


def gate_mark(decision: Decision) -> Mark:
    """Choose the mark of a gate that was passed, or not."""
    if not decision.passed:
        return Mark("bad", "✕", "not passed")
    return Mark("good", "✓", "passed as equivalent" if decision.accepted_equivalent else "passed")


def gate_section(decision: Decision | None) -> Section | None:
    """Show every check with its numbers; None where there was no gate."""
    if not decision:
        return None
    against = f"{decision.against.name} ({decision.against.version})" if decision.against else "nothing"
    lead = (
        f"{decision.candidate.name} against {against}: the first figure must be shown to be better, of no other a "
        f"loss must be shown. Candidates looked at on this test set so far: {decision.looks:,.0f}."
    )
    columns = ("", "against", "before", "after", "gain", "at least", "at most", "articles", "verdict")
    table = Table(
        "Checks of the gate",
        tuple(Column(title, is_number=title not in ("", "against", "verdict")) for title in columns),
        tuple(_row(check) for check in decision.checks),
        note="Gain: how much better the new model is, whichever direction that is in. At least, at most: its one-sided "
        f"bounds, at {decision.level:.0%}; at least of the first figure, its own or the mean of the last "
        "candidates, at the higher level by which a year of looks promotes hardly any model that is no better.",
    )
    return Section("gate", "Gate", lead, (table,) if decision.checks else ())


def _row(check: Check) -> tuple[Cell, ...]:
    return (
        Cell(check.label, below=check.counts or words.direction(check.direction)),
        Cell(check.against),
        Cell(words.figure(check.before, check.unit)),
        Cell(words.figure(check.after, check.unit)),
        Cell(words.signed(check.gain, check.unit), strong=True),
        Cell(words.signed(check.low, check.unit)),
        Cell(words.signed(check.high, check.unit)),
        Cell(words.count(check.articles)),
        Cell(mark=_MARKS[check.verdict]),
    )
