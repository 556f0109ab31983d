"""Where the parts of a picture lie: dots and whiskers in percent of a cell, curves in units of a drawing."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ctiforge.reporting.view import Chart, Series, Tick
from ctiforge.tables import IntervalPlot

Coordinates = tuple[float, float]
"""A step and what was measured there, or a place in a drawing."""
Frame = tuple[float, float, float, float]
"""Left, top, right and bottom of a plotting area."""
MOST_POINTS = 400
_WIDTH, _HEIGHT = 720.0, 300.0
_FRAME = (78.0, 42.0, 698.0, 254.0)
_LOW_FRAME = (78.0, 16.0, 698.0, 84.0)


def share_plot(says: str, value: float, low: float | None, high: float | None, *, bar: bool = False) -> IntervalPlot:
    """Plot a share, 0 to 1 over the whole width."""
    ends = [_clamp(100 * each) if each is not None else None for each in (low, high)]
    return IntervalPlot(says, _clamp(100 * value), ends[0], ends[1], bar=bar)


def difference_plot(says: str, value: float, low: float | None, high: float | None, reach: float) -> IntervalPlot:
    """Plot a difference on a scale from −reach to +reach, with a line at 0."""

    def place(number: float) -> float:
        return _clamp(50 + 50 * number / reach)

    if low is None or high is None:
        return IntervalPlot(says, place(value), zero=50)
    return IntervalPlot(says, place(value), place(low), place(high), zero=50)


def reach_of(numbers: Iterable[float | None]) -> float:
    """Choose a scale on which all of these differences lie."""
    return max((abs(number) for number in numbers if number is not None), default=0.0) or 1.0


def loss_chart(
    training: Sequence[Coordinates],
    validation: Sequence[Coordinates],
    *,
    best_step: int | None,
    unit: str,
) -> Chart | None:
    """Draw the loss over steps, logarithmic, the best validation marked; None where there is no loss at all."""
    lines = [("training", _drawable(training), False), ("validation", _drawable(validation), True)]
    points = [point for _, each, _ in lines for point in each]
    if not points:
        return None
    last = max(step for step, _ in points)
    low, high = (math.log10(end) for end in (min(loss for _, loss in points), max(loss for _, loss in points)))
    low, high = (low, high) if high - low > 0.05 else (low - 0.05, high + 0.05)

    def up(exponent: float) -> float:
        return _up((exponent - low) / (high - low), _FRAME)

    def place(point: Coordinates) -> Coordinates:
        return _across(point[0], last, _FRAME), up(math.log10(point[1]))

    best = next((point for point in lines[1][1] if point[0] == best_step), None)
    said = [f"{name} loss from {each[0][1]:.3g} to {each[-1][1]:.3g}" for name, each, _ in lines if each]
    said += [f"lowest validation loss {best[1]:.4g} at step {best[0]:g}"] if best else []
    return Chart(
        title="Loss over training",
        says=f"{unit} over {last:g} steps: {'; '.join(said)}",
        width=_WIDTH,
        height=_HEIGHT,
        frame=_FRAME,
        across=_step_ticks(last, _FRAME),
        up=tuple(Tick(up(exponent), f"{10**exponent:.3g}") for exponent in _log_ticks(low, high)),
        across_title="step (optimizer updates)",
        up_title=f"{unit}, logarithmic",
        series=tuple(
            Series(name, tuple(place(point) for point in (each if has_dots else _thinned(each))), has_dots)
            for name, each, has_dots in lines
            if each
        ),
        marked=place(best) if best else None,
        marked_text=said[-1] if best else "",
    )


def rate_chart(points: Sequence[Coordinates], last: float) -> Chart | None:
    """Draw the learning rate over steps, `last` of them; None where it is not known."""
    if not points:
        return None
    most = max(rate for _, rate in points) or 1.0
    says = f"learning rate over {last:g} steps: at most {most:.3g}, {points[-1][1]:.3g} at the end"
    return _low_chart("Learning rate", says, points, last, {0.0: "0", 1.0: f"{most:.2g}"}, most)


def f1_chart(points: Sequence[Coordinates], last: float) -> Chart | None:
    """Draw F1 of validation articles over steps, `last` of them; None where nothing was judged by it."""
    if not points:
        return None
    step, best = max(points, key=lambda each: each[1])
    says = f"F1 of greedy answers over {last:g} steps: at most {best:.3f}, at step {step:g}"
    drawn = _low_chart("F1 of validation articles", says, points, last, {0.0: "0", 0.5: "0.5", 1.0: "1"}, 1.0)
    place = (_across(step, last, _LOW_FRAME), _up(best, _LOW_FRAME))
    return replace(drawn, marked=place, marked_text=f"{best:.3f}")


def _low_chart(
    title: str, says: str, points: Sequence[Coordinates], last: float, ticks: Mapping[float, str], most: float
) -> Chart:
    """Draw one line over steps; `ticks` are shares of `most`, and what stands at them."""
    line = tuple((_across(step, last, _LOW_FRAME), _up(value / most, _LOW_FRAME)) for step, value in _thinned(points))
    return Chart(
        title=title,
        says=says,
        width=_WIDTH,
        height=130.0,
        frame=_LOW_FRAME,
        across=_step_ticks(last, _LOW_FRAME),
        up=tuple(Tick(_up(share, _LOW_FRAME), text) for share, text in ticks.items()),
        across_title="step (optimizer updates)",
        up_title="",
        series=(Series("", line),),
    )


def _clamp(percent: float) -> float:
    return round(min(100.0, max(0.0, percent)), 2)


def _across(step: float, last: float, frame: Frame) -> float:
    return round(frame[0] + (frame[2] - frame[0]) * step / (last or 1), 1)


def _up(share: float, frame: Frame) -> float:
    return round(frame[3] - (frame[3] - frame[1]) * share, 1)


def _drawable(points: Sequence[Coordinates]) -> list[Coordinates]:
    """Keep the points that a logarithmic scale has a place for."""
    return [(step, loss) for step, loss in points if math.isfinite(loss) and loss > 0]


def _thinned(points: Sequence[Coordinates]) -> list[Coordinates]:
    """Thin out to about `MOST_POINTS`: each is the mean of its neighbors, at the last one's step."""
    together = math.ceil(len(points) / MOST_POINTS)
    parts = [points[start : start + together] for start in range(0, len(points), together or 1)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def _step_ticks(last: float, frame: Frame) -> tuple[Tick, ...]:
    rough = last / 5 or 1
    power = 10 ** math.floor(math.log10(rough))
    step = max(1, next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough))
    return tuple(Tick(_across(at, last, frame), f"{at:g}") for at in range(0, math.floor(last) + 1, round(step)))


def _log_ticks(low: float, high: float) -> list[float]:
    """Choose exponents of round numbers between two: powers of ten, with more between where few fit; else the ends."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1,), (1, 2, 5), range(1, 10)):
        exponents = [power + math.log10(factor) for power in powers for factor in factors]
        inside = [exponent for exponent in exponents if low <= exponent <= high]
        if len(inside) > 2:
            return inside
    return [low, high]
