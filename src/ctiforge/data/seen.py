"""Which characters of an article an extractor of the application saw, where its prompt held only a part of it."""

import re
from collections.abc import Iterator

from ctiforge.records.article import CharacterRange

# a line or a sentence, with the white space after it
_PIECE = re.compile(r"[^\n]+?(?:[.!?](?=\s)|(?=\n)|\Z)\s*")
_LAST_WORDS = 20
"""Words before a cut that are enough to find it."""


def seen_stretches(content: str, seen_text: str | None, cut_after: str | None) -> tuple[CharacterRange, ...] | None:
    """Find what of an article stood in a prompt.

    Args:
        content: The article.
        seen_text: The text that the prompt was made of; None: the article itself.
        cut_after: The end of the prompt's text, where it was cut off; None: it was not.

    Returns:
        The stretches, in order and apart; None where everything was seen. What cannot be found again counts as unseen.
    """
    if seen_text is None and cut_after is None:
        return None
    end = len(content) if cut_after is None else _end_of(content, cut_after)
    if seen_text is None:
        return ((0, end),) if end else ()
    text = _squeezed(seen_text)
    pieces = [(first, min(last, end)) for first, last in _pieces(content) if first < end]
    seen = _joined(span for span in pieces if _squeezed(content[slice(*span)]) in text)
    return None if seen == ((0, len(content)),) else seen


def covers(stretches: tuple[CharacterRange, ...] | None, start: int, end: int) -> bool:
    """Tell whether all characters from `start` to `end` were seen.

    Args:
        stretches: As `seen_stretches` returns them.
        start: The first character.
        end: One past the last character.

    Returns:
        True also where everything was seen.
    """
    return stretches is None or any(first <= start and end <= last for first, last in stretches)


def _end_of(content: str, tail: str) -> int:
    """Find where `tail` ends in the article, whatever its white space; 0 where it does not stand there."""
    words = tail.split()[-_LAST_WORDS:]
    # the first word may have lost its beginning
    found = re.search(r"\s+".join(map(re.escape, words[1:] or words)), content) if words else None
    return found.end() if found else 0


def _pieces(content: str) -> Iterator[CharacterRange]:
    at = 0
    for match in _PIECE.finditer(content):
        yield at, match.end()
        at = match.end()
    if at < len(content):
        yield at, len(content)


def _joined(spans: Iterator[CharacterRange]) -> tuple[CharacterRange, ...]:
    joined: list[CharacterRange] = []
    for first, last in spans:
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _squeezed(text: str) -> str:
    return " ".join(text.split())
