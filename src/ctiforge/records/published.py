"""One article of a published dataset, a line of its files: without names of people, without what only a team knows."""

from pydantic import Field

from ctiforge.records.article import LabelerKind, OsLabel
from ctiforge.records.base import Record, is_none


class TextPlace(Record):
    """Characters of the article's text, counted as Python does: by code points."""

    start: int
    """The first one."""
    end: int
    """One past the last one."""


class PublishedItem(Record):
    """One thing to hunt for, and where it stands."""

    type: str
    """One of the types of observables."""
    value: str | None
    """As the article writes it; None where it is so long that it is text, and texts are not published."""
    platform: str | None
    """The operating system that it is of; None where nobody said."""
    places: tuple[TextPlace, ...]
    """Where it stands, at least once; of two parts that stand apart, from the first to the last."""


class PublishedLabel(Record):
    """One type that somebody looked for: without an item there is none."""

    type: str
    """The type."""
    by: LabelerKind
    """What kind of labeler it was: a person, a rule or a model."""
    seen: tuple[TextPlace, ...]
    """The characters that the labeler saw, beyond which nothing is known; empty: all of the text."""
    unplaced: int
    """Items that were labeled and stand nowhere in the text: they are left out, so the type's list is not whole."""


class PublishedArticle(Record):
    """One article with its items."""

    url: str | None
    """The page's public address."""
    sha256: str
    """SHA-256 of the text in UTF-8, in hex digits: places are of this very text."""
    content_hash: str
    """SHA-256 of the text without white space and case: the same for copies in another layout."""
    characters: int
    """Length of the text."""
    os_label: OsLabel | None
    """Which operating system it is about; None: nobody said."""
    labels: tuple[PublishedLabel, ...]
    """The types that somebody looked for, by name; of any other type nothing is known."""
    items: tuple[PublishedItem, ...]
    """What stands in it, by type and place."""
    title: str | None = Field(None, exclude_if=is_none)
    """The article's title; left out without texts."""
    text: str | None = Field(None, exclude_if=is_none)
    """The article's text; left out without texts."""
