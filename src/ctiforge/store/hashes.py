"""Hashes of inputs, remembered: weights that nobody has changed are read once, not once per stage and night.

A hash counts while the file's stamp is the same: in S3 its ETag and size, on a machine its size, times and inode. What
was written within the last `SETTLED_NS` before it was read is not remembered: it could change again without a trace in
its times. Remembered are files worth it, in this process and below `hashes/` of a store.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ctiforge.errors import DataError, StoreError
from ctiforge.records.artifact import FileEntry
from ctiforge.records.known_hashes import KnownHash, KnownHashes
from ctiforge.store.objects import ObjectInfo, ObjectStore, hash_file

WORTH = 1024 * 1024
"""Bytes of a file from which on a hash is worth remembering."""
SETTLED_NS = 2_000_000_000
"""Longer than any file system's clock is coarse."""
_seen: dict[str, dict[str, KnownHash]] = {}
"""What this process has hashed, by place."""


@dataclass(frozen=True)
class Hashable:
    """A file or object whose hash is wanted.

    Attributes:
        name: What it is called in its input.
        size: Its bytes, as it was found.
        stamp: What changes with its content; None where nothing does.
        read: Reads it; gives its hash, and the stamp of what was read where that can be remembered.
    """

    name: str
    size: int
    stamp: str | None
    read: Callable[[], tuple[FileEntry, str | None]]


def of_file(name: str, path: Path) -> Hashable:
    """Describe a file of this machine; FileNotFoundError where there is none."""
    status = path.stat()

    def read() -> tuple[FileEntry, str | None]:
        began = time.time_ns()
        entry = hash_file(path)
        after = path.stat()
        is_settled = max(after.st_mtime_ns, after.st_ctime_ns) < began - SETTLED_NS
        return entry, _stamp_of(after) if is_settled else None

    return Hashable(name, status.st_size, _stamp_of(status), read)


def of_object(store: ObjectStore, info: ObjectInfo) -> Hashable:
    """Describe an object of S3, as it was listed."""

    def read() -> tuple[FileEntry, str | None]:
        entry, tag = store.hash_with_tag(info.key)
        return entry, _tagged(tag, entry.size)

    return Hashable(info.key, info.size, _tagged(info.tag, info.size), read)


def hash_all(place: str, files: Sequence[Hashable], memory: ObjectStore | None) -> dict[str, FileEntry]:
    """Tell the hashes of an input's files; read are those that are small, new or changed.

    Args:
        place: Where the input lies.
        files: Its files.
        memory: The store that remembers; None: only this process does.

    Returns:
        Each file's name with its size and hash.
    """
    if all(file.size < WORTH for file in files):
        return {file.name: file.read()[0] for file in files}
    remembered = _recall(place, memory)
    known = {**remembered, **_seen.get(place, {})}
    entries = {}
    for file in files:
        before = known.get(file.name)
        if before and before.stamp == file.stamp:
            entries[file.name] = FileEntry(before.size, before.sha256)
            continue
        entry, stamp = file.read()
        entries[file.name] = entry
        if stamp and entry.size >= WORTH:
            known[file.name] = KnownHash(stamp=stamp, size=entry.size, sha256=entry.sha256)
    _seen[place] = known
    if memory and known != remembered:
        # what cannot be remembered is read again
        with suppress(StoreError, OSError):
            memory.write(_key(place), KnownHashes(place=place, files=known).to_json().encode())
    return entries


def _recall(place: str, memory: ObjectStore | None) -> Mapping[str, KnownHash]:
    if memory:
        with suppress(FileNotFoundError, StoreError, DataError):
            key = _key(place)
            return KnownHashes.parse(memory.read(key), f"{memory.uri}/{key}").files
    return {}


def _key(place: str) -> str:
    return f"hashes/{sha256(place.encode()).hexdigest()}.json"


def _stamp_of(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _tagged(tag: str | None, size: int) -> str | None:
    """Stamp an object, by its tag with or without quotes; a weak one promises no equal bytes."""
    return f"{size} {tag.strip(chr(34))}" if tag and not tag.startswith("W/") else None
