"""What one look may risk, beside the published tables and beside many simulated years."""

from statistics import NormalDist

import numpy as np
import pytest

from ctiforge.evaluation.gate.looks import (
    OWN_RISK,
    RISK,
    TOGETHER,
    TOGETHER_RISK,
    YEAR,
    any_passes,
    look_level,
    own_level,
    together_level,
)


@pytest.mark.parametrize(("looks", "bar"), [(1, 1.645), (2, 1.916), (5, 2.234), (9, 2.417)])
def test_the_bars_are_those_of_dunnetts_table(looks: int, bar: float) -> None:
    """One-sided 5 %, infinite degrees of freedom (Dunnett 1955, table 1a)."""
    assert NormalDist().inv_cdf(look_level(looks, 0.05)) == pytest.approx(bar, abs=0.002)


def test_a_year_of_equal_candidates_rarely_has_one_that_passes() -> None:
    rng = np.random.default_rng(0)
    champion, candidates = rng.normal(size=(4000, 1)), rng.normal(size=(4000, YEAR))
    own = (candidates - champion) / np.sqrt(2)
    sums = np.cumsum(candidates, axis=1)
    weeks = (sums[:, TOGETHER:] - sums[:, :-TOGETHER]) / TOGETHER
    together = (weeks - champion) / np.sqrt(1 + 1 / TOGETHER)
    by_own = (own > NormalDist().inv_cdf(own_level())).any(axis=1)
    by_together = (together > NormalDist().inv_cdf(together_level())).any(axis=1)
    assert by_own.mean() == pytest.approx(OWN_RISK, abs=0.01)
    # weeks overlap, which risks less than what is allowed
    assert TOGETHER_RISK / 2 < by_together.mean() <= TOGETHER_RISK + 0.01
    assert (by_own | by_together).mean() <= RISK


def test_more_candidates_are_likelier_to_hold_one_above_a_bar() -> None:
    assert any_passes(1.0, 1) == pytest.approx(1 - NormalDist().cdf(1.0))
    assert any_passes(1.0, 1) < any_passes(1.0, 7) < any_passes(1.0, 30)


def test_seven_together_ask_for_less_than_one_alone() -> None:
    assert together_level() < own_level()
