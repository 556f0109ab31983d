"""Counts the bytes of files and objects that are read whole or fetched, by name."""

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ctiforge.store import transfers


def count_reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """From now on until the test's end: each file's name → bytes."""
    read: Counter[str] = Counter()
    digest, hash_object, download = hashlib.file_digest, transfers.hash_object, transfers.download

    def counted_digest(file: Any, algorithm: str) -> Any:
        read[Path(file.name).name] += os.fstat(file.fileno()).st_size
        return digest(file, algorithm)

    def counted_hash(backend: Any, key: str) -> Any:
        entry, tag = hash_object(backend, key)
        read[Path(key).name] += entry.size
        return entry, tag

    def counted_download(backend: Any, key: str, path: Path) -> None:
        download(backend, key, path)
        read[Path(key).name] += path.stat().st_size

    monkeypatch.setattr(hashlib, "file_digest", counted_digest)
    monkeypatch.setattr(transfers, "hash_object", counted_hash)
    monkeypatch.setattr(transfers, "download", counted_download)
    return read
