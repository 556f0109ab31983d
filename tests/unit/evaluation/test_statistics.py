import numpy as np
import pytest

from ctiforge.evaluation.statistics import effective_articles, estimate, f1, holm, jackknife, leave_one_out, ratio


def test_ratio_of_nothing_is_no_number() -> None:
    assert np.isnan(ratio(np.array([0.0]), np.array([0.0]))[0])
    assert f1(np.array([3.0]), np.array([5.0]), np.array([6.0]))[0] == pytest.approx(6 / 11)


def test_of_a_mean_the_error_is_the_usual_one_and_the_interval_students() -> None:
    values = np.array([0.1, 0.5, 0.9, 0.3, 0.7])
    drawn = leave_one_out(5)
    found = estimate(drawn @ values / drawn.sum(axis=1), np.ones(5))

    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(5))
    # five degrees of freedom: 2.5706 of the table of Student's t
    interval = found.interval(0.95)
    assert interval is not None
    assert interval.high == pytest.approx(found.value + 2.5706 * found.error, abs=1e-4)
    assert found.low(0.975) == pytest.approx(interval.low)


def test_a_figure_that_is_no_number_without_an_article_takes_the_figure_itself_from_it() -> None:
    found = jackknife(np.array(0.5), np.array([np.nan, 0.5, 0.5]), np.ones(3))
    assert found.error == pytest.approx(0)


def test_where_few_articles_hold_most_items_many_know_no_more_than_those() -> None:
    assert effective_articles(np.ones(30)) == pytest.approx(30)
    assert effective_articles(np.array([1000.0, 1000, 1, 1, 1, 1])) == pytest.approx(2, abs=0.02)
    assert effective_articles(np.zeros(4)) == 1


def test_nothing_that_differs_has_a_p_value_of_one_and_what_always_differs_of_nothing() -> None:
    same, gained = (jackknife(np.array(each), np.full(12, each), np.ones(12)) for each in (0.0, 0.1))
    assert same.p_value() == 1
    assert gained.p_value() == 0
    assert gained.low(0.999) == pytest.approx(0.1)


def test_holm_adjusts_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        # items of one article share its difficulty, and a few articles hold most of them
        difficulty = rng.beta(4, 2, size=30)
        expected = np.where(rng.random(30) < 0.15, 25, rng.integers(1, 4, size=30))
        found = rng.binomial(expected, difficulty)
        drawn = leave_one_out(30)
        interval = estimate(drawn @ found / (drawn @ expected), expected.astype(float)).interval()
        assert interval is not None
        covered += interval.low <= 4 / 6 <= interval.high

    assert 0.9 <= covered / 400 <= 0.98
