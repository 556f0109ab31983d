"""Cuts a text into overlapping windows that never split what must stay whole.

Everything here is in characters of the original text; lengths are counted in tokens of the target
model by a function that is passed in, so that any tokenizer serves.
"""

import bisect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""Tokens of each text of a batch, without special tokens."""

# A text is cut only between pieces: a word with the white space before it, or 48 characters of a longer one.
_PIECE = re.compile(r"\s*\S{1,48}")
# A window opens and closes between sentences where that moves its border by no more than this share of it.
_SNAP_SHARE = 0.15
_SENTENCE_END = ".!?:"


@dataclass(frozen=True, order=True)
class Window:
    """Characters `start` to `end` of a text."""

    start: int
    """The first character."""
    end: int
    """One past the last character."""


@dataclass(frozen=True)
class Pieces:
    """A text's smallest uncut parts: where each starts, and how many tokens lie before each."""

    starts: list[int]
    """First character of each piece, and the text's length last."""
    tokens_before: list[int]
    """Tokens before each piece, and the text's total last."""
    sentence_starts: tuple[int, ...]
    """Indices of pieces that begin a line or a sentence, in order."""

    @property
    def total_tokens(self) -> int:
        """Count the tokens of all pieces together."""
        return self.tokens_before[-1]

    def tokens_between(self, start: int, end: int) -> int:
        """Count the tokens of the pieces that a range of characters touches.

        Args:
            start: The first character.
            end: One past the last character.

        Returns:
            Tokens.
        """
        first = bisect.bisect_right(self.starts, start) - 1
        last = bisect.bisect_left(self.starts, end)
        return self.tokens_before[min(last, len(self.starts) - 1)] - self.tokens_before[max(first, 0)]


def split_pieces(text: str, count_tokens: CountTokens) -> Pieces:
    """Split a text at white space and count each piece's tokens once.

    Args:
        text: The text.
        count_tokens: Counts the tokens of each text of a batch, with the target model's tokenizer.

    Returns:
        The pieces; none of them for a text of white space alone.
    """
    matches = list(_PIECE.finditer(text))
    counts = count_tokens([match.group() for match in matches])
    starts = [match.start() for match in matches] + [len(text)]
    if matches:
        starts[0] = 0
    words = [match.group() for match in matches]
    sentence_starts = tuple(i for i, word in enumerate(words) if i > 0 and _begins_sentence(words[i - 1], word))
    return Pieces(starts, [0, *accumulate(counts)], sentence_starts)


