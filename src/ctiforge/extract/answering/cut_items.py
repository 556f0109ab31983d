"""Items that a window's border cuts: where to look again, so that they are seen whole."""

from collections.abc import Sequence

from ctiforge.extract.answering.merging import is_part_of, overlapping
from ctiforge.records.observable import Observable
from ctiforge.training.windows import Pieces, Window, window_from, window_to

_CONTEXT = 0.1
"""Share of a window that is left for what stands before (or after) the item."""


def windows_around_cuts(
    text: str, pieces: Pieces, answers: Sequence[tuple[Window, Sequence[Observable]]], window_tokens: int
) -> list[Window]:
    """Choose a window for each item that a border of its window cuts off, or may have cut off.

    Args:
        text: The article.
        pieces: Its pieces.
        answers: The windows that were asked about, with what was found in each.
        window_tokens: Tokens of a window.

    Returns:
        Windows that show what goes on beyond the border, in order and each once; none for an item that a neighboring
        window shows as part of a longer one.
    """
    found: set[Window] = set()
    asked = {window for window, _ in answers}
    for window, items in answers:
        others = overlapping(window, answers)
        for item in items:
            # of a lineage neither name is one that a cut would have shortened
            if item.type == "process_lineage" or is_part_of(item, others):
                continue
            again = _window_again(text, pieces, window, item.value, window_tokens)
            if again and again not in asked:
                found.add(again)
    return sorted(found)


def _window_again(text: str, pieces: Pieces, window: Window, value: str, window_tokens: int) -> Window | None:
    shown = text[window.start : window.end]
    context = int(window_tokens * _CONTEXT)
    if window.end < len(text) and shown.rstrip().endswith(value):
        start = window.start + len(shown.rstrip()) - len(value)
        return window_from(pieces, start, window_tokens, context)
    if window.start > 0 and shown.lstrip().startswith(value):
        end = window.start + len(shown) - len(shown.lstrip()) + len(value)
        return window_to(pieces, end, window_tokens, context)
    return None
