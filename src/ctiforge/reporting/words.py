"""Figures and judgements in words."""

from collections.abc import Mapping
from typing import Any

from ctiforge.lines.line import MARGIN
from ctiforge.records.comparison import ChangeVerdict
from ctiforge.records.decision import GateVerdict
from ctiforge.records.evaluation import Direction, Unit
from ctiforge.tables import Mark

MARKS: Mapping[ChangeVerdict, Mark] = {
    "better": Mark("good", "▲", "better"),
    "worse": Mark("bad", "▼", "worse"),
    "underpowered": Mark("unsure", "?", "underpowered"),
    "no clear difference": Mark("plain", "≈", "no clear difference"),
    "changed": Mark("plain", "◆", "changed"),
    "equal": Mark("plain", "=", "equal"),
    "n/a": Mark("plain", "–", "n/a"),
}
GATE_MARKS: Mapping[GateVerdict, Mark] = {
    "better": Mark("good", "▲", "better"),
    "likely better": Mark("unsure", "△", "likely better"),
    "no worse": Mark("good", "✓", "no worse"),
    "no loss shown": Mark("good", "✓", "no loss shown"),
    "likely worse": Mark("unsure", "▽", "likely worse"),
    "counts only": Mark("plain", "#", "counts only"),
    "equivalent": Mark("unsure", "≈", "equivalent"),
    "underpowered": Mark("unsure", "?", "underpowered"),
    "worse": Mark("bad", "▼", "worse"),
    "n/a": Mark("plain", "–", "n/a"),
}
UNDERPOWERED = (
    f"Underpowered: too few articles, or an interval around 0 that reaches further than ±{MARGIN:g} on average; "
    "neither a win nor a loss."
)
_DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "none": ""}


def figure(value: float | None, unit: Unit = "share") -> str:
    """Write a share in three decimals, a number in three digits, with a true minus; n/a where there is none."""
    if value is None:
        return "n/a"
    is_large = unit == "number" and abs(value) >= 100
    return (f"{value:,.0f}" if is_large else f"{value:.3f}" if unit == "share" else f"{value:.3g}").replace("-", "−")


def interval(low: float | None, high: float | None, unit: Unit = "share") -> str:
    """Write `low … high`; nothing where there is none."""
    return "" if low is None or high is None else f"{figure(low, unit)} … {figure(high, unit)}"


def signed(value: float | None, unit: Unit = "share") -> str:
    """Write a difference with its sign."""
    text = figure(value, unit)
    return text if value is None or value < 0 else f"+{text}"


def signed_interval(low: float | None, high: float | None, unit: Unit = "share") -> str:
    """Write the interval of a difference; nothing where there is none."""
    return "" if low is None or high is None else f"{signed(low, unit)} … {signed(high, unit)}"


def level(confidence: float) -> str:
    """Write a confidence as a percentage, with as many digits as tell it from its neighbors."""
    return f"{100 * confidence:.4g}%"


def direction(which: Direction) -> str:
    """Word which way is better."""
    return _DIRECTIONS[which]


def percent(share: float) -> str:
    """Write a share as a percentage, with more digits where it is small."""
    return f"{share:.2%}" if 0 < share < 0.1 else f"{share:.1%}"


def duration(seconds: float | None) -> str:
    """Write seconds, minutes or hours; nothing where they are not known."""
    if seconds is None:
        return ""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int | None) -> str:
    """Write bytes as MB; nothing where they are not known."""
    return "" if count is None else f"{count / 1e6:.1f} MB"


def count(number: float | None) -> str:
    """Write a count with its thousands apart; nothing where it is not known."""
    return "" if number is None else f"{number:,.0f}"


def plural(number: int, one: str, many: str = "") -> str:
    """Write `1 article`, `2 articles`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def setting(value: Any) -> str:
    """Write a setting's value as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else str(value)
