"""Files into a store and out of it, in pieces: no size of a file is a size of memory."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from ctiforge.records.artifact import FileEntry

CHUNK = 8 * 1024 * 1024
PARALLEL = 4
MAX_PARTS = 9_000  # S3 allows 10,000 parts an upload


def upload(backend: Any, path: Path, key: str) -> FileEntry:
    """Copy a file to obstore's `backend` in pieces, hashing it on the way; see `ObjectStore.upload`."""
    import obstore

    digest = hashlib.sha256()
    size = path.stat().st_size
    chunk = max(CHUNK, -(-size // MAX_PARTS))
    with path.open("rb") as file:
        if size <= chunk:
            data = file.read()
            digest.update(data)
            obstore.put(backend, key, data, use_multipart=False)
        else:
            pieces = _hashed_pieces(file, chunk, digest)
            obstore.put(backend, key, pieces, chunk_size=chunk, max_concurrency=PARALLEL)
    return FileEntry(size, digest.hexdigest())


def download(backend: Any, key: str, path: Path) -> None:
    """Copy an object to a file, several pieces at a time; see `ObjectStore.download`."""
    import obstore

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file, ThreadPoolExecutor(PARALLEL) as pool:
            size = obstore.head(backend, key)["size"]

            def fetch(start: int) -> None:
                piece = obstore.get_range(backend, key, start=start, end=min(start + CHUNK, size))
                os.pwrite(file.fileno(), memoryview(piece), start)

            for _ in pool.map(fetch, range(0, size, CHUNK)):
                pass
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def hash_object(backend: Any, key: str) -> tuple[FileEntry, str | None]:
    """Read an object in pieces; gives back its size and hash, and the tag of the version that was read."""
    import obstore

    digest, size = hashlib.sha256(), 0
    answer = obstore.get(backend, key)
    for piece in answer.stream(CHUNK):
        digest.update(piece)
        size += len(piece)
    return FileEntry(size, digest.hexdigest()), answer.meta.get("e_tag")


def _hashed_pieces(file: BinaryIO, size: int, digest: Any) -> Iterator[bytes]:
    while piece := file.read(size):
        digest.update(piece)
        yield piece
