"""Joins the answers of an article's windows into one list, in the shape the application stores."""

from collections.abc import Sequence
from typing import Any

from ctiforge.observables.values import normalize
from ctiforge.records.observable import Observable
from ctiforge.training.windows import Window


def merge_windows(text: str, answers: Sequence[tuple[Window, Sequence[Observable]]]) -> tuple[Observable, ...]:
    """Join the answers of an article's windows: one entry per canonical value, in order of appearance.

    Neighboring windows overlap, so an item may be seen whole in one and cut in the next: what touches
    a window's border inside the text and is contained in a longer item of an overlapping window is dropped.
    """
    merged: dict[tuple[str, str], Observable] = {}
    for window, items in answers:
        neighbors = overlapping(window, answers)
        for item in items:
            if _touches_border(text, window, item.value) and is_part_of(item, neighbors):
                continue
            merged.setdefault((item.type, normalize(item.type, item.value)), item)
    return tuple(merged.values())


def overlapping(window: Window, answers: Sequence[tuple[Window, Sequence[Observable]]]) -> list[Observable]:
    """List what was found in the windows that share text with one.

    Args:
        window: The window.
        answers: All windows, with what was found in each.

    Returns:
        The items of the others.
    """
    return [item for other, items in answers if _overlap(other, window) for item in items]


def is_part_of(item: Observable, others: Sequence[Observable]) -> bool:
    """Tell whether an item is contained in a longer one of its type.

    Args:
        item: The item.
        others: What it may be a part of.

    Returns:
        True where one of them holds its normalized value.
    """
    value = normalize(item.type, item.value)
    return any(
        other.type == item.type and len(other.value) > len(item.value) and value in normalize(other.type, other.value)
        for other in others
    )


def application_result(observables: Sequence[Observable], source_url: str | None) -> dict[str, Any]:
    """Write an extraction as the application stores it: the items, a summary, the count of distinct values.

    Args:
        observables: What was found in the article.
        source_url: The article's page, None where nobody knows it.

    Returns:
        What the application keeps as `extraction_result`, as JSON can hold it.
    """
    distinct = {(item.type, normalize(item.type, item.value)) for item in observables}
    return {
        "observables": [item.model_dump(exclude_none=True) for item in observables],
        "summary": {
            "count": len(observables),
            "source_url": source_url,
            "platforms_detected": sorted({item.platform for item in observables if item.platform}),
        },
        "discrete_huntables_count": len(distinct),
    }


def _overlap(one: Window, other: Window) -> bool:
    return one != other and one.start < other.end and other.start < one.end


def _touches_border(text: str, window: Window, value: str) -> bool:
    shown = text[window.start : window.end].strip()
    at_start = window.start > 0 and shown.startswith(value)
    at_end = window.end < len(text) and shown.endswith(value)
    return at_start or at_end
