"""How likely the gate promotes a better model on this test set, and how many articles it would take."""

from ctiforge.evaluation.gate.power import CANDIDATES, Spread, articles_needed, power, spread_of
from ctiforge.evaluation.gate.sides import Scored
from ctiforge.lines import find_line
from ctiforge.reporting import words
from ctiforge.reporting.view import Note, Section
from ctiforge.tables import Cell, Column, Table

GAINS = (0.02, 0.05, 0.08)
"""True gains in the primary figure that are worked out."""
WANTED = 0.75
"""How likely a promotion is to be for which the articles needed are told."""


def power_section(line: str, new: Scored, other: Scored | None, role: str) -> Section:
    """Work out, from how the pair's gain varies over articles, what the test set can show."""
    figure = find_line(line).rules.primary
    spread = spread_of(new.figures[figure], other.figures[figure] if other else None)
    label, now = new.figures[figure].label, len(new.articles)
    title = "What the test set can show"
    if spread is None:
        why = f"{label} does not vary over its articles: nothing can be worked out from it."
        return Section("power", title, why, (Note((why,), "unsure"),))
    how = (
        f"as the gain over the {role} varies over its articles" if not spread.assumed else "as if a gain varied like it"
    )
    lead = (
        f"How likely a model that is truly better in {label} is promoted, {how}; guardrails may refuse besides. "
        "Candidates are models of one better recipe."
    )
    return Section("power", title, lead, (_chances(spread, now), _needed(spread, now)))


def _chances(spread: Spread, now: int) -> Table:
    rows = tuple(
        (Cell(f"+{gain:g}"), *(Cell(f"{power(spread, gain, now, each):.0%}", strong=True) for each in CANDIDATES))
        for gain in GAINS
    )
    return Table(f"Promoted with today’s {words.plural(now, 'article')}", _columns(), rows)


def _needed(spread: Spread, now: int) -> Table:
    rows = tuple(
        (Cell(f"+{gain:g}"), *(_count(articles_needed(spread, gain, each, WANTED), now) for each in CANDIDATES))
        for gain in GAINS
    )
    return Table(
        f"Articles needed for {WANTED:.0%}",
        _columns(),
        rows,
        note="–: more than anybody labels. ctiforge testset plan works this out for other gains.",
    )


def _columns() -> tuple[Column, ...]:
    within = ("the first candidate" if each == 1 else f"one of {each}" for each in CANDIDATES)
    return (Column("true gain", False), *(Column(each) for each in within))


def _count(needed: int | None, now: int) -> Cell:
    return Cell("–") if needed is None else Cell(words.count(needed), below="" if needed > now else "there are enough")
