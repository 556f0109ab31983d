"""How many articles a line's gate needs to let a better model through, from the evaluations that there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctiforge.errors import DataError, UsageError
from ctiforge.evaluation.gate.gate import check_same_test_set
from ctiforge.evaluation.gate.power import CANDIDATES, articles_needed, power, spread_of, table_sizes
from ctiforge.evaluation.gate.sides import Scored, read_side, schema_of
from ctiforge.lines import find_line
from ctiforge.promotion.promote import read_text
from ctiforge.records.testset import TestSet
from ctiforge.store.models import Registry
from ctiforge.store.objects import ObjectStore
from ctiforge.tables import Cell, Table, table_of

WANTED = (0.5, 0.75, 0.9)
"""Probabilities that a plan says the needed articles for."""


@dataclass(frozen=True)
class Plan:
    """What a test set can show, and what it would take to show more.

    Attributes:
        figure: The primary figure's name.
        model: Whose evaluation the plan is made from.
        articles: Articles in the test set.
        assumed: Whether the gain's spread is guessed from one model's figure.
        power: Articles → the probability of a promotion, one for each of `CANDIDATES`.
        needed: Probability → articles needed, one for each of `CANDIDATES`; None: more than anybody labels.
    """

    figure: str
    model: str
    articles: int
    assumed: bool
    power: dict[int, tuple[float, ...]]
    needed: dict[float, tuple[int | None, ...]]


def plan_test_set(
    line: str, test_set: TestSet | None, gain: float, evaluations: Sequence[str], store: ObjectStore
) -> Plan:
    """Plan how many articles show a true gain.

    Args:
        line: The line's name.
        test_set: The test set; None where evaluations are given.
        gain: How much better a recipe is in truth, in the primary figure's own unit.
        evaluations: URIs: the model that stands and, for a better answer, one of the next recipe; none: the
            champion's in the registry.
        store: The store with the registry.

    Returns:
        The plan.

    Raises:
        UsageError: The gain is not above 0, there is no such line, an evaluation is of another test set, or the
            champion has none on it.
        DataError: An evaluation cannot be read, or nothing in it varies.
    """
    if not 0 < gain < 1:
        raise UsageError(f"--gain {gain:g}: give a share above 0 and below 1, like 0.05")
    if len(evaluations) > 2:
        raise UsageError(f"--evaluation was given {len(evaluations)} times: give that of the model that stands, or two")
    figure = find_line(line).rules.primary
    sides = [read_side(line, read_text(each), each) for each in evaluations] or [_champion(line, test_set, store)]
    for other in sides[1:]:
        check_same_test_set(sides[0], other, "evaluate both on one")
    if test_set and sides[0].test_set.content_hash != test_set.sha256:
        raise UsageError(
            f"{sides[0].who} was not evaluated on {test_set.reference}: leave the name away, or evaluate it there"
        )
    spread = spread_of(*(each.figures[figure] for each in sides[:2]))
    if spread is None:
        raise DataError(f"{sides[0].who}: {figure} does not vary over its articles, so nothing can be planned from it")
    now = len(sides[0].articles)
    return Plan(
        figure=figure,
        model=sides[0].who,
        articles=now,
        assumed=spread.assumed,
        power={size: tuple(power(spread, gain, size, each) for each in CANDIDATES) for size in table_sizes(now)},
        needed={want: tuple(articles_needed(spread, gain, each, want) for each in CANDIDATES) for want in WANTED},
    )


def plan_tables(plan: Plan, gain: float) -> Iterator[Table | Cell]:
    """Show a plan.

    Args:
        plan: The plan.
        gain: The true gain that it was made for.

    Yields:
        How likely a promotion is by the articles, and how many articles are needed.
    """
    within = [f"one of {each}" if each > 1 else "the first" for each in CANDIDATES]
    rows = [(f"{size:,}", *(f"{each:.0%}" for each in chances)) for size, chances in plan.power.items()]
    yield table_of(
        ("articles", *within),
        rows,
        caption=f"how likely a true gain of {gain:g} in {plan.figure} is promoted, by candidates seen",
    )
    needed = [
        (f"{want:.0%}", *("–" if n is None else f"{n:,}" for n in counts)) for want, counts in plan.needed.items()
    ]
    yield table_of(("wanted", *within), needed, caption="articles needed")
    how = "as if another model's gain varied like its figure" if plan.assumed else "as the two evaluations' gain varies"
    yield Cell(
        f"From {plan.model} on {plan.articles} articles, {how}. Candidates: models of one better recipe, each looked "
        "at once; guardrails may refuse besides."
    )


def _champion(line: str, test_set: TestSet | None, store: ObjectStore) -> Scored:
    registry = Registry(store, line)
    champion = registry.standing().champion
    if champion is None or test_set is None:
        raise UsageError(f"{line} has no champion yet: give an evaluation with --evaluation")
    text = registry.evaluation(champion.version, test_set.sha256, schema_of(line))
    if text is None:
        raise UsageError(
            f"version {champion.version}, the champion of {line}, was never evaluated on {test_set.reference}: "
            "evaluate it there and give that with --evaluation"
        )
    return read_side(line, text, f"the evaluation of version {champion.version}")
