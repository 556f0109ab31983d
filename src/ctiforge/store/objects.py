"""Objects in a folder or in S3 behind one small interface, with conditional writes and streamed transfers."""

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ctiforge.errors import StoreError, StoreFolderError, UsageError
from ctiforge.records.artifact import FileEntry
from ctiforge.store import transfers
from ctiforge.store.s3 import open_backend
from ctiforge.store.troubles import FOLDER_MENDS, explain

CONFLICT_TRIES = 8
LOCK = ".lock"


@dataclass(frozen=True)
class ObjectInfo:
    """One object: its key below the store's URI, its size in bytes, and when it was last written."""

    key: str
    size: int
    modified: datetime
    tag: str | None = None
    """S3's ETag, another for every content; None where the store gives none."""


def open_store(uri: str) -> "ObjectStore":
    """Open a folder or a prefix of an S3 bucket; a missing folder is made.

    S3: credentials, region and endpoint come from boto3's chain (environment, profile, SSO, role;
    `AWS_ENDPOINT_URL` is honored). The bucket is first asked on first use.

    Args:
        uri: A path of this machine, a `file://` URL or `s3://bucket/prefix`.

    Returns:
        The store.

    Raises:
        UsageError: The URI has another scheme or names no bucket.
        StoreError: There are no credentials, or the folder cannot be made.
    """
    folder = _folder_of(uri)
    if folder is None:
        return ObjectStore(uri.rstrip("/"), open_backend(uri), folder=None)
    return ObjectStore(str(folder), _open_folder(folder), folder=folder)


def find_store(uri: str) -> "ObjectStore | None":
    """Open a store to read it: unlike in `open_store`, a missing folder is not made.

    Args:
        uri: A path of this machine, a `file://` URL or `s3://bucket/prefix`.

    Returns:
        The store; None where its folder is not there.

    Raises:
        UsageError: The URI has another scheme or names no bucket.
        StoreError: There are no credentials.
    """
    folder = _folder_of(uri)
    return open_store(uri) if folder is None or folder.is_dir() else None


def open_to_look(uri: str, *, is_named: bool = False) -> "ObjectStore":
    """Open a store to look at what is there: a missing folder is not made, and is an empty store.

    Args:
        uri: A path of this machine, a `file://` URL or `s3://bucket/prefix`.
        is_named: Whether a person named the store, so that a folder that is not there is a mistake.

    Returns:
        The store; what is written into an empty one is lost.

    Raises:
        UsageError: The URI has another scheme or names no bucket, or the folder that was named is not there.
        StoreError: There are no credentials.
    """
    from obstore.store import MemoryStore

    if found := find_store(uri):
        return found
    folder = _folder_of(uri)
    if is_named:
        raise UsageError(f"{folder}: there is no such folder, so no store; name the one that is meant with --store")
    return ObjectStore(str(folder), MemoryStore(), folder=None)


