"""`decision.json`: what the gate said of a model, and why."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record
from ctiforge.records.evaluation import Direction, MetricFigure, ModelInfo, TestSetInfo, Unit

GateVerdict = Literal["better", "equivalent", "no worse", "worse", "underpowered", "n/a"]


class Check(Record):
    """One figure of the candidate against one other model's."""

    figure: str
    """The figure's name: `micro_f1`."""
    label: str
    """What people call it."""
    role: Literal["primary", "guardrail"]
    """The primary figure must get better, a guardrail must not get worse."""
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
    """The upper bound, one-sided at `level`; None like `low`."""
    margin: float
    """The loss that is let pass, in the figure's own unit."""
    articles: int
    """Those that speak for the figure."""
    verdict: GateVerdict
    """What the bounds show."""


class Decision(File):
    """What the gate says, and why."""

    NAME: ClassVar[str] = "decision.json"

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
    """The primary figure, then the guardrails; empty where nothing was compared."""
    primary: MetricFigure | None = None
    """The candidate's primary figure with its interval."""
    level: float
    """The confidence of each bound, one-sided, 0 to 1."""
    comparisons: int = 0
    """Pairs of models that were compared on this test set so far."""
