"""`manifest.json`: what an artifact is made of and how it came to be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from ctiforge.records.base import File, Record
from ctiforge.records.references import folder_in

ADDED = "model_add"
"""What the manifest of a base model names as its stage: with it a lineage begins."""


@dataclass(frozen=True)
class FileEntry:
    """What identifies a file's content."""

    size: int
    """Bytes."""
    sha256: str
    """SHA-256 of the content, 64 hex digits."""


class InputEntry(Record):
    """An input as the manifest remembers it: where it was and the hash of its content."""

    uri: str
    """Where it was: a path, or an `s3://` URI."""
    content: str
    """The hash of its content: of the file, or of a folder's names and hashes."""

    def references(self) -> frozenset[str]:
        """Name the folders of a store that it may lie in.

        Returns:
            Keys, like `artifacts/<stage>/<fingerprint>` and `inputs/<sha256>`.
        """
        folder = folder_in(self.uri)
        return frozenset({f"inputs/{self.content}", *([folder] if folder else [])})


class Manifest(File):
    """What an artifact is made of and how it came to be."""

    NAME: ClassVar[str] = "manifest.json"

    stage: str
    """The stage that made it."""
    version: int
    """The stage's version."""
    fingerprint: str
    """SHA-256, in hex digits, of everything that decides the result."""
    attempt: str
    """The folder, beside the manifest, that holds the files; "" where they lie beside it."""
    files: dict[str, FileEntry]
    """Each file's name in the artifact, with its size and hash."""
    parameters: dict[str, Any]
    """What was asked of the stage, as far as it changes the result."""
    inputs: dict[str, InputEntry]
    """The stage's inputs by name."""
    packages: dict[str, str]
    """Distribution → version, of those that change the result."""
    python: str
    """The version of Python."""
    git_commit: str | None = None
    """The commit of ctiforge; None where nobody knows it."""
    image: str | None = None
    """The container image that it was made in; None outside of one."""
    summary: dict[str, Any]
    """The stage's own words on what came of it."""
    started_at: datetime
    """When the work began, in UTC."""
    seconds: float
    """How long the work took."""

    def references(self) -> frozenset[str]:
        """Name the folders of a store that it was made of.

        Returns:
            Keys of artifacts and shared inputs.
        """
        return frozenset().union(*(each.references() for each in self.inputs.values()))

    def key(self, name: str) -> str:
        """Locate one of its files in the store.

        Args:
            name: The file's name in the artifact.

        Returns:
            The file's key, relative to the manifest's folder.
        """
        return f"{self.attempt}/{name}" if self.attempt else name
