"""How sure the model was of an item, and what its probabilities are worth."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp

from ctiforge.extract.answering.extraction import WindowAnswer, WindowSpan
from ctiforge.observables.values import normalize
from ctiforge.records.answer import KeptAnswer
from ctiforge.records.evaluation import Evaluation

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


def calibration_pairs(evaluation: Evaluation, answers: Iterable[KeptAnswer]) -> list[tuple[float, bool]]:
    """Pair how sure a model was of each item that it gave with whether the item is right.

    Args:
        evaluation: The model's, on articles that it was not trained on.
        answers: What is kept beside it of each window.

    Returns:
        Of each item that was scored, and of which the answers say how likely it was: probability, 0 to 1, and whether
        people found it, too.
    """
    windows: dict[str, list[KeptAnswer]] = {}
    for answer in answers:
        windows.setdefault(answer.article_id, []).append(answer)
    pairs = []
    for article in evaluation.articles:
        sure = surest(windows.get(article.id, ()))
        for item in article.items:
            found = sure.get((item.type, normalize(item.type, item.predicted))) if item.predicted else None
            if found:
                pairs.append((found.probability, item.outcome == "found"))
    return pairs


@dataclass(frozen=True)
class Sureness:
    """How sure the model was of an item, and in which window."""

    probability: float
    """The geometric mean of the probabilities of its tokens, 0 to 1."""
    window: WindowSpan
    """Where in the article the model was surest of it."""


def surest(windows: Iterable[WindowAnswer | KeptAnswer]) -> dict[tuple[str, str], Sureness]:
    """Find how sure the model was of each item, in the window where it was surest.

    Args:
        windows: The answers of an article's windows.

    Returns:
        By type and normalized value; an item is missing where nobody says how likely its tokens were.
    """
    found: dict[tuple[str, str], Sureness] = {}
    for window in windows:
        for item in window.items or ():
            key = _key(window.raw[item.start : item.end])
            probability = exp(min(item.mean, 0.0))
            if key and (key not in found or probability > found[key].probability):
                found[key] = Sureness(probability, (window.start, window.end))
    return found


def _key(raw: str) -> tuple[str, str] | None:
    try:
        item = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    type_, value = (item.get("type"), item.get("value")) if isinstance(item, dict) else (None, None)
    return (type_, normalize(type_, value)) if isinstance(type_, str) and isinstance(value, str) else None
