"""Finds an item in its article, and the paragraph that holds it, in the article's own characters."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ctiforge.observables.locate import Alignment, Locator, Occurrence, Span
from ctiforge.observables.values import normalize

LONGEST_PARAGRAPH = 2000
"""Characters of a paragraph that is quoted whole; of a longer one its lines or sentences that hold the item."""

_BREAK = re.compile(r"\n[ \t\r]*(?=\n)")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[]?[A-Z])")


@dataclass(frozen=True)
class PlacedItem:
    """An item with the passage of the article that holds it."""

    type: str
    """The item's type."""
    value: str
    """The item as the article writes it; as the model wrote it where it does not stand there so."""
    span: Span | None
    """Its first place in the article; None where it stands nowhere."""
    paragraph: str | None
    """The paragraph around it, verbatim; None where it stands nowhere."""
    parts: tuple[Span, ...] = ()
    """Where it stands in the paragraph: two parts where it is written apart, as a parent and its child."""
    again: tuple[tuple[Span, ...], ...] = ()
    """Where else it stands in this paragraph, in the same way."""

    @property
    def mentions(self) -> "Iterator[PlacedItem]":
        """Give the item at each place of its paragraph, the first one first."""
        yield self
        for parts in self.again:
            yield replace(self, parts=parts, again=())

    @property
    def around(self) -> tuple[str, str, str]:
        """Part the paragraph into what stands before the item, the item, and what stands behind it."""
        if self.paragraph is None:
            return "", "", ""
        start, end = min(part.start for part in self.parts), max(part.end for part in self.parts)
        return self.paragraph[:start], self.paragraph[start:end], self.paragraph[end:]

    @property
    def sentence(self) -> tuple[str, str, str]:
        """Part the sentence that holds the item likewise: it ends at a line's end, too."""
        before, inside, after = self.around
        before, after = before.rpartition("\n")[2], after.partition("\n")[0].rstrip("\r")
        start = max((end.end() for end in _SENTENCE_END.finditer(before)), default=0)
        end = _SENTENCE_END.search(after)
        return before[start:], inside, after[: end.end()].rstrip() if end else after


class ArticlePlaces:
    """Places items in one article, which is indexed once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._locator = Locator(text)
        self._breaks = [match.end() for match in _BREAK.finditer(text)]

    def place(self, type_: str, value: str) -> PlacedItem:
        """Find the first place of an item, and its paragraph."""
        found = self._locator.locate(type_, value)
        if not found:
            return PlacedItem(type_, value, None, None)
        first = self._best(type_, value, found)
        start, end = self._paragraph(first.start, first.end)
        here = [
            tuple(Span(span.start - start, span.end - start) for span in each.spans)
            for each in found
            if start <= each.start and each.end <= end
        ]
        written = self._locator.as_written(type_, first)
        is_same = first.status in (Alignment.EXACT, Alignment.NORMALIZED)
        is_same = is_same and normalize(type_, written) == normalize(type_, value)
        # a word of the prose (`at`) is no program's name (`at.exe`), though both are spelled alike
        is_same = is_same and not (type_ == "process_lineage" and written.count(".") < value.count("."))
        return PlacedItem(
            type=type_,
            value=written if is_same else value,
            span=Span(first.start, first.end),
            paragraph=self._text[start:end],
            parts=here[0],
            again=tuple(here[1:]),
        )

    def _best(self, type_: str, value: str, found: Sequence[Occurrence]) -> Occurrence:
        """Choose the first place; of a lineage the first where both programs are written as they were given, if any."""
        if type_ != "process_lineage":
            return found[0]
        given = value.casefold()
        return next((each for each in found if self._locator.as_written(type_, each).casefold() == given), found[0])

    def _paragraph(self, start: int, end: int) -> tuple[int, int]:
        """Find the bounds of the text between empty lines; of a long one the lines, of a long line the sentences."""
        before, after = bisect_right(self._breaks, start), bisect_left(self._breaks, end)
        first = self._breaks[before - 1] if before else 0
        last = self._breaks[after] if after < len(self._breaks) else len(self._text)
        if last - first > LONGEST_PARAGRAPH:
            first = max(first, self._text.rfind("\n", first, start) + 1)
            line_end = self._text.find("\n", end, last)
            last = line_end if line_end >= 0 else last
        if last - first > LONGEST_PARAGRAPH:
            first, last = self._sentences(first, last, start, end)
        while first < start and self._text[first].isspace():
            first += 1
        while last > end and self._text[last - 1].isspace():
            last -= 1
        return first, last

    def _sentences(self, first: int, last: int, start: int, end: int) -> tuple[int, int]:
        """Narrow bounds to sentences, and where those are as long to what fits."""
        room = max(0, LONGEST_PARAGRAPH - (end - start)) // 2
        low, high = max(first, start - room), min(last, end + room)
        # no word is cut in two
        while first < low < start and not self._text[low - 1].isspace():
            low += 1
        while end < high < last and not self._text[high].isspace():
            high -= 1
        sentences = [low + match.end() for match in _SENTENCE_END.finditer(self._text[low:start])]
        behind = _SENTENCE_END.search(self._text[end:high])
        return (sentences[-1] if sentences else low), (end + behind.end() if behind else high)
