"""How sure the model was of an item, and what its probabilities are worth."""

from collections.abc import Sequence
from dataclasses import dataclass

CALIBRATED_FROM = 200
"""Items with a probability from which on probabilities are calibrated."""


@dataclass(frozen=True)
class Calibration:
    """Which share of the items of a probability is right: a rising line through points."""

    probabilities: tuple[float, ...]
    """The model's own, rising, 0 to 1."""
    shares: tuple[float, ...]
    """Of items of that probability, the share that is right, 0 to 1."""
    items: int
    """Items that it was fitted to."""


def fit_calibration(pairs: Sequence[tuple[float, bool]]) -> Calibration | None:
    """Fit what probabilities are worth.

    Args:
        pairs: Of each item of an evaluation: the model's probability, 0 to 1, and whether it is right.

    Returns:
        The calibration; None of fewer than `CALIBRATED_FROM` items.
    """
    raise NotImplementedError
