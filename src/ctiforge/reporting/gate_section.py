"""What the gate decided, or what its test says where it was not asked, check by check."""

from ctiforge.evaluation.statistics import LEVEL
from ctiforge.records.decision import Check, Decision
from ctiforge.reporting import words
from ctiforge.reporting.view import Section
from ctiforge.tables import Cell, Column, Mark, Table


def gate_mark(decision: Decision) -> Mark:
    """Choose the mark of a gate that was passed, or not."""
    if not decision.passed:
        return Mark("bad", "✕", "not passed")
    return Mark("good", "✓", "passed as equivalent" if decision.accepted_equivalent else "passed")


def gate_section(asked: Decision | None, tried: Decision | None) -> Section | None:
    """Show every check with its numbers: of the gate, else of its test alone; None where neither compared anything."""
    decision = asked if asked and asked.checks else tried
    if not decision:
        return Section("gate", "Gate", asked.reasons[0] if asked.reasons else "", ()) if asked else None
    if decision is asked:
        against = f"{asked.against.name} ({asked.against.version})" if asked.against else "nothing"
        lead = (
            f"{asked.candidate.name} against {against}: the first figure must be shown to be better, of no other a "
            f"loss must be shown. Candidates looked at on this test set so far: {asked.looks:,.0f}."
        )
    else:
        lead = (
            f"The gate compared nothing in this run. Its test of {decision.candidate.name}: the first figure must be "
            "shown to be better, of no other a loss must be shown."
        )
    columns = ("", "verdict", "against", "before", "after", "gain", "at least", "at most", "articles")
    table = Table(
        "Checks of the gate" if decision is asked else "The gate’s test",
        tuple(Column(title, is_number=title not in ("", "against", "verdict")) for title in columns),
        tuple(_row(check) for check in decision.checks),
        note="Gain: how much better the new model is, whichever direction that is in. At least, at most: its one-sided "
        f"bounds, at {LEVEL:.0%}; at least of the first figure, its own or the mean of the last "
        "candidates, at the higher level by which a year of looks promotes hardly any model that is no better.",
    )
    return Section("gate", "Gate", lead, (table,))


def _row(check: Check) -> tuple[Cell, ...]:
    return (
        Cell(check.label, below=check.counts or words.direction(check.direction)),
        Cell(mark=words.GATE_MARKS[check.verdict]),
        Cell(check.against),
        Cell(words.figure(check.before, check.unit)),
        Cell(words.figure(check.after, check.unit)),
        Cell(words.signed(check.gain, check.unit), strong=True),
        Cell(words.signed(check.low, check.unit)),
        Cell(words.signed(check.high, check.unit)),
        Cell(words.count(check.articles)),
    )