def hash_file(path: Path) -> FileEntry:
    """Compute the size and SHA-256 of a file, read in pieces.

    Args:
        path: The file on this machine.

    Returns:
        Its size in bytes and its hash in hex digits.

    Raises:
        FileNotFoundError: There is no such file.
    """
    with path.open("rb") as file:
        return FileEntry(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


class ObjectStore:
    """Objects below one URI. Keys are relative, with `/` between their parts.

    Every method raises StoreError, in one line with what to do, when the store refuses or is not
    there, and FileNotFoundError when a key that it must read is missing.
    """

    def __init__(self, uri: str, backend: Any, *, folder: Path | None) -> None:
        self.uri = uri
        self.folder = folder
        """The folder on this machine; None for S3."""
        self._backend = backend

    def __reduce__(self) -> tuple[Any, ...]:
        # another process opens it anew: credentials stay in the environment
        return open_store, (self.uri,)

    @property
    def is_s3(self) -> bool:
        """Tell whether it lies in S3: not in a folder, nor nowhere."""
        return self.uri.startswith("s3://")

    def read(self, key: str) -> bytes:
        """Read a whole object into memory; for small ones.

        Args:
            key: The object's key.

        Returns:
            Its bytes.
        """
        return self.read_with_tag(key)[0]

    def read_with_tag(self, key: str) -> tuple[bytes, str]:
        """Read a whole object and the tag of this version of it.

        Args:
            key: The object's key.

        Returns:
            Its bytes, and the tag that `replace` asks for: S3's ETag, or in a folder the SHA-256 of the bytes.
        """
        import obstore

        with self._explained(key):
            answer = obstore.get(self._backend, key)
            data = bytes(answer.bytes())
            return data, hashlib.sha256(data).hexdigest() if self.folder else str(answer.meta["e_tag"])

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object.

        Args:
            key: The object's key.

        Returns:
            True where there is one.
        """
        try:
            self.info(key)
        except FileNotFoundError:
            return False
        return True

    def info(self, key: str) -> ObjectInfo:
        """Ask for the size, the time and the tag of an object.

        Args:
            key: The object's key.

        Returns:
            What a listing says of it.
        """
        import obstore

        with self._explained(key):
            # a GET, since the body of its 404 tells a missing key from a missing bucket
            return _info(obstore.get(self._backend, key).meta)

    def list(self, prefix: str) -> list[ObjectInfo]:
        """List the objects in a folder of the store and its subfolders.

        Args:
            prefix: The folder's key; "" for the whole store.

        Returns:
            The objects, sorted by key.
        """
        import obstore

        with self._explained(prefix):
            found = [entry for page in obstore.list(self._backend, prefix or None) for entry in page]
        return sorted((_info(entry) for entry in found if entry["path"] != LOCK), key=lambda info: info.key)

    def write(self, key: str, data: bytes) -> None:
        """Write an object, whatever was there; readers see the old one or the new one, never a part.

        Args:
            key: The object's key.
            data: Its bytes.
        """
        import obstore

        with self._explained(key):
            obstore.put(self._backend, key, data, use_multipart=False)

    def write_new(self, key: str, data: bytes) -> bool:
        """Write an object only if there is none (`If-None-Match: *`).

        A reply lost on the way can make a client's own write look like another's: where that
        matters, read back.

        Args:
            key: The object's key.
            data: Its bytes.

        Returns:
            True where it was written; False, and nothing is written, where there was one already.

        Raises:
            StoreError: The store refuses, or other writers kept the key busy for `CONFLICT_TRIES` tries.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        for attempt in range(CONFLICT_TRIES):
            try:
                with self._explained(key):
                    obstore.put(self._backend, key, data, mode="create", use_multipart=False)
                return True
            except (AlreadyExistsError, PreconditionError) as error:
                if not _is_conflict(error):
                    return False
                # 409: another conditional write is under way, and may yet fail
                time.sleep(0.05 * 2**attempt)
        raise StoreError(f"{self.uri}/{key}: other writers kept it busy; run the same command again")

    def replace(self, key: str, data: bytes, tag: str) -> bool:
        """Write an object only if it is still the version with this tag (compare and swap).

        Args:
            key: The object's key.
            data: Its new bytes.
            tag: The tag that `read_with_tag` gave.

        Returns:
            True where it was written; False where the object has changed or is gone.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        if self.folder:
            return self._replace_in_folder(key, data, tag)
        try:
            with self._explained(key):
                obstore.put(self._backend, key, data, mode={"e_tag": tag}, use_multipart=False)
        except (PreconditionError, FileNotFoundError):
            return False
        return True

    def upload(self, path: Path, key: str) -> FileEntry:
        """Copy a file into the store in pieces, hashing it on the way.

        Args:
            path: The file on this machine.
            key: The object's key.

        Returns:
            The file's size in bytes and its SHA-256.
        """
        with self._explained(key):
            return transfers.upload(self._backend, path, key)

    def download(self, key: str, path: Path) -> None:
        """Copy an object to a file in pieces, several at a time; no file is left when it fails.

        Args:
            key: The object's key.
            path: The file to write; its folder is made.
        """
        with self._explained(key):
            transfers.download(self._backend, key, path)

    def hash(self, key: str) -> FileEntry:
        """Compute the size and SHA-256 of an object, read in pieces.

        Args:
            key: The object's key.

        Returns:
            Its size in bytes and its hash in hex digits.
        """
        return self.hash_with_tag(key)[0]

    def hash_with_tag(self, key: str) -> tuple[FileEntry, str | None]:
        """Compute the size and SHA-256 of an object, and tell which version of it was read.

        Args:
            key: The object's key.

        Returns:
            Its size and hash, and its tag as `ObjectInfo` has it; None where the store gives none.
        """
        with self._explained(key):
            return transfers.hash_object(self._backend, key)

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error.

        Args:
            key: The object's key.
        """
        import obstore

        try:
            with self._explained(key):
                obstore.delete(self._backend, key)
        except FileNotFoundError:
            return

    def _replace_in_folder(self, key: str, data: bytes, tag: str) -> bool:
        assert self.folder
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if self.read_with_tag(key)[1] != tag:
                    return False
            except FileNotFoundError:
                return False
            self.write(key, data)
            return True

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn what the library raises into FileNotFoundError, a full disk's OSError, or StoreError."""
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise StoreError(explain(self.uri, str(error))) from None
            raise FileNotFoundError(errno.ENOENT, "not in the store", f"{self.uri}/{key}") from None
        except BaseError as error:
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{self.uri}/{key}") from None
            kind = StoreFolderError if any(sign in str(error) for sign in FOLDER_MENDS) else StoreError
            raise kind(explain(self.uri, str(error))) from None


def _folder_of(uri: str) -> Path | None:
    """Find the folder that a store's URI names; None for S3."""
    if uri.startswith("s3://"):
        return None
    if "://" in uri and not uri.startswith("file://"):
        raise UsageError(f"{uri} is no store: give a folder or s3://bucket/prefix")
    return Path(uri.removeprefix("file://")).expanduser().absolute()


def _open_folder(folder: Path) -> Any:
    from obstore.store import LocalStore

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFolderError(f"{folder}: the folder cannot be made ({error.strerror}); name another place") from None
    return LocalStore(prefix=folder)


def _info(entry: Any) -> ObjectInfo:
    return ObjectInfo(entry["path"], entry["size"], entry["last_modified"], entry["e_tag"])


def _is_conflict(error: Exception) -> bool:
    return re.search(r"\b409 Conflict\b", str(error)) is not None
