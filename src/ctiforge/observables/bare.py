"""Text without what authors, layouts and models add or lose: quotes, white space, escapes, marks of continued lines.

A value and its place in an article often differ in nothing else: quotes moved, dropped or unbalanced, a line wrapped
inside a path, `^` or a backtick at a line's end. What is left is compared letter for letter; where each letter came
from is kept, so that a place in the article is known exactly.
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from ctiforge.observables.values import Folded, fold, lower

SHORTEST_FUZZY = 40
"""Letters that a value has at least to be found with a letter changed."""
MOST_EDITS = 8
"""Letters that differ at most."""
# similarity, in per cent of both texts' letters, of a place that is worth a closer look
_NEAR = 90
_REGISTRY_RULES = (
    (re.compile(r"/"), "\\"),
    (re.compile(r"\bcontrolset00\d\b"), "currentcontrolset"),
    (re.compile(r"\\+"), "\\"),
)
_LEFT_OUT = re.compile(r"[\s\"'`^\\]+")
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class Bare:
    """A bare text, and where each of its characters came from."""

    text: str
    starts: Sequence[int]
    """For each character, its first character in the original text."""
    ends: Sequence[int]
    """For each character, one past its last character in the original text."""

    def find(self, needle: "Bare", gaps: Sequence[int]) -> list[tuple[int, int]]:
        """Find where another bare text stands.

        Args:
            needle: The text to find.
            gaps: Indices of characters of the needle before which it had white space between words.

        Returns:
            (start, end) in the original text, in order; at each gap the original has something between the words too.
        """
        found = []
        at = self.text.find(needle.text) if needle.text else -1
        while at >= 0:
            if all(self.ends[at + gap - 1] < self.starts[at + gap] for gap in gaps):
                found.append((self.starts[at], self.ends[at + len(needle.text) - 1]))
            at = self.text.find(needle.text, at + 1)
        return found


def strip_bare(text: str | Folded, *, registry: bool = False) -> Bare:
    """Take away what makes no difference (see the module), and the case.

    Args:
        text: The text, or the same already folded.
        registry: Whether it is read as a registry path, in which `/` and `ControlSet001` have their usual form too.

    Returns:
        The bare text.
    """
    folded = fold(text) if isinstance(text, str) else text
    bare = Bare(lower(folded.text), folded.starts, folded.ends)
    for pattern, replacement in _REGISTRY_RULES if registry else ():
        bare = _replaced(bare, pattern, replacement)
    return _replaced(bare, _LEFT_OUT, "")


def find_fuzzy(text: Bare, needle: Bare) -> list[tuple[int, int, int]]:
    """Find the stretch that differs from a bare text in a few letters, by whole words.

    A value that breaks off within a word may lack a twentieth of its letters, one that differs elsewhere a fiftieth;
    never more than `MOST_EDITS`.

    Args:
        text: The bare text to look in.
        needle: The text to find; one shorter than `SHORTEST_FUZZY` letters is not looked for.

    Returns:
        The best place as (start, end, letters that differ) in the original text; empty where none is near enough.
    """
    length = len(needle.text)
    if length < SHORTEST_FUZZY:
        return []
    at = text.text.find(needle.text)
    found = None
    if at >= 0:
        most = min(MOST_EDITS, length // 20)
        # all of it stands there, so that words are only completed
        found = _best_border(text, needle, range(at - most, at + 1), range(at + length, at + length + most + 1), most)
    if found is None:
        # heavy: loaded only where something is left to find
        from rapidfuzz import fuzz

        near = fuzz.partial_ratio_alignment(needle.text, text.text, score_cutoff=_NEAR)
        most = min(MOST_EDITS, max(1, length // 50))
        if near:
            found = _best_border(text, needle, _around(near.dest_start, most), _around(near.dest_end, most), most)
    return [found] if found else []


def word_gaps(bare: Bare) -> list[int]:
    """List the characters of a bare text before which its original had something between two words.

    Args:
        bare: The bare text.

    Returns:
        Indices into it: `net user` has one, before the `u`.
    """
    return [
        at
        for at in range(1, len(bare.text))
        if bare.ends[at - 1] < bare.starts[at] and _WORD.match(bare.text[at - 1]) and _WORD.match(bare.text[at])
    ]


def _best_border(text: Bare, needle: Bare, starts: range, ends: range, most: int) -> tuple[int, int, int] | None:
    """Choose the stretch between borders of words of which the fewest letters differ; None beyond `most`."""
    from rapidfuzz.distance import Levenshtein

    places = [
        (Levenshtein.distance(needle.text, text.text[first:last], score_cutoff=most), first, last)
        for first in starts
        for last in ends
        if first < last and _parted(text, first) and _parted(text, last)
    ]
    distance, first, last = min(places, default=(most + 1, 0, 0))
    return (text.starts[first], text.ends[last - 1], distance) if distance <= most else None


def _around(at: int, most: int) -> range:
    return range(at - most, at + most + 1)


def _parted(bare: Bare, at: int) -> bool:
    """Tell whether the original has a border before the character at `at`: no word goes on over it."""
    if not 0 < at < len(bare.text):
        return at in (0, len(bare.text))
    return bare.ends[at - 1] < bare.starts[at] or not (_WORD.match(bare.text[at - 1]) and _WORD.match(bare.text[at]))


def _replaced(bare: Bare, pattern: re.Pattern[str], replacement: str) -> Bare:
    parts: list[str] = []
    starts, ends = array("i"), array("i")
    at = 0
    for match in pattern.finditer(bare.text):
        first, last = match.span()
        parts += (bare.text[at:first], replacement)
        starts.extend(bare.starts[at:first])
        ends.extend(bare.ends[at:first])
        starts.extend([bare.starts[first]] * len(replacement))
        ends.extend([bare.ends[last - 1]] * len(replacement))
        at = last
    if not at:
        return bare
    parts.append(bare.text[at:])
    starts.extend(bare.starts[at:])
    ends.extend(bare.ends[at:])
    return Bare("".join(parts), starts, ends)
