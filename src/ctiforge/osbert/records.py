"""What preparation hands to training: one article with its label, who gave it, and the passages that show it."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ctiforge.data.records import OsLabel, read_lines


class Evidence(BaseModel):
    """A passage that speaks for a label: characters `start` to `end` of the article's content."""

    model_config = ConfigDict(frozen=True)

    label: OsLabel
    quote: str
    start: int
    end: int


class LabelledArticle(BaseModel):
    """One article and which operating system it is about, in the opinion of one labeler."""

    model_config = ConfigDict(frozen=True)

    id: str
    url: str | None = None
    title: str = ""
    content: str
    content_hash: str
    label: OsLabel
    labeler: str
    """`keywords`, `openai:<model>` or `human:<annotator>`."""
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()
    """What is odd about the article: `instructs the labeler`."""
    group: str = ""
    """Shared by near duplicates."""


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """An article as a labeler gets it."""

    id: str
    title: str
    content: str
    content_hash: str
    """Of the folded text: the same for copies that differ in layout and case only."""
    copies: tuple[str, ...] = ()
    """The ids of its near duplicates, which are not labelled themselves."""


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
        """As in `LabelledArticle.labeler`."""
        ...

    def label(self, articles: Iterable[Unlabelled]) -> Generator[tuple[Unlabelled, Opinion]]:
        """Each article with an opinion, in the order given; an article that cannot be labelled stops no other."""
        ...


def read_labelled(path: Path) -> list[LabelledArticle]:
    """The articles of a JSON-lines file of prepare_os. Raises DataError naming the line that is none."""
    return read_lines(path, LabelledArticle)
