"""`decision.json`: what the gate said of a model, and why."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record
from ctiforge.records.evaluation import Direction, MetricFigure, ModelInfo, TestSetInfo, Unit

GateVerdict = Literal["better", "equivalent", "no worse", "worse", "underpowered", "n/a"]


class Check(Record):
    """One figure of the candidate against one other model's."""

    figure: str
    label: str
    role: Literal["primary", "guardrail"]
    against: str
    direction: Direction
    unit: Unit
    before: float | None
    after: float | None
    gain: float | None
    """How much better the candidate is, whichever direction that is in."""
    low: float | None
    """One-sided bounds of the gain, each at `LEVEL`."""
    high: float | None
    margin: float
    articles: int
    """Those that speak for the figure."""
    verdict: GateVerdict


class Decision(File):
    """What the gate says, and why."""

    NAME: ClassVar[str] = "decision.json"

    line: str
    candidate: ModelInfo
    against: ModelInfo | None
    """What had to be beaten: the champion, or the model or floor named for a first version."""
    test_set: TestSetInfo
    passed: bool
    accepted_equivalent: bool = False
    reasons: tuple[str, ...]
    """Why not; or, where it passed, what was not checked."""
    checks: tuple[Check, ...] = ()
    primary: MetricFigure | None = None
    """The candidate's primary figure with its interval."""
    level: float
    comparisons: int = 0
    """Pairs of models that were compared on this test set so far."""
