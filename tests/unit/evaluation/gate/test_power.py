"""What a plan says is what simulated test sets do."""

import numpy as np
import pytest

from ctiforge.evaluation.gate.looks import own_level, together_level
from ctiforge.evaluation.gate.power import Spread, articles_needed, power, spread_of, table_sizes
from ctiforge.evaluation.gate.sides import Figures
from ctiforge.evaluation.statistics import Floats, jackknife


def figures(found: list[float], size: list[float]) -> Figures:
    """A share of items of each size found in each article."""
    items, all_items = np.array(found), np.array(size)
    return Figures("F1", "higher", "share", lambda drawn: (drawn @ items) / (drawn @ all_items), all_items)


def test_the_power_is_what_simulated_candidates_reach() -> None:
    """Gains of 40 equally large articles, each a normal of spread 0.2; candidates share half of it, the champion's."""
    rng = np.random.default_rng(4)
    articles, candidates, true = 40, 7, 0.09
    alone, one_of_seven = [], []
    for _ in range(400):
        champion = rng.normal(0, 0.2 * np.sqrt(0.5), articles)
        gains = true + rng.normal(0, 0.2 * np.sqrt(0.5), (candidates, articles)) - champion
        alone.append(low(gains, own_level())[0] > 0)
        together = low(gains.mean(axis=0, keepdims=True), together_level())[0] > 0
        one_of_seven.append(together or (low(gains, own_level()) > 0).any())
    spread = Spread(0.2, 1.0, assumed=False)
    assert power(spread, true, articles, 1) == pytest.approx(np.mean(alone), abs=0.07)
    assert power(spread, true, articles, candidates) == pytest.approx(np.mean(one_of_seven), abs=0.07)


def low(gains: Floats, level: float) -> Floats:
    """Bound mean gains (candidates,) of gains (candidates, articles) from below."""
    articles = gains.shape[1]
    without = (gains.sum(axis=1, keepdims=True) - gains) / (articles - 1)
    return jackknife(gains.mean(axis=1), without, np.ones(articles)).low(level)


def test_the_articles_needed_are_the_fewest_that_are_enough() -> None:
    spread = Spread(0.3, 0.4, assumed=False)
    needed = articles_needed(spread, 0.05, 7, 0.75)
    assert needed is not None
    assert power(spread, 0.05, needed, 7) >= 0.75 > power(spread, 0.05, needed - 1, 7)
    assert articles_needed(spread, 0.0001, 1, 0.9) is None


def test_a_few_large_articles_ask_for_more() -> None:
    even, skewed = (articles_needed(Spread(0.3, share, assumed=False), 0.08, 7, 0.5) for share in (1.0, 0.1))
    assert even is not None
    assert skewed is not None
    assert skewed > even


def test_the_spread_is_the_pairs_where_there_is_one_and_guessed_where_not() -> None:
    one, other = figures([3, 1, 2, 4, 0], [4, 4, 4, 4, 4]), figures([3, 2, 2, 4, 1], [4, 4, 4, 4, 4])
    pair, alone = spread_of(one, other), spread_of(one)
    assert pair is not None
    assert alone is not None
    assert (pair.assumed, alone.assumed, pair.effective) == (False, True, pytest.approx(1.0))
    assert pair.error < alone.error
    assert spread_of(figures([1, 1], [1, 1])) is None


def test_a_plan_begins_with_the_test_set_there_is() -> None:
    assert table_sizes(24) == [24, 30, 50, 100, 200, 400]
    assert table_sizes(100) == [100, 200, 400]
