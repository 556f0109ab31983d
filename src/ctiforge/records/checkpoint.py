"""What attempts and their checkpoints say of themselves, below `checkpoints/` of a store."""

from typing import ClassVar

from ctiforge.records.base import File, Record


class Attempt(File):
    """What an attempt says of itself when it begins."""

    NAME: ClassVar[str] = "<attempt>.json"

    number: int
    """Counts the attempts of one piece of work, from 1."""
    token: str
    """Tells its own write from another's."""
    accepts: tuple[str, ...]
    """The checkpoints, `<attempt>/<step>`, newest first, that it may go on from."""
    step: int
    """Of the checkpoint it goes on from; 0: from the beginning."""
    settings: str
    """How it uses the machine: an attempt that uses it otherwise may fare better."""
    gave_up: bool = False
    """Whether it ended at once, because the attempts before it had all failed."""


class StoredFile(Record):
    """A file of a checkpoint."""

    key: str
    """Its key below the checkpoints' folder; an older checkpoint's file may serve again."""
    size: int
    """Bytes."""
    sha256: str
    """SHA-256 of the content, 64 hex digits."""


class Checkpoint(File):
    """The manifest of a whole checkpoint."""

    NAME: ClassVar[str] = "manifest.json"

    attempt: int
    """The number of the attempt that saved it."""
    step: int
    """The optimizer step that it stands for."""
    files: dict[str, StoredFile]
    """Its files by the names that training gives them."""

    @property
    def id(self) -> str:
        """Name it among the checkpoints of its work: `<attempt>/<step>`."""
        return f"{self.attempt}/{self.step}"
