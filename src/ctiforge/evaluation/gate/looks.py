"""What one look at a test set may risk, so that a year of looks promotes hardly any model that is no better. Pure.

Every candidate is held against the same champion on the same articles, so all of a year's gains share the champion's
luck: they are correlated by one half, as several treatments are that are held against one control (Dunnett 1955, A
multiple comparison procedure for comparing several treatments with a control). Each look is given the same share of
the risk, so that it does not matter in which night a better model arrives.

A candidate is looked at in two ways. Its own gain must be so large that luck alone rarely makes it among 365. Or the
mean gain of the last seven candidates must be above 0, without the best and the worst of them: their own luck cancels
out in it, so that it asks for far less, and what is promoted is one of a better recipe and not the luckiest of many
equals.
"""

from functools import cache
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

YEAR = 365
"""Looks at one test set that the risk is spread over: one candidate a night."""
TOGETHER = 7
"""Candidates whose mean gain is looked at: those of a week."""
OWN_RISK, TOGETHER_RISK = 0.02, 0.08
"""The share of years in which any of so many equal models is promoted, by its own gain or by that of seven together."""
RISK = OWN_RISK + TOGETHER_RISK
SHARED = 0.5
"""The correlation of two candidates' gains over one champion: that of equal variances on all sides."""
SHARED_TOGETHER = SHARED / (SHARED + (1 - SHARED) / TOGETHER)
"""That of the mean gains of seven candidates and of seven others; where they overlap it is larger, which risks less."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


def own_level() -> float:
    """Compute the one-sided confidence that a candidate's own gain must reach."""
    return look_level(YEAR, OWN_RISK, SHARED)


def together_level() -> float:
    """Compute the one-sided confidence that the mean gain of the last candidates must reach."""
    return look_level(YEAR, TOGETHER_RISK, SHARED_TOGETHER)


@cache
def look_level(looks: int, risk: float, shared: float = SHARED) -> float:
    """Compute the one-sided confidence that each of several looks must reach.

    Args:
        looks: How many gains over one champion will be looked at.
        risk: How likely any of them may pass though none is better, 0 to 1.
        shared: Their correlation.

    Returns:
        The level, 0 to 1: 1 − risk for one look, above it for more.
    """
    return NormalDist().cdf(brentq(lambda bar: any_passes(bar, looks, shared) - risk, -8, 8))


def any_passes(bar: float, looks: int, shared: float = SHARED) -> float:
    """Compute how likely the highest of several standard normal gains with one correlation is above a bar.

    Args:
        bar: In standard errors above the true gain.
        looks: How many gains there are.
        shared: Their correlation.

    Returns:
        The probability, by quadrature over what the gains share.
    """
    each = ndtr((bar + np.sqrt(shared) * _NODES) / np.sqrt(1 - shared))
    return 1 - float(_WEIGHTS @ each**looks / _WEIGHTS.sum())
