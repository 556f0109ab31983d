"""What a model's probabilities are worth."""

from bisect import bisect_left
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

    def share(self, probability: float) -> float:
        """Read the line at a probability; beyond its ends it goes on level.

        Args:
            probability: The model's own, 0 to 1.

        Returns:
            The share of such items that is right, 0 to 1.
        """
        at = bisect_left(self.probabilities, probability)
        if at == len(self.probabilities):
            return self.shares[-1]
        if at == 0:
            return self.shares[0]
        low, high = self.probabilities[at - 1 : at + 1]
        weight = (probability - low) / (high - low)
        return self.shares[at - 1] + weight * (self.shares[at] - self.shares[at - 1])


def fit_calibration(pairs: Sequence[tuple[float, bool]]) -> Calibration | None:
    """Fit what probabilities are worth: isotonic regression, which only asks that more probable is no less right.

    Args:
        pairs: Of each item of an evaluation: the model's probability, 0 to 1, and whether it is right.

    Returns:
        The calibration; None of fewer than `CALIBRATED_FROM` items.
    """
    if len(pairs) < CALIBRATED_FROM:
        return None
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    fitted.fit([probability for probability, _ in pairs], [float(is_right) for _, is_right in pairs])
    return Calibration(
        tuple(float(each) for each in fitted.X_thresholds_),
        tuple(float(each) for each in fitted.y_thresholds_),
        len(pairs),
    )
