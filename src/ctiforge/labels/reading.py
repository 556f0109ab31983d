"""What every reader of labels hands over, and the place of a quoted passage, which offsets alone do not prove."""

import re
from collections import Counter
from dataclasses import dataclass, field

from ctiforge.data.identity import content_hash, fold
from ctiforge.data.item_values import canonical_values, clean_text
from ctiforge.observables.locate import Locator
from ctiforge.records.article import ArticleRecord, OsLabel
from ctiforge.records.human_label import HumanLabel, LabelUsage
from ctiforge.records.observable import ARROW, Observable

LINEAGE = "process_lineage"
# a browser counts two of each
_TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")


@dataclass
class ReadLabels:
    """The labels of a source, and what of it labels nothing."""

    labels: list[HumanLabel] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason → lines, articles or items."""


@dataclass
class GatheredLabel:
    """What one person said of one text, as a source gives it piece by piece."""

    id: str
    annotator: str
    content: str
    url: str | None = None
    title: str = ""
    observables: list[Observable] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    """Types that they looked for in all of the text; observables of others are single items."""
    os_label: OsLabel | None = None
    usage: LabelUsage | None = None

    def label(self, source: str) -> HumanLabel | None:
        """Make the label.

        Args:
            source: Where it comes from; names no person.

        Returns:
            The label; None where the person said nothing.
        """
        looked_at = tuple(dict.fromkeys(self.looked_at))
        if not looked_at and not self.observables and self.os_label is None:
            return None
        distinct = dict.fromkeys(self.observables)
        article = ArticleRecord(
            id=self.id,
            url=self.url,
            title=self.title,
            content=self.content,
            content_hash=content_hash(fold(self.content)),
            observables=tuple(each for each in distinct if each.type in looked_at),
            labelled_types=looked_at,
            os_label=self.os_label,
            labelled_by="human",
            annotator=self.annotator,
        )
        alone = tuple(each for each in distinct if each.type not in looked_at)
        return HumanLabel(article=article, positives=alone, usage=self.usage, sources=(source,))


class Quotes:
    """Finds quoted passages in one text: tools count characters in their own ways, and texts change.

    `counted` is the text as the source has it, of which places are; None: they are of `content`.
    """

    def __init__(self, content: str, counted: str | None = None) -> None:
        self._content = content
        self._counted = content if counted is None else counted
        two_units = _TWO_UNITS.search(self._counted)
        self._sure_until = two_units.start() if two_units else len(self._counted)
        self._locator: Locator | None = None

    def find(self, type_: str, quote: str | None, start: int | None, end: int | None) -> str | None:
        """Find the passage that somebody marked.

        Args:
            type_: The observable's type.
            quote: The marked text; None where only its place is known.
            start: The place of its first character as the source counts them; None where it does not say.
            end: One past its last.

        Returns:
            The passage; None where the quote stands nowhere, or its place lies outside the text or behind a character
            that some count twice.
        """
        if quote is None or not quote.strip():
            sure = start is not None and end is not None and 0 <= start < end <= self._sure_until
            return clean_text(self._counted[start:end]) if sure else None
        if quote in self._content:
            return quote.strip()
        self._locator = self._locator or Locator(self._content)
        return quote.strip() if self._locator.stands(type_, quote) else None


def observables_of(type_: str, passage: str) -> list[Observable]:
    """Make the observables that a marked passage is.

    Args:
        type_: Their type.
        passage: The passage.

    Returns:
        One; of a lineage one for each parent and child, none where it is a single process.
    """
    if type_ != LINEAGE:
        return [Observable(type=type_, value=passage)]
    return [Observable(type=type_, value=pair) for pair in canonical_values(type_, passage) if ARROW in pair]
