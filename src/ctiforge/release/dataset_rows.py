"""Labeled articles as a dataset may hold them: quotes with their places, and the text only where it is licensed."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ctiforge.errors import UsageError
from ctiforge.observables.locate import Locator
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import PLATFORMS, TYPES
from ctiforge.records.published import PublishedArticle, PublishedItem, PublishedLabel, TextPlace
from ctiforge.release.addresses import NOT_REAL, host_of, is_below, is_open, public_address
from ctiforge.release.labelers import names_one, people_of

LONGEST_QUOTE = 1000
"""Characters of a value at most where texts are not published: a longer one is text itself."""
NO_ADDRESS = "no public address"
COULD_BE_KEY = "the address could hold a key or another address"
NAMES_PERSON = "the address names a person who labeled"
LEFT_OUT = "--leave-out"


@dataclass
class SplitCounts:
    """What one split holds."""

    articles: int = 0
    positives: int = 0
    """Articles with an item."""
    items: int = 0
    bytes: int = 0
    """Size of its file."""


@dataclass
class DatasetCounts:
    """What is published and what is not."""

    splits: dict[str, SplitCounts] = field(default_factory=dict)
    labeled: Counter[str] = field(default_factory=Counter)
    """Type → articles in which somebody looked for it."""
    positives: Counter[str] = field(default_factory=Counter)
    """Type → articles with an item of it."""
    items: Counter[str] = field(default_factory=Counter)
    """Type → items."""
    unplaced: Counter[str] = field(default_factory=Counter)
    """Type → items that stand nowhere in their article."""
    labelers: Counter[str] = field(default_factory=Counter)
    """Kind of labeler → types of articles."""
    systems: Counter[str] = field(default_factory=Counter)
    """Operating system → articles."""
    hosts: Counter[str] = field(default_factory=Counter)
    """Host → articles."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason → articles that are not published."""
    in_part: int = 0
    """Labels of somebody who saw a part of the text."""
    too_long: int = 0
    """Values that are text themselves."""
    shortened: int = 0
    """Addresses of which a part is not published."""
    naming: int = 0
    """Articles whose published words hold the name of somebody who labeled them."""

    def add(self, split: str, row: PublishedArticle, record: ArticleRecord, size: int) -> None:
        """Count one published article, made of this one, whose line has so many bytes."""
        counts = self.splits.setdefault(split, SplitCounts())
        counts.articles += 1
        counts.positives += bool(row.items)
        counts.items += len(row.items)
        counts.bytes += size
        self.labeled.update(each.type for each in row.labels)
        self.unplaced.update({each.type: each.unplaced for each in row.labels if each.unplaced})
        self.labelers.update(each.by for each in row.labels)
        self.in_part += sum(bool(each.seen) for each in row.labels)
        self.items.update(each.type for each in row.items)
        self.positives.update({each.type for each in row.items})
        self.too_long += sum(each.value is None for each in row.items)
        self.hosts.update([host_of(row.url)] if row.url else [])
        self.systems.update([row.os_label] if row.os_label else [])
        self.shortened += bool(row.url and record.url and row.url != record.url.strip())
        words = (row.title, row.text, *(each.value for each in row.items))
        self.naming += names_one("\n".join(word for word in words if word), people_of(record))


def published_article(record: ArticleRecord, *, texts: bool, leave_out: Collection[str]) -> PublishedArticle | str:
    """Make the line of an article.

    Args:
        record: The article with its labels.
        texts: Whether its text is published.
        leave_out: Hosts, with those below them, whose articles are not.

    Returns:
        The line; or why the article is left out.

    Raises:
        UsageError: It is an article of the demo.
    """
    host = host_of(record.url)
    if host.endswith(NOT_REAL):
        raise UsageError(
            f"article {record.id} is of the demo ({host}): it proves the machinery and is not published; publish "
            "articles of your own"
        )
    if is_below(host, leave_out):
        return LEFT_OUT
    url, why = _address(record)
    if not url and not texts:
        return why
    items, unplaced = _items(record, texts=texts)
    return PublishedArticle(
        url=url,
        sha256=hashlib.sha256(record.content.encode("utf-8", "replace")).hexdigest(),
        content_hash=record.content_hash,
        characters=len(record.content),
        os_label=record.os_label,
        labels=tuple(_labels(record, unplaced)),
        items=items,
        title=record.title if texts else None,
        text=record.content if texts else None,
    )


def _address(record: ArticleRecord) -> tuple[str | None, str]:
    """Return an article's address as it is published; or None, and why."""
    url = public_address(record.url)
    if not url:
        return None, COULD_BE_KEY if is_open(record.url) else NO_ADDRESS
    return (None, NAMES_PERSON) if names_one(url, people_of(record)) else (url, "")


def _items(record: ArticleRecord, *, texts: bool) -> tuple[tuple[PublishedItem, ...], Counter[str]]:
    """Place what was labeled; the second value counts by type what stands nowhere."""
    located = Locator(record.content)
    found: dict[tuple[str, str], PublishedItem] = {}
    unplaced: Counter[str] = Counter()
    for each in record.observables:
        if each.type not in TYPES or each.type not in record.labelled_types:
            continue
        places = located.locate(each.type, each.value)
        if not places:
            unplaced[each.type] += 1
            continue
        # the article's spelling, not the labeler's: nothing but quotes is published
        value = located.as_written(each.type, places[0])
        found.setdefault(
            (each.type, value),
            PublishedItem(
                type=each.type,
                value=value if texts or len(value) <= LONGEST_QUOTE else None,
                platform=each.platform if each.platform in PLATFORMS else None,
                places=tuple(TextPlace(start=place.start, end=place.end) for place in places),
            ),
        )
    return tuple(sorted(found.values(), key=lambda item: (item.type, item.places[0].start, item.value or ""))), unplaced


def _labels(record: ArticleRecord, unplaced: Counter[str]) -> Iterator[PublishedLabel]:
    for type_ in sorted(set(record.labelled_types) & set(TYPES)):
        label = record.type_labels.get(type_)
        seen = (label.seen if label else None) or ()
        yield PublishedLabel(
            type=type_,
            by=label.by if label else "person" if record.labelled_by == "human" else "model",
            seen=tuple(TextPlace(start=start, end=end) for start, end in seen),
            unplaced=unplaced[type_],
        )