def cut_windows(
    pieces: Pieces, *, window_tokens: int, overlap_tokens: int, keep_whole: Sequence[tuple[int, int]] = ()
) -> list[Window]:
    """Cut a text into windows, each of which shares its beginning with the end of the one before.

    With no range to keep whole (inference) whatever is no longer than the overlap still lies whole in some window.

    Args:
        pieces: The text's pieces.
        window_tokens: Tokens of a window at most; a piece that is longer is a window of its own.
        overlap_tokens: Tokens that neighbors share, about; at most three quarters of a window count.
        keep_whole: Ranges of characters (start, end): no window begins or ends inside one, unless it is longer
            than a window.

    Returns:
        The windows in order; none for a text without tokens.
    """
    if pieces.total_tokens == 0:
        return []
    overlap_tokens = min(overlap_tokens, window_tokens * 3 // 4)
    ranges = sorted(keep_whole)
    windows: list[Window] = []
    first = 0
    while True:
        last = _end_piece(pieces, first, window_tokens)
        last = _out_of_ranges(pieces, last, ranges, lowest=first + 1)
        windows.append(Window(pieces.starts[first], pieces.starts[last]))
        if last == len(pieces.starts) - 1:
            return windows
        following = _start_piece(pieces, last, overlap_tokens, window_tokens)
        following = _out_of_ranges(pieces, following, ranges, lowest=first + 1)
        first = max(following, first + 1)


def window_around(pieces: Pieces, start: int, end: int, window_tokens: int) -> Window:
    """Cut the window that has a range of characters about in its middle.

    Args:
        pieces: The text's pieces.
        start: The first character of the range.
        end: One past its last character.
        window_tokens: Tokens of the window at most, unless the range itself has more.

    Returns:
        The window.
    """
    first = max(bisect.bisect_right(pieces.starts, start) - 1, 0)
    last = min(bisect.bisect_left(pieces.starts, end), len(pieces.starts) - 1)
    spare = window_tokens - (pieces.tokens_before[last] - pieces.tokens_before[first])
    first = min(first, _piece_at_token(pieces, pieces.tokens_before[first] - max(spare, 0) // 2))
    last = max(last, _end_piece(pieces, first, window_tokens))
    return Window(pieces.starts[first], pieces.starts[last])


def window_from(pieces: Pieces, start: int, window_tokens: int, before_tokens: int) -> Window:
    """Cut the window that shows what follows a character.

    Args:
        pieces: The text's pieces.
        start: The character.
        window_tokens: Tokens of the window at most.
        before_tokens: Of these, tokens that stand before the character.

    Returns:
        The window.
    """
    at = max(bisect.bisect_right(pieces.starts, start) - 1, 0)
    first = _piece_at_token(pieces, pieces.tokens_before[at] - before_tokens)
    last = max(bisect.bisect_right(pieces.tokens_before, pieces.tokens_before[first] + window_tokens) - 1, first + 1)
    return Window(pieces.starts[first], pieces.starts[min(last, len(pieces.starts) - 1)])


def window_to(pieces: Pieces, end: int, window_tokens: int, after_tokens: int) -> Window:
    """Cut the window that shows what stands before a character; `after_tokens` of its tokens stand behind it.

    Args:
        pieces: The text's pieces.
        end: One past the character.
        window_tokens: Tokens of the window at most.
        after_tokens: Of these, tokens that stand after the character.

    Returns:
        The window.
    """
    at = min(bisect.bisect_left(pieces.starts, end), len(pieces.starts) - 1)
    limit = pieces.tokens_before[at] + after_tokens
    last = max(bisect.bisect_right(pieces.tokens_before, limit) - 1, at)
    first = bisect.bisect_left(pieces.tokens_before, pieces.tokens_before[last] - window_tokens)
    return Window(pieces.starts[min(first, last - 1)], pieces.starts[last])


def _end_piece(pieces: Pieces, first: int, window_tokens: int) -> int:
    """Find the index one past the last piece of the window that begins at piece `first`: at least one piece."""
    limit = pieces.tokens_before[first] + window_tokens
    last = bisect.bisect_right(pieces.tokens_before, limit) - 1
    last = max(last, first + 1)
    if last == len(pieces.starts) - 1:
        return last
    earliest = pieces.tokens_before[last] - int(window_tokens * _SNAP_SHARE)
    return _snap(pieces, last, earliest)


def _start_piece(pieces: Pieces, last: int, overlap_tokens: int, window_tokens: int) -> int:
    """Find the index of the piece that opens the window after the one that ends before piece `last`."""
    first = _piece_at_token(pieces, pieces.tokens_before[last] - overlap_tokens)
    return _snap(pieces, first, pieces.tokens_before[first] - int(window_tokens * _SNAP_SHARE))


def _snap(pieces: Pieces, index: int, earliest_token: int) -> int:
    """Find the last start of a sentence at or before piece `index`; `index` where that is before `earliest_token`."""
    place = bisect.bisect_right(pieces.sentence_starts, index) - 1
    if place < 0:
        return index
    snapped = pieces.sentence_starts[place]
    return snapped if pieces.tokens_before[snapped] >= earliest_token else index


def _begins_sentence(before: str, word: str) -> bool:
    return "\n" in word[: -len(word.lstrip())] or (before[-1] in _SENTENCE_END and word[0].isspace())


def _piece_at_token(pieces: Pieces, token: int) -> int:
    """Find the index of the last piece that begins at or before `token`."""
    return max(bisect.bisect_right(pieces.tokens_before, max(token, 0)) - 1, 0)


def _out_of_ranges(pieces: Pieces, index: int, ranges: Sequence[tuple[int, int]], *, lowest: int) -> int:
    """Move a cut left until it splits no range; where that is impossible it stays where it was."""
    moved = index
    position = pieces.starts[moved]
    for start, end in reversed(ranges):
        if start < position < end:
            moved = bisect.bisect_right(pieces.starts, start) - 1
            position = pieces.starts[moved]
    return moved if moved >= lowest else index
