"""`sweep.json`: what came of a sweep."""

import math
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict

from ctiforge.records.base import File, Record
from ctiforge.records.run import State

CHOSEN_ON = "chosen on the validation loss alone: nothing of a test set was read"


def _finite(value: Any) -> Any:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


class Trained(Record):
    """One point, as its training ended."""

    stage: str
    parameters: dict[str, str]
    state: State
    fingerprint: str | None = None
    artifact: str | None = None
    validation_loss: Annotated[float | None, BeforeValidator(_finite)] = None
    """The best of the training, in nats; None where there is none, or none that is a number."""
    best_step: int | None = None
    seconds: float | None = None
    """What the training took, this time or when it was cached."""
    measured_with: dict[str, Any] = {}
    """What decides what the loss means: losses of points that differ here do not compare."""
    problem: str | None = None
    """Why it failed."""


class Sweep(File):
    """All points of a sweep, best first."""

    model_config = ConfigDict(frozen=False)

    NAME: ClassVar[str] = "sweep.json"

    id: str
    line: str
    program: str
    chosen_on: str = CHOSEN_ON
    notes: list[str] = []
    winner: str | None = None
    """The stage of the best point; None where no point has a loss."""
    evaluate_with: str | None = None
    """The command that evaluates it on the test set."""
    points: list[Trained]

    @property
    def best(self) -> Trained | None:
        """The winner."""
        return self.points[0] if self.winner else None
