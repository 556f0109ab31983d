"""What a store remembers of the content of inputs, so that weights that nobody changed are not read again."""

from typing import ClassVar

from ctiforge.records.base import File, Record


class KnownHash(Record):
    """One file, as it was when it was read."""

    stamp: str
    """What changes with the content: of an object its ETag; of a file its times and its inode."""
    size: int
    """Bytes."""
    sha256: str
    """SHA-256 of the content, 64 hex digits."""


class KnownHashes(File):
    """The large files of one input: a cache, safe to delete."""

    NAME: ClassVar[str] = "<place>.json"

    place: str
    """Where the input lies: a folder or a file of some machine, or an `s3://` URI."""
    files: dict[str, KnownHash]
    """Each file by its name in the input."""
