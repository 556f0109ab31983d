"""What the labeling page and its server hand each other: candidates go out, what a person says of them comes in."""

from typing import Literal

from pydantic import field_validator

from ctiforge.records.article import OsLabel
from ctiforge.records.base import Record
from ctiforge.records.observable import PLATFORMS, TYPES, Observable

OriginKind = Literal["own", "person", "model", "rule"]
ItemVerdict = Literal["accepted", "rejected"]


class CandidateOrigin(Record):
    """Where a candidate comes from, as the page shows it."""

    kind: OriginKind
    """Who found it."""
    name: str
    """What the page calls it."""


class PageCandidate(Record):
    """One value that is to be accepted or refused."""

    key: str
    """The same for two spellings of one observable."""
    type: str
    """One of `TYPES`."""
    value: str
    """As the article writes it; of a person, and of what stands nowhere, as they wrote it."""
    platform: str | None
    """One of `PLATFORMS`; None where no origin said."""
    origins: tuple[CandidateOrigin, ...]
    """Everyone who found it."""
    spans: tuple[tuple[int, int], ...]
    """Where it stands, in UTF-16 units as browsers count; empty where it stands nowhere."""


class JudgedItem(Observable):
    """An item that the person accepted, added or refused."""

    verdict: ItemVerdict
    """What they said of it."""

    @field_validator("type")
    @classmethod
    def _known_type(cls, type_: str) -> str:
        return _one_of(type_, TYPES)

    @field_validator("platform")
    @classmethod
    def _known_platform(cls, platform: str | None) -> str | None:
        return _one_of(platform, PLATFORMS) if platform else None

    @field_validator("value")
    @classmethod
    def _some_value(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("an item has a value")
        return value.strip()


class PageState(Record):
    """What one person says of one article."""

    judged: tuple[JudgedItem, ...] = ()
    """Items with what they said of each; what is not among them is undecided."""
    looked: tuple[str, ...] = ()
    """The types that they looked for in all of the text."""
    os_label: OsLabel | None = None
    """The operating system that the article is about; None: they did not say."""

    @field_validator("looked")
    @classmethod
    def _known_types(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(type_ for type_ in TYPES if type_ in {_one_of(each, TYPES) for each in types})


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"give one of {', '.join(known)}")
    return value
