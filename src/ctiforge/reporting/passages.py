"""The text of an article around what is to be shown of it, marked."""

import re
from collections.abc import Sequence

from ctiforge.reporting.view import Piece, ShownPassage

AROUND = 160
"""Characters of the article on either side of what is marked."""
LONGEST = 400
"""Characters of a value, or of what lies between two marks, that are shown."""
_SLACK = 24

Stretch = tuple[int, int]
"""First character, and one past the last."""


def passage(text: str, marked: Sequence[Stretch], title: str = "") -> ShownPassage:
    """Cut out the article around these stretches, whole words, with what is left out shown by an ellipsis."""
    stretches = _merged(marked)
    start, end = max(0, stretches[0][0] - AROUND), min(len(text), stretches[-1][1] + AROUND)
    first, last = _word_start(text, start, stretches[0][0]), _word_end(text, end, stretches[-1][1])
    pieces = [Piece(("… " if first else "") + _lines(text[first : stretches[0][0]]))]
    for number, (begin, finish) in enumerate(stretches):
        pieces.append(Piece(shortened(text[begin:finish]), is_marked=True))
        if number + 1 < len(stretches):
            pieces.append(Piece(shortened(_lines(text[finish : stretches[number + 1][0]]))))
    pieces.append(Piece(_lines(text[stretches[-1][1] : last]) + (" …" if last < len(text) else "")))
    return ShownPassage(tuple(piece for piece in pieces if piece.text), title)


def shortened(text: str) -> str:
    """Shorten a text: its middle is left out where it is very long."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} … ({len(text):,} characters) … {text[-half:]}"


def _merged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Sort the stretches and merge those that overlap."""
    merged: list[Stretch] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _word_start(text: str, at: int, limit: int) -> int:
    found = re.compile(r"\s\S").search(text, max(0, at - 1), min(limit, at + _SLACK)) if at else None
    return found.start() + 1 if found else at


def _word_end(text: str, at: int, limit: int) -> int:
    if at == len(text):
        return at
    return next((place for place in range(at, max(limit, at - _SLACK), -1) if text[place].isspace()), at)


def _lines(text: str) -> str:
    """Drop empty lines, which would only take room."""
    return re.sub(r"\n\s*\n", "\n", text)
