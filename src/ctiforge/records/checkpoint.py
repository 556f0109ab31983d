"""What attempts and their checkpoints say of themselves, below `checkpoints/` of a store."""

from typing import ClassVar

from ctiforge.records.base import File, Record


class Attempt(File):
    """What an attempt says of itself when it begins."""

    NAME: ClassVar[str] = "<attempt>.json"

    number: int
    token: str
    """Tells its own write from another's."""
    accepts: tuple[str, ...]
    """The checkpoints, `<attempt>/<step>`, newest first, that it may go on from."""
    step: int
    """Of the checkpoint it goes on from; 0: from the beginning."""
    settings: str
    """How it uses the machine: an attempt that uses it otherwise may fare better."""
    gave_up: bool = False


class StoredFile(Record):
    """A file of a checkpoint: its key below the checkpoints' folder, size in bytes and SHA-256."""

    key: str
    size: int
    sha256: str


class Checkpoint(File):
    """The manifest of a whole checkpoint."""

    NAME: ClassVar[str] = "manifest.json"

    attempt: int
    step: int
    files: dict[str, StoredFile]

    @property
    def id(self) -> str:
        """`<attempt>/<step>`."""
        return f"{self.attempt}/{self.step}"
