import numpy as np
import pytest

from ctiforge.evaluation.statistics import draws, f1, interval, ratio


def test_draws_take_as_many_articles_as_there_are_and_repeat_with_the_seed() -> None:
    first, second = (np.concatenate(list(draws(7, replicates=250, seed=3))) for _ in range(2))

    assert first.shape == (250, 7)
    assert (first.sum(axis=1) == 7).all()
    assert np.array_equal(first, second)
    assert not np.array_equal(first, np.concatenate(list(draws(7, replicates=250, seed=4))))


def test_ratio_of_nothing_is_no_number() -> None:
    assert np.isnan(ratio(np.array([0.0]), np.array([0.0]))[0])
    assert f1(np.array([3.0]), np.array([5.0]), np.array([6.0]))[0] == pytest.approx(6 / 11)


def test_interval_leaves_out_what_is_no_number() -> None:
    found = interval(np.array([np.nan, *np.linspace(0, 1, 101)]), level=0.9)

    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.05), pytest.approx(0.95))
    assert interval(np.array([np.nan])) is None
    assert interval(np.array([])) is None


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for trial in range(200):
        # items of one article share its difficulty, as in real articles
        difficulty = rng.beta(4, 2, size=40)
        expected = rng.integers(1, 12, size=40)
        found = rng.binomial(expected, difficulty)
        replicates = np.concatenate(
            [ratio(drawn @ found, drawn @ expected) for drawn in draws(40, replicates=400, seed=trial)]
        )
        got = interval(replicates)
        assert got is not None
        covered += got.low <= 4 / 6 <= got.high

    assert 0.88 <= covered / 200 <= 0.99
