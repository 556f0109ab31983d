"""How likely the gate promotes a model that is truly better, and how many articles that takes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ctiforge.evaluation.gate.gate import gain
from ctiforge.evaluation.gate.looks import (
    SHARED,
    SHARED_TOGETHER,
    TOGETHER,
    any_passes,
    own_level,
    together_level,
)
from ctiforge.evaluation.gate.sides import Figures
from ctiforge.evaluation.statistics import effective_articles, estimate, leave_one_out

CANDIDATES = (1, 7, 30)
"""So many candidates of one better recipe: one night's, a week's, a month's."""
MOST_ARTICLES = 20_000


@dataclass(frozen=True)
class Spread:
    """How much a paired gain varies over articles like those of a test set.

    Attributes:
        error: The gain's standard error, were there one article.
        effective: How many articles of equal size one article counts for, 0 to 1 (Kish 1965).
        assumed: Whether the error is guessed from one model's figure, for want of two evaluations.
    """

    error: float
    effective: float
    assumed: bool


def spread_of(one: Figures, other: Figures | None = None) -> Spread | None:
    """Measure how much a gain varies over the articles of a test set.

    Without a second model the gain is taken to vary like the figure itself, which holds where two models' figures are
    correlated by one half over articles: Var(a − b) = 2 (1 − ½) Var(a).

    Args:
        one: A model's figure.
        other: Another model's on the same articles, one of the next recipe for the best answer.

    Returns:
        The spread; None where fewer than two articles speak for the figure, or nothing varies.
    """
    articles = len(one.size)
    found = gain(one, other) if other else None
    if found:
        size, estimated = np.maximum(one.size, other.size if other else one.size), found.found
    else:
        size, estimated = one.size, estimate(one.values(leave_one_out(articles)), one.size)
    if (size > 0).sum() < 2 or not estimated.error > 0:
        return None
    share = float(effective_articles(size)) / articles
    return Spread(float(estimated.error) * float(np.sqrt(articles)), share, assumed=found is None)


def power(spread: Spread, true_gain: float, articles: int, candidates: int) -> float:
    """Compute how likely at least one of several candidates of a better recipe is promoted; guardrails not counted.

    The larger of two probabilities: that a candidate's own gain passes, or that of seven together, once in every seven.

    Args:
        spread: How much gains vary.
        true_gain: How much better the recipe is, in the figure's own unit.
        articles: Articles in the test set.
        candidates: How many of the recipe's models are looked at.

    Returns:
        The probability, 0 to 1.
    """
    freedom = max(1.0, spread.effective * articles)
    shift = true_gain * np.sqrt(articles) / spread.error
    own = any_passes(_bar(own_level(), freedom, shift), candidates)
    weeks = candidates // TOGETHER
    if not weeks:
        return own
    # of the variance of one gain the mean of seven keeps the champion's half, and a seventh of the other
    together = shift / np.sqrt(SHARED + (1 - SHARED) / TOGETHER)
    return max(own, any_passes(_bar(together_level(), freedom, together), weeks, SHARED_TOGETHER))


def articles_needed(spread: Spread, true_gain: float, candidates: int, wanted: float) -> int | None:
    """Find the smallest test set on which a better recipe is promoted often enough.

    Args:
        spread: How much gains vary.
        true_gain: How much better the recipe is.
        candidates: How many of its models are looked at.
        wanted: The probability that one of them should be promoted with, 0 to 1.

    Returns:
        Its number of articles; None where even `MOST_ARTICLES` are too few.
    """
    low, high = 2, MOST_ARTICLES
    if power(spread, true_gain, high, candidates) < wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(spread, true_gain, middle, candidates) >= wanted else (middle + 1, high)
    return low


def table_sizes(now: int, sizes: Sequence[int] = (30, 50, 100, 200, 400)) -> list[int]:
    """List the sizes that a plan shows: the test set's own among usual ones.

    Args:
        now: The articles that there are.
        sizes: The usual ones.

    Returns:
        Sizes from the present one on, smallest first.
    """
    return sorted({now, *(size for size in sizes if size > now)})


def _bar(level: float, freedom: float, shift: float) -> float:
    """Turn a level of Student's t around a shift into a bar of the standard normal (Abramowitz and Stegun 26.7.10)."""
    bar = float(stdtrit(freedom, level))
    return float((bar * (1 - 1 / (4 * freedom)) - shift) / np.sqrt(1 + bar**2 / (2 * freedom)))
