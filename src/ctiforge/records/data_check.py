"""`check.json`: what would spoil a training, found in its data."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record

Level = Literal["error", "warning"]


class DataFinding(Record):
    """One thing that is wrong, or may be, and what to do about it."""

    level: Level
    """Whether training on it makes no sense, or may."""
    check: str
    """The check's name."""
    text: str
    """What is wrong, or may be."""
    remedy: str
    """What to do about it."""


class DataCheck(File):
    """Everything that was found, and in what."""

    NAME: ClassVar[str] = "check.json"

    checked: tuple[Literal["data", "records"], ...]
    """What was looked at: prepared examples, records of a harvest, or both."""
    findings: tuple[DataFinding, ...]
    """Everything that was found; empty where all is well."""
