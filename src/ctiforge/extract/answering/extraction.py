"""What an extractor gives back for one article, whether it is a model or the regex floor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ctiforge.records.answer import ItemProbability
from ctiforge.records.observable import Observable

WindowSpan = tuple[int, int]
"""First and one past the last character of a window."""
Tell = Callable[[], None]
"""Is called for each window of the plan as soon as it is answered, not for what is asked about again."""


@dataclass(frozen=True)
class WindowAnswer:
    """One window's raw answer, judged before any repair."""

    start: int
    """First character of the window in the article."""
    end: int
    """One past its last character."""
    raw: str
    """The text as generated, before any repair."""
    json_parsed: bool
    """Whether it is JSON."""
    schema_valid: bool
    """Whether it has the form that was asked for."""
    stopped_by_length: bool
    """Whether it was cut off for lack of room."""
    duplicates: int
    """Items of this answer that repeat an earlier item of the same answer."""
    prompt_tokens: int
    """Tokens of what the model read."""
    answer_tokens: int
    """Tokens of what it wrote."""
    error: str | None = None
    """Why no answer came; None where one did, readable or not."""
    items: tuple[ItemProbability, ...] | None = None
    """How sure the model was of each whole item; None where nobody says."""
    leaning: float | None = None
    """The log-odds (natural logarithm) of an item against an empty answer, before any bias; None where nobody says."""


@dataclass(frozen=True)
class Extraction:
    """One article's observables after its windows are merged, in order of appearance."""

    observables: tuple[Observable, ...]
    """What was found, each value once."""
    windows: tuple[WindowAnswer, ...] = ()
    """The answers, in the order of the article."""
    seconds: float = 0.0
    """What it took."""
    source_url: str | None = None
    """The article's page; None where nobody knows it."""
    requested_types: tuple[str, ...] = field(default=())
    """The types that were asked for."""
    halved: int = 0
    """Windows whose answer had no room: asked again in halves, which are among `windows` in their place."""


@dataclass(frozen=True)
class Source:
    """One text to read."""

    text: str
    """The text."""
    types: tuple[str, ...] | None = None
    """The types that are asked for; None: all that the extractor knows."""
    source_url: str | None = None
    """The page that it comes from; None where nobody knows."""


class Extractor(Protocol):
    """Anything that finds observables in a text."""

    name: str
    """What figures call it."""

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        """Find the observables of a text.

        Args:
            text: The text.
            types: The types to look for; None: all it knows.
            source_url: The page that it comes from.

        Returns:
            What was found.
        """
        ...

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        """Extract from many texts; faster than one after the other where windows share batches.

        Args:
            sources: The texts.
            tell: Is called for each window that is answered.

        Yields:
            What was found in each, in their order.
        """
        ...

    def plan(self, source: Source) -> list[WindowSpan]:
        """Say in which windows a text will be asked about, before any is asked about again.

        Args:
            source: The text.

        Returns:
            The first and one past the last character of each.
        """
        ...
