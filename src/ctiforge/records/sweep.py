"""`sweep.json`: what came of a sweep."""

import math
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field

from ctiforge.records.base import File, Record, is_none
from ctiforge.records.run import State

CHOSEN_ON = "chosen on the validation loss alone: nothing of a test set was read"
CHOSEN_ON_F1 = "chosen on F1 of validation articles, then on the loss: nothing of a test set was read"


def _finite(value: Any) -> Any:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


class Trained(Record):
    """One point, as its training ended."""

    stage: str
    """The name of the point's stage."""
    parameters: dict[str, str]
    """The flags that make it this point: name to value."""
    state: State
    """How its training ended."""
    fingerprint: str | None = None
    """The artifact's fingerprint; None where nobody knows it."""
    artifact: str | None = None
    """The URI of the trained model's artifact; None where there is none."""
    validation_loss: Annotated[float | None, BeforeValidator(_finite)] = None
    """The best of the training, in nats; None where there is none, or none that is a number."""
    validation_f1: float | None = Field(None, exclude_if=is_none)
    """F1 on validation articles of the step that was chosen by it, 0 to 1; left out where the loss alone decided."""
    best_step: int | None = None
    """The optimizer step of the best loss; None where there is none."""
    seconds: float | None = None
    """How long the training took, this time or when it was cached; None where nobody knows."""
    measured_with: dict[str, Any] = {}
    """What decides what the loss means: losses of points that differ here do not compare."""
    problem: str | None = None
    """Why it failed."""


class Sweep(File):
    """All points of a sweep, best first."""

    model_config = ConfigDict(frozen=False)

    NAME: ClassVar[str] = "sweep.json"

    id: str
    """The id of the sweep's run."""
    line: str
    """The line's name."""
    program: str
    """The program that trained every point."""
    chosen_on: str = CHOSEN_ON
    """What the winner was chosen on, in words."""
    notes: list[str] = []
    """What a person should know of the result, a line each."""
    winner: str | None = None
    """The stage of the best point; None where no point has a loss."""
    evaluate_with: str | None = None
    """The command that evaluates it on the test set."""
    points: list[Trained]
    """All points, the best first."""

    @property
    def best(self) -> Trained | None:
        """Return the winner's point; None where no point has a loss."""
        return self.points[0] if self.winner else None
