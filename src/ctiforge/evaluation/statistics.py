"""Bootstrap over articles: how much a figure would vary with another draw of articles from the same source.

The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13): articles,
not items, are drawn with replacement, because the items of one article stand or fall together. Comparisons
are paired: one draw of articles serves both sides, so that what makes an article hard cancels out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_POSITIVE_ARTICLES = 10
"""Fewer articles than this support no interval: counts only."""
REPLICATES = 2000
LEVEL = 0.95
SEED = 20260101
_DRAWS_TOGETHER = 100


@dataclass(frozen=True)
class Interval:
    """A two-sided percentile interval at `LEVEL`."""

    low: float
    high: float


def draws(articles: int, *, replicates: int = REPLICATES, seed: int = SEED) -> Iterator[Floats]:
    """How often each article is drawn in each replicate: arrays of (replicates in this block, articles)."""
    rng = np.random.default_rng(seed)
    share = np.full(articles, 1 / articles)
    for start in range(0, replicates, _DRAWS_TOGETHER):
        block = min(_DRAWS_TOGETHER, replicates - start)
        yield rng.multinomial(articles, share, size=block).astype(np.float64)


def interval(replicated: Floats, level: float = LEVEL) -> Interval | None:
    """The percentile interval of replicated figures; those that are not a number (nothing drawn) are left out."""
    known = replicated[np.isfinite(replicated)]
    if not known.size:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def ratio(top: Floats, bottom: Floats) -> Floats:
    """top / bottom, not a number where the bottom is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def f1(found: Floats, expected: Floats, predicted: Floats) -> Floats:
    """F1 = 2 TP / (2 TP + FP + FN) = 2 found / (expected + predicted) (van Rijsbergen 1979)."""
    return ratio(2 * found, expected + predicted)
