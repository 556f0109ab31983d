"""Bootstrap over articles: how much a figure would vary with another draw of articles from the same source.

The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13): articles,
not items, are drawn with replacement, because the items of one article stand or fall together. Comparisons
are paired: one draw of articles serves both sides, so that what makes an article hard cancels out.

The gate decides by bounds that hold with few articles too, where the percentile bootstrap is too narrow: both
rest on the jackknife's pseudo-values, one number an article for any figure (Tukey 1958; Efron and Tibshirani,
chapter 11).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ctiforge.records.evaluation import Bootstrap

Floats = NDArray[np.float64]

MIN_POSITIVE_ARTICLES = 10
"""Fewer articles than this support no interval: counts only."""
REPLICATES = 2000
LEVEL = 0.95
SEED = 20260101
BOOTSTRAP = Bootstrap(level=LEVEL, replicates=REPLICATES, seed=SEED, least_articles=MIN_POSITIVE_ARTICLES)
"""How intervals are made, as files tell it."""
_DRAWS_TOGETHER = 100
_WEIGHTS = 10_000
"""Draws of weights for `cautious_low`."""


@dataclass(frozen=True)
class Interval:
    """A two-sided percentile interval at `LEVEL`."""

    low: float
    high: float


def draws(articles: int, *, replicates: int = REPLICATES, seed: int = SEED) -> Iterator[Floats]:
    """Draw how often each article counts in each replicate: arrays of (replicates in this block, articles)."""
    rng = np.random.default_rng(seed)
    share = np.full(articles, 1 / articles)
    for start in range(0, replicates, _DRAWS_TOGETHER):
        block = min(_DRAWS_TOGETHER, replicates - start)
        yield rng.multinomial(articles, share, size=block).astype(np.float64)


def interval(replicated: Floats, level: float = LEVEL) -> Interval | None:
    """Compute the percentile interval of replicated figures; those that are no number (nothing drawn) are left out."""
    known = replicated[np.isfinite(replicated)]
    if not known.size:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide; the result is not a number where the bottom is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def f1(found: Floats, expected: Floats, predicted: Floats) -> Floats:
    """Compute F1 = 2 TP / (2 TP + FP + FN) = 2 found / (expected + predicted) (van Rijsbergen 1979)."""
    return ratio(2 * found, expected + predicted)


def pseudo_values(whole: Floats, without: Floats) -> Floats:
    """Compute what each article contributes: n·figure − (n − 1)·figure without it.

    `whole` (…) are figures over n articles, `without` (…, n) the same with one article left out; where the figure
    is no number without an article, that article contributes the figure itself.
    """
    articles = without.shape[-1]
    each = whole[..., np.newaxis]
    values: Floats = articles * each - (articles - 1) * np.where(np.isfinite(without), without, each)
    return values


def student_bounds(whole: Floats, pseudo: Floats, level: float) -> tuple[Floats, Floats]:
    """Compute one-sided bounds below and above a figure (…), each at `level`: jackknife standard error, Student's t.

    `pseudo` (…, n) are its pseudo-values. Where few of them decide, their variance is known less well than n
    suggests: the degrees of freedom are those of their kurtosis, 2n / (κ − (n − 3)/(n − 1)), at most n − 1
    (O'Neill 2014, Some useful moment results in sampling problems).
    """
    articles = pseudo.shape[-1]
    squares = (pseudo - pseudo.mean(axis=-1, keepdims=True)) ** 2
    kurtosis = ratio((squares**2).mean(axis=-1), squares.mean(axis=-1) ** 2)
    freedom = np.fmin(2 * articles / (kurtosis - (articles - 3) / (articles - 1)), articles - 1)
    reach = student_quantile(level, freedom) * np.sqrt(squares.sum(axis=-1) / (articles - 1) / articles)
    return whole - reach, whole + reach


def cautious_low(pseudo: Floats, level: float, worst: Floats, *, seed: int = SEED) -> Floats:
    """Bound the mean of (…, n) values from below, one-sided at `level`, which holds where rare ones decide.

    The articles are weighted at random, with one more imagined whose value is the `worst` (…) there can be (or the
    lowest seen, where that is lower): with none of n articles lost, up to 1 − (1 − level)^(1/n) of all articles
    may be. It is the bound of Gaffke (2004; Learned-Miller and Thomas 2019), for shares that of Clopper and Pearson.
    """
    articles = pseudo.shape[-1]
    imagined = np.minimum(pseudo.min(axis=-1), worst)
    weights = np.random.default_rng(seed).dirichlet(np.ones(articles + 1), size=_WEIGHTS)
    means = np.concatenate([pseudo, imagined[..., np.newaxis]], axis=-1) @ weights.T
    bound: Floats = np.quantile(means, 1 - level, axis=-1)
    return bound


def student_quantile(share: float, freedom: Floats) -> Floats:
    """Compute the quantile of Student's t (Abramowitz and Stegun 26.7.5), within 0.001 from 5 degrees of freedom on."""
    z = NormalDist().inv_cdf(share)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / freedom + second / freedom**2 + third / freedom**3 + fourth / freedom**4
