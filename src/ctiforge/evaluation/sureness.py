"""How sure a model was of what it gave, and of how much of that it was right."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Protocol

from ctiforge.observables.values import normalize
from ctiforge.records.answer import ItemProbability, KeptAnswer
from ctiforge.records.evaluation import Evaluation


class AnsweredWindow(Protocol):
    """A window with what the model wrote of it, kept or just read."""

    @property
    def start(self) -> int:
        """Give the first character of the window in the article."""

    @property
    def end(self) -> int:
        """Give the character behind its last one."""

    @property
    def raw(self) -> str:
        """Give the answer as it was written."""

    @property
    def items(self) -> Sequence[ItemProbability] | None:
        """Give how likely each item's tokens were; None where nobody says."""


@dataclass(frozen=True)
class Sureness:
    """How sure the model was of an item, and in which window."""

    probability: float
    """The geometric mean of the probabilities of its tokens, 0 to 1."""
    window: tuple[int, int]
    """Where in the article the model was surest of it: the first character, and one past the last."""


def surest(windows: Iterable[AnsweredWindow]) -> dict[tuple[str, str], Sureness]:
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


def _key(raw: str) -> tuple[str, str] | None:
    try:
        item = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    type_, value = (item.get("type"), item.get("value")) if isinstance(item, dict) else (None, None)
    return (type_, normalize(type_, value)) if isinstance(type_, str) and isinstance(value, str) else None
