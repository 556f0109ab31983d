"""`manifest.json`: what an artifact is made of and how it came to be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from ctiforge.records.base import File, Record


@dataclass(frozen=True)
class FileEntry:
    """What identifies a file's content: its size in bytes and its SHA-256 in hex digits."""

    size: int
    sha256: str


class InputEntry(Record):
    """An input as the manifest remembers it: where it was and the hash of its content."""

    uri: str
    content: str


class Manifest(File):
    """What an artifact is made of and how it came to be."""

    NAME: ClassVar[str] = "manifest.json"

    stage: str
    version: int
    fingerprint: str
    attempt: str
    """The folder, beside the manifest, that holds the files; "" where they lie beside it."""
    files: dict[str, FileEntry]
    parameters: dict[str, Any]
    inputs: dict[str, InputEntry]
    packages: dict[str, str]
    python: str
    git_commit: str | None = None
    image: str | None = None
    summary: dict[str, Any]
    started_at: datetime
    seconds: float

    def key(self, name: str) -> str:
        """Give the key of a file, relative to the manifest's folder."""
        return f"{self.attempt}/{name}" if self.attempt else name
