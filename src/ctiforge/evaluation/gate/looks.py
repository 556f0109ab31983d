"""What one look at a test set may risk, so that a year of looks promotes hardly any model that is no better. Pure.

Every candidate is held against the same champion on the same articles, so that all of a year's comparisons share the
champion's luck: they are correlated by one half, as several treatments are that are held against one control
(Dunnett 1955, A multiple comparison procedure for comparing several treatments with a control). Each look is given the
same share of the risk, so that it does not matter in which night a better model arrives.
"""

from functools import cache
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

YEAR = 365
"""Looks at one test set that the risk is spread over: one candidate a night."""
RISK = 0.10
"""The share of years in which any of so many equal models is promoted."""
SHARED = 0.5
"""The correlation of two candidates' gains over one champion: that of equal variances on all sides."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@cache
def look_level(looks: int = YEAR, risk: float = RISK) -> float:
    """Compute the one-sided confidence that each look must reach.

    Args:
        looks: Candidates that will be held against one champion.
        risk: How likely any of them may pass though none is better, 0 to 1.

    Returns:
        The level, 0 to 1: 1 − risk for one look, above it for more.
    """
    return NormalDist().cdf(brentq(lambda bar: any_passes(bar, looks) - risk, -8, 8))


def any_passes(bar: float, looks: int) -> float:
    """Compute how likely the highest of `looks` standard normal gains, correlated by `SHARED`, is above a bar.

    Args:
        bar: In standard errors above the true gain.
        looks: How many gains there are.

    Returns:
        The probability, by quadrature over what the gains share.
    """
    each = ndtr((bar + np.sqrt(SHARED) * _NODES) / np.sqrt(1 - SHARED))
    return 1 - float(_WEIGHTS @ each**looks / _WEIGHTS.sum())
