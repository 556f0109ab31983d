"""How far a figure, or a paired difference of two, can be trusted: the jackknife over articles with Student's t.

Articles, not items, are what is drawn, because the items of one article stand or fall together: the standard error is
that of the jackknife's pseudo-values, one number an article for any figure (Tukey 1958; Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 11). Where a few articles hold most items, many articles know no more than
those few: the degrees of freedom are the effective number of articles (Kish 1965), as Carter, Schnepel and Steigerwald
(2017, Asymptotic behavior of a t-test robust to cluster heterogeneity) take them for clusters of unequal size.
Comparisons are paired: what makes an article hard for both sides cancels out. `make prove-gate` shows how often such
intervals hold the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from ctiforge.records.evaluation import Intervals

Floats = NDArray[np.float64]

MIN_POSITIVE_ARTICLES = 10
"""Fewer articles than this support no interval: counts only."""
LEVEL = 0.95
INTERVALS = Intervals(method="jackknife over articles, Student's t", level=LEVEL, least_articles=MIN_POSITIVE_ARTICLES)
"""How intervals are made, as files tell it."""


@dataclass(frozen=True)
class Interval:
    """A two-sided interval at `LEVEL`."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A figure, or a difference of two figures, and how far it can be trusted; fields have one shape (…).

    Attributes:
        value: The figure.
        error: Its standard error.
        freedom: The degrees of freedom of that error.
    """

    value: Floats
    error: Floats
    freedom: Floats

    def low(self, level: float) -> Floats:
        """Bound the truth from below, one-sided at a level, 0 to 1."""
        bound: Floats = self.value - stdtrit(self.freedom, level) * self.error
        return bound

    def high(self, level: float) -> Floats:
        """Bound the truth from above, one-sided at a level, 0 to 1."""
        bound: Floats = self.value + stdtrit(self.freedom, level) * self.error
        return bound

    def p_value(self) -> Floats:
        """Compute the two-sided p-value of a truth of 0: 1 where nothing differs in any article."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p: Floats = np.where(self.value == 0, 1.0, 2 * stdtr(self.freedom, -np.abs(self.value) / self.error))
        return p

    def p_below(self, bound: float) -> Floats:
        """Compute the one-sided p-value of a truth that is not below a bound: small where it is shown to be below."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p: Floats = np.where(self.value >= bound, 1.0, stdtr(self.freedom, (self.value - bound) / self.error))
        return p

    def interval(self, level: float = LEVEL) -> Interval | None:
        """Compute the two-sided interval of a single estimate; None where it is no number."""
        if not np.isfinite(self.value) or not np.isfinite(self.error):
            return None
        return Interval(float(self.low((1 + level) / 2)), float(self.high((1 + level) / 2)))


def jackknife(whole: Floats, without: Floats, size: Floats) -> Estimate:
    """Estimate figures from themselves and from what they are without each of their articles.

    Where a figure is no number without an article, that article contributes the figure itself.

    Args:
        whole: (…): the figures over n articles, n at least 2.
        without: (…, n): the same with one article left out.
        size: (…, n) or (n,): how much of the figure rests on each article.

    Returns:
        The figures (…) with standard error and degrees of freedom.
    """
    articles = without.shape[-1]
    each = np.asarray(whole)[..., np.newaxis]
    pseudo = articles * each - (articles - 1) * np.where(np.isfinite(without), without, each)
    squares = (pseudo - pseudo.mean(axis=-1, keepdims=True)) ** 2
    error = np.sqrt(squares.sum(axis=-1) / (articles - 1) / articles)
    return Estimate(np.asarray(whole), error, np.broadcast_to(effective_articles(size), np.shape(whole)))


def estimate(figures: Floats, size: Floats) -> Estimate:
    """Estimate one figure from its values under `leave_one_out`.

    Args:
        figures: (n + 1,): its value over all n articles, then without each of them.
        size: (n,): how much of it rests on each article.

    Returns:
        The estimate, with fields of no dimension.
    """
    return jackknife(figures[0], figures[1:], size)


def leave_one_out(articles: int) -> Floats:
    """Make the draws that the jackknife needs.

    Args:
        articles: How many there are, n.

    Returns:
        (n + 1, n): every article once, then all but one of them each.
    """
    return np.vstack([np.ones(articles), 1 - np.eye(articles)])


def effective_articles(size: Floats) -> Floats:
    """Compute how many articles of equal size know as much: (Σ size)² / Σ size², at least 1 (Kish 1965).

    Args:
        size: (…, n): how much of a figure rests on each article.

    Returns:
        (…): between 1 and n.
    """
    found = ratio(size.sum(axis=-1) ** 2, (size**2).sum(axis=-1))
    return np.fmax(found, 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that a threshold holds for all of them together (Holm 1979).

    Args:
        p_values: Those of one family.

    Returns:
        The adjusted ones, in the same order, at most 1.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide; the result is not a number where the bottom is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def f1(found: Floats, expected: Floats, predicted: Floats) -> Floats:
    """Compute F1 = 2 TP / (2 TP + FP + FN) = 2 found / (expected + predicted) (van Rijsbergen 1979).

    Args:
        found: (…): items that both sides have.
        expected: (…): items that there are.
        predicted: (…): items that were given.

    Returns:
        (…): 0 to 1; not a number where there is no item.
    """
    return ratio(2 * found, expected + predicted)
