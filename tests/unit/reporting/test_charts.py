import math

from hypothesis import given
from hypothesis import strategies as st

from ctiforge.reporting.charts import (
    MOST_POINTS,
    difference_plot,
    f1_chart,
    loss_chart,
    rate_chart,
    reach_of,
    share_plot,
)

LOSSES = st.lists(st.tuples(st.integers(1, 100_000), st.floats(1e-8, 1e4)), max_size=30)


def test_shares_lie_from_left_to_right():
    plot = share_plot("says", 0.25, 0.1, 0.5)
    assert (plot.value, plot.low, plot.high, plot.zero) == (25, 10, 50, None)
    assert share_plot("says", 1.7, None, None).value == 100


def test_differences_lie_around_a_zero_in_the_middle():
    plot = difference_plot("says", -0.1, -0.2, 0.1, reach_of([-0.2, 0.1, None]))
    assert (plot.zero, plot.value, plot.low, plot.high) == (50, 25, 0, 75)
    assert reach_of([None, 0.0]) == 1


def test_the_best_step_is_marked_and_told():
    chart = loss_chart([(10, 2.0), (20, 1.0)], [(10, 1.5), (20, 0.5)], best_step=20, unit="loss")
    assert chart.marked == chart.series[1].points[-1]
    assert "lowest validation loss 0.5 at step 20" in chart.says
    assert [series.label for series in chart.series] == ["training", "validation"]


def test_without_losses_there_is_no_chart():
    assert loss_chart([], [], best_step=None, unit="loss") is None
    assert loss_chart([(1, 0.0)], [(1, math.nan)], best_step=1, unit="loss") is None
    assert rate_chart([], 9) is None


@given(LOSSES, LOSSES)
def test_everything_lies_in_the_frame(training, validation):
    chart = loss_chart(sorted(training), sorted(validation), best_step=None, unit="loss")
    assert (chart is None) == (not training and not validation)
    if chart:
        left, top, right, bottom = chart.frame
        points = [point for series in chart.series for point in series.points]
        assert all(left <= x <= right and top <= y <= bottom for x, y in points)
        assert all(left <= tick.at <= right for tick in chart.across)
        assert all(top - 0.1 <= tick.at <= bottom + 0.1 for tick in chart.up)
        assert len(chart.across) <= 12


def test_a_long_log_is_thinned_without_losing_its_end():
    chart = loss_chart([(step, 1.0) for step in range(1, 100_001)], [], best_step=None, unit="loss")
    assert len(chart.series[0].points) <= MOST_POINTS
    assert chart.series[0].points[-1][0] == chart.frame[2]


def test_the_rate_starts_and_ends_where_it_should():
    chart = rate_chart([(1, 0.0), (50, 2e-3), (100, 0.0)], 100)
    _, top, _, bottom = chart.frame
    assert [y for _, y in chart.series[0].points] == [bottom, top, bottom]
    assert rate_chart([(1, 0.0)], 1) is not None


def test_the_best_step_is_marked():
    chart = f1_chart([(10.0, 0.1), (20.0, 0.5), (30.0, 0.3)], 30)
    assert chart is not None
    assert chart.says == "F1 of greedy answers over 30 steps: at most 0.500, at step 20"
    assert chart.marked in chart.series[0].points
    assert chart.marked_text == "0.500"
    assert [tick.text for tick in chart.up] == ["0", "0.5", "1"]


def test_where_nothing_was_judged_there_is_no_curve():
    assert f1_chart([], 30) is None


def test_the_learning_rate_keeps_its_scale():
    chart = rate_chart([(1.0, 1e-4), (2.0, 2e-4)], 2)
    assert chart is not None
    assert [tick.text for tick in chart.up] == ["0", "0.0002"]
