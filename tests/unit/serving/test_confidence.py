"""What a model's probabilities are worth."""

import pytest

from ctiforge.serving.confidence import CALIBRATED_FROM, Calibration, fit_calibration


@pytest.mark.parametrize(
    ("probability", "share"), [(0.0, 0.1), (0.2, 0.1), (0.3, 0.2), (0.4, 0.3), (0.7, 0.6), (1.0, 0.9)]
)
def test_between_points_the_line_is_straight_and_beyond_them_level(probability: float, share: float) -> None:
    assert Calibration((0.2, 0.4, 1.0), (0.1, 0.3, 0.9), 200).share(probability) == pytest.approx(share)


def test_a_calibration_needs_enough_items() -> None:
    assert fit_calibration([(0.9, True)] * (CALIBRATED_FROM - 1)) is None


def test_a_calibration_rises_and_says_which_share_was_right() -> None:
    pairs = [(0.5, number % 2 == 0) for number in range(200)] + [(0.9, number % 10 != 0) for number in range(200)]
    pairs += [(0.7, number % 4 == 0) for number in range(200)]
    found = fit_calibration(pairs)
    assert found is not None
    assert found.items == 600
    assert found.share(0.9) == pytest.approx(0.9)
    # more probable and less often right: both get the share of both
    assert found.share(0.5) == found.share(0.7) == pytest.approx(0.375)
    assert list(found.shares) == sorted(found.shares)


def test_of_equal_probabilities_one_share_is_learnt() -> None:
    found = fit_calibration([(1.0, True)] * 150 + [(1.0, False)] * 50)
    assert found is not None
    assert found.share(0.3) == found.share(1.0) == pytest.approx(0.75)
