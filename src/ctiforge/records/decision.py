"""`decision.json`: what the gate said of a model, and why."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from ctiforge.records.base import File, Record, Upgrade
from ctiforge.records.evaluation import Direction, MetricFigure, ModelInfo, TestSetInfo, Unit

GateVerdict = Literal[
    "better",
    "likely better",
    "equivalent",
    "no loss shown",
    "likely worse",
    "no worse",
    "worse",
    "underpowered",
    "counts only",
    "n/a",
]
"""`no worse` is of decisions of before, in which a guardrail had to be shown to lose no more than a margin."""


class Check(Record):
    """One figure of the candidate against one other model's."""

    figure: str
    """The figure's name: `micro_f1`."""
    label: str
    """What people call it."""
    role: Literal["primary", "guardrail", "part"]
    """The primary figure must be shown to get better; a guardrail, and the F1 of a type or class with enough articles,
    must not be shown to get worse."""
    against: str
    """Whose figure it is held against."""
    direction: Direction
    """Word which way is better."""
    unit: Unit
    """Whether it is a share, 0 to 1, or a number."""
    before: float | None
    """The other model's figure; None where it has none."""
    after: float | None
    """The candidate's figure; None where it has none."""
    gain: float | None
    """How much better the candidate is, whichever direction that is in."""
    low: float | None
    """The lower bound of the gain, one-sided at `level`; None where too few articles carry it."""
    high: float | None
    """The upper bound, one-sided at the decision's `level`; None like `low`."""
    level: float
    """The confidence of `low`: of a primary check higher than the decision's `level`, so that a year of looks promotes
    hardly any model that is no better."""
    candidates: int = 1
    """How many candidates' mean gain it is: the last ones looked at, this one included, without the best and the
    worst."""
    margin: float
    """The loss that is let pass, in the figure's own unit: of the primary one where a person takes an equivalent model,
    of a guardrail where a person widened it."""
    articles: int
    """Those that speak for the figure."""
    verdict: GateVerdict
    """What the bounds show."""
    counts: str = ""
    """Of a type or class that too few articles speak for: what was found of it before and after, in words."""


def _with_looks(value: dict[str, Any]) -> dict[str, Any]:
    """Upgrade a decision of the time when every look was at one level, and pairs of models were counted."""
    rest = {name: each for name, each in value.items() if name != "comparisons"}
    checks = [{**check, "level": value["level"]} for check in value.get("checks", ())]
    return {**rest, "checks": checks, "looks": value.get("comparisons", 0)}


class Decision(File):
    """What the gate says, and why."""

    NAME: ClassVar[str] = "decision.json"
    SCHEMA: ClassVar[int] = 2
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {1: _with_looks}

    line: str
    """The line's name."""
    candidate: ModelInfo
    """The model that was to be promoted."""
    against: ModelInfo | None
    """What had to be beaten: the champion, or the model or floor named for a first version; None where nothing was
    compared."""
    test_set: TestSetInfo
    """The articles that all figures are of."""
    passed: bool
    """Whether the candidate may be used."""
    accepted_equivalent: bool = False
    """Whether it passed as no better, but not worse by more than the margin."""
    reasons: tuple[str, ...]
    """Why not; or, where it passed, what was not checked."""
    checks: tuple[Check, ...] = ()
    """The primary figure, its own and that of the last candidates together; then the guardrails and the types or
    classes; empty where nothing was compared."""
    primary: MetricFigure | None = None
    """The candidate's primary figure with its interval."""
    level: float
    """The confidence of each bound, one-sided, 0 to 1, where a check names no other."""
    looks: float
    """Candidates that were held against a champion on this test set so far, this one included; those on another
    version of it count as far as its articles are the same."""
