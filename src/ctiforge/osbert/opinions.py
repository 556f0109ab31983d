"""What a labeler is asked, and what it says about an article."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

from ctiforge.records.article import OsLabel
from ctiforge.records.os_article import Evidence


@dataclass(frozen=True, slots=True)
class Unlabeled:
    """An article as a labeler gets it."""

    id: str
    title: str
    content: str
    content_hash: str
    """Of the folded text: the same for copies that differ in layout and case only."""
    copies: tuple[str, ...] = ()
    """The ids of its near duplicates, which are not labeled themselves."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a labeler says about one article; without a label it says why."""

    label: OsLabel | None
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()
    problem: str | None = None


class Labeler(Protocol):
    """Says which operating system articles are about."""

    @property
    def name(self) -> str:
        """Return the name that `LabeledArticle.labeler` holds."""
        ...

    def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
        """Label articles, in the order given; an article that cannot be labeled stops no other."""
        ...
