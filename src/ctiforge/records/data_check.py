"""`check.json`: what would spoil a training, found in its data."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record

Level = Literal["error", "warning"]


class DataFinding(Record):
    """One thing that is wrong, or may be, and what to do about it."""

    level: Level
    check: str
    text: str
    remedy: str


class DataCheck(File):
    """Everything that was found, and in what."""

    NAME: ClassVar[str] = "check.json"

    checked: tuple[Literal["data", "records"], ...]
    findings: tuple[DataFinding, ...]
