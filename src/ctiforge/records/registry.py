"""`model.json` and `champion.json`: the versions of a line's models, and which is in use."""

from datetime import datetime
from typing import ClassVar, Literal

from ctiforge.records.artifact import InputEntry
from ctiforge.records.base import File, Record
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import TestSetInfo


class Step(Record):
    """One stage's artifact and what it was made of."""

    stage: str
    version: int
    fingerprint: str
    uri: str
    inputs: dict[str, InputEntry]
    git_commit: str | None
    image: str | None
    started_at: datetime


class Candidate(Record):
    """A model that the gate let through, as it is registered."""

    name: str
    artifact: str
    """Its URI."""
    fingerprint: str | None
    """None where no stage made it."""
    content: str
    """The hash of its files."""
    git_commit: str | None
    image: str | None
    """Those that it was trained with."""
    lineage: tuple[Step, ...]
    test_set: TestSetInfo
    decision: Decision


class ModelRecord(Candidate, File):
    """One version, as `model.json` holds it."""

    NAME: ClassVar[str] = "model.json"

    line: str
    version: int
    registered_at: datetime


class Move(Record):
    """One change of the champion."""

    at: datetime
    what: Literal["promoted", "rolled back"]
    version: int
    previous: int | None
    why: str


class Champion(File):
    """`champion.json`: the version in use, and all that led to it, oldest first."""

    NAME: ClassVar[str] = "champion.json"

    version: int
    history: tuple[Move, ...]

    def before(self) -> int | None:
        """Give the version that was in use before this one, not counting what was rolled back; None where none was."""
        stack: list[int] = []
        for move in self.history:
            if move.version in stack:
                del stack[stack.index(move.version) :]
            stack.append(move.version)
        return stack[-2] if len(stack) > 1 else None

    def ever(self) -> tuple[int, ...]:
        """Every version that was in use, each once."""
        return tuple(dict.fromkeys(move.version for move in self.history))

    def rolled_back(self, version: int) -> Move | None:
        """Give the rollback that took this version out of use, where nothing has brought it back since."""
        last = next((move for move in reversed(self.history) if version in (move.version, move.previous)), None)
        return last if last and last.what == "rolled back" and last.previous == version else None
