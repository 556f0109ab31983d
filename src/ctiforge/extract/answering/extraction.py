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
    schema_valid: bool
    stopped_by_length: bool
    duplicates: int
    """Items of this answer that repeat an earlier item of the same answer."""
    prompt_tokens: int
    answer_tokens: int
    error: str | None = None
    """Why no answer came; None where one did, readable or not."""
    items: tuple[ItemProbability, ...] | None = None
    """How sure the model was of each whole item; None where nobody says."""


@dataclass(frozen=True)
class Extraction:
    """One article's observables after its windows are merged, in order of appearance."""

    observables: tuple[Observable, ...]
    windows: tuple[WindowAnswer, ...] = ()
    seconds: float = 0.0
    source_url: str | None = None
    requested_types: tuple[str, ...] = field(default=())
    halved: int = 0
    """Windows whose answer had no room: asked again in halves, which are among `windows` in their place."""


@dataclass(frozen=True)
class Source:
    """One text to read; `types` None asks for all types that the extractor knows."""

    text: str
    types: tuple[str, ...] | None = None
    source_url: str | None = None


class Extractor(Protocol):
    """Anything that finds observables in a text."""

    name: str

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        """Find the observables of `types` (None: all it knows) in `text`."""
        ...

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        """Extract from many texts, in order; faster than one after the other where windows share batches."""
        ...

    def plan(self, source: Source) -> list[WindowSpan]:
        """Say in which windows a text will be asked about, before any is asked about again."""
        ...
