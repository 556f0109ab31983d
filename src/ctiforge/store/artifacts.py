"""Artifacts: what a stage wrote, verified by its manifest, and the inputs that stages read.

An artifact lies under `artifacts/<stage>/<fingerprint>/`: its files below a folder of the attempt
that wrote them, and `manifest.json`, written last and only if there is none. No manifest, no
artifact; a slower twin can never damage a finished one.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from ctiforge.errors import DamagedError, DataError, StoreError, UsageError
from ctiforge.records.artifact import ADDED, FileEntry, Manifest
from ctiforge.store.fingerprint import content_hash
from ctiforge.store.hashes import Hashable, hash_all, of_file, of_object
from ctiforge.store.objects import ObjectStore, hash_file, open_store
from ctiforge.store.reading import read_record

USED = "used"
"""Beside a manifest: when somebody last planned with the artifact."""


@dataclass(frozen=True)
class Input:
    """An input that exists: a file, or a folder of files, with its content hash.

    Attributes:
        uri: Where it lies, as the caller named it, without `file://` and the last slash.
        store: The folder or S3 prefix that holds its files.
        files: Each file's name, relative to the input, with its size and hash; exactly one for a file.
        content: SHA-256 in hex digits: of the file itself, or of a folder's names and hashes.
        is_file: Whether the URI names one file and not a folder.
        manifest: The manifest that names these files; None where the content was read and hashed.
    """

    uri: str
    store: ObjectStore
    files: dict[str, FileEntry]
    content: str
    is_file: bool
    manifest: Manifest | None


def check_name(name: str) -> None:
    """Check that a model's name can be one: what can only be a folder of this machine has to be there.

    Args:
        name: A folder, an `s3://` URI, a name of the Hub, or a word of ours like `demo`.

    Raises:
        UsageError: It is a path, and there is no such folder.
    """
    is_path = "://" not in name and (name.startswith(("/", ".", "~")) or name.count("/") > 1)
    if is_path and not Path(name).exists():
        raise UsageError(
            f"{name}: there is no such model folder; give a folder that is there, or a name like org/model"
        )


def artifact_key(stage: str, fingerprint: str) -> str:
    """Name the folder of an artifact below the store's URI.

    Args:
        stage: The stage's name, like `train_extract`.
        fingerprint: The artifact's fingerprint, 64 hex digits.

    Returns:
        `artifacts/<stage>/<fingerprint>`.
    """
    return f"artifacts/{stage}/{fingerprint}"


def read_manifest(store: ObjectStore, folder: str = "") -> Manifest | None:
    """Read the manifest in a folder of the store.

    Args:
        store: The store to read from.
        folder: The folder's key in it; "" for the store's own root.

    Returns:
        The manifest, None where there is none.

    Raises:
        StoreError: The manifest is damaged, or the store does not answer.
        SchemaError: A newer ctiforge wrote it.
    """
    key = f"{folder}/{Manifest.NAME}".lstrip("/")
    try:
        return read_record(store, key, Manifest, "delete it and run the same command again")
    except FileNotFoundError:
        return None


def find_standing(store: ObjectStore, folder: str) -> Manifest | None:
    """Read the manifest of a finished artifact that the caller is about to count on.

    Its use is noted, then it is looked for again: a cleanup that runs at the same time either sees the note, or
    the artifact is seen to be gone.

    Args:
        store: The store to look in.
        folder: The artifact's key in it (`artifact_key`).

    Returns:
        The manifest, None where the artifact is not there or not finished.
    """
    if not read_manifest(store, folder):
        return None
    store.write(f"{folder}/{USED}", f"{datetime.now(UTC).isoformat()}\n".encode())
    return read_manifest(store, folder)


def publish(store: ObjectStore, out: Path, manifest: Manifest) -> Manifest:
    """Upload the files of a folder as an artifact and write its manifest last.

    Where another attempt finished first, that one stands and ours is removed.

    Args:
        store: The store to publish in.
        out: The folder on this machine whose files, at any depth, are the artifact.
        manifest: The manifest with its attempt, and without files.

    Returns:
        The manifest that stands in the store: ours, or that of the attempt that finished first.

    Raises:
        StoreError: The store does not answer, or the manifest vanished after it was written.
    """
    folder = artifact_key(manifest.stage, manifest.fingerprint)
    if standing := find_standing(store, folder):
        return standing
    try:
        local = sorted(_local_files(out).items())
        files = {name: store.upload(path, f"{folder}/{manifest.key(name)}") for name, path in local}
    except BaseException:
        with suppress(StoreError):
            _remove_attempts(store, folder, keep=None, only=manifest.attempt)
        raise
    ours = manifest.model_copy(update={"files": files})
    # its answer is not asked: a reply lost on the way makes our own write look like another's
    store.write_new(f"{folder}/{Manifest.NAME}", ours.to_json().encode())
    winner = read_manifest(store, folder)
    if winner is None:
        raise StoreError(
            f"{store.uri}/{folder}: the manifest vanished after it was written; run the same command again"
        )
    # when others won, this removes our files; when we did, what dead writers left
    _remove_attempts(store, folder, keep=winner.attempt, only=None)
    return winner


def find_input(uri: str, memory: ObjectStore | None = None) -> Input:
    """Find a file, a folder, an artifact, or a file of an artifact, on this machine or in S3, without fetching it.

    Where a manifest names the files, their hashes are taken from it; elsewhere the content is read and hashed,
    but for large files that have not changed since.

    Args:
        uri: A path of this machine, a `file://` URL or an `s3://` URI.
        memory: The store that remembers hashes from one process to the next; None: none does.

    Returns:
        What was found, with its files and content hash.

    Raises:
        UsageError: There is no such file, folder or artifact.
        StoreError: A manifest is damaged, or the store does not answer.
    """
    return _find(uri, memory, lambda _: True)


def fetch_input(found: Input, into: Path, only: Collection[str] = ("*",)) -> Path:
    """Bring an input to this machine and verify the hash of each file.

    Args:
        found: The input, as `find_input` gives it.
        into: The folder that files of S3 are downloaded to; unused where the input lies on this machine.
        only: Patterns, as a shell's, of the names in a folder that are wanted; others are neither fetched nor read.

    Returns:
        The file, or the folder with the files: where they lie, or below `into`.

    Raises:
        StoreError: A file, which the text names, is missing or its content is not what its entry says.
    """
    for name, entry in found.files.items():
        if not found.is_file and not any(fnmatchcase(name, pattern) for pattern in only):
            continue
        key = found.manifest.key(name) if found.manifest else name
        path = found.store.folder / key if found.store.folder else into / name
        try:
            if not found.store.folder:
                found.store.download(key, path)
            intact = hash_file(path) == entry
        except FileNotFoundError:
            intact = False
        if not intact:
            raise _damage(found, name)
    folder = found.store.folder / (found.manifest.attempt if found.manifest else "") if found.store.folder else into
    return folder / next(iter(found.files)) if found.is_file else folder


def fetch(uri: str, into: Path) -> Path:
    """Find an input and bring it to this machine: `find_input` and `fetch_input` in one.

    Args:
        uri: A path of this machine, a `file://` URL or an `s3://` URI.
        into: The folder that files of S3 are downloaded to.

    Returns:
        The file or folder on this machine.

    Raises:
        UsageError: There is nothing at the URI.
        StoreError: A manifest or a file is damaged, or the store does not answer.
    """
    return fetch_input(find_input(uri), into)


def fetch_named(uri: str, name: str, into: Path) -> Path:
    """Bring one file of a folder or artifact to this machine; nothing else of it is fetched.

    Args:
        uri: The folder or artifact, or the file itself.
        name: What the file is called in the folder.
        into: Where it goes if it has to be downloaded.

    Returns:
        The file's path.

    Raises:
        UsageError: There is nothing at `uri`.
        DataError: The folder has no such file.
        StoreError: The file is damaged.
    """
    found = _find(uri, None, lambda each: each == name)
    if found.is_file:
        return fetch_input(found, into)
    if name not in found.files:
        raise DataError(f"{uri} holds no {name}: check that it is the right artifact")
    return fetch_input(replace(found, files={name: found.files[name]}), into) / name


def copy_out(folder: Path, output: str, manifest: Manifest) -> None:
    """Copy an artifact's files, without the folder of their attempt, to a folder or S3, the manifest last.

    Nothing is copied where the target already holds them.

    Args:
        folder: The folder of this machine with the artifact's files.
        output: The target: a path of this machine or an `s3://` URI.
        manifest: The artifact's manifest.
    """
    target = open_store(output)
    flat = manifest.model_copy(update={"attempt": ""})
    there = {info.key: info.size for info in target.list("")}
    if read_manifest_if_valid(target) == flat and all(there.get(n) == e.size for n, e in flat.files.items()):
        return
    for name in manifest.files:
        target.upload(folder / name, name)
    target.write(Manifest.NAME, flat.to_json().encode())


def read_manifest_if_valid(store: ObjectStore) -> Manifest | None:
    """Read the manifest at the root of a store; None where there is none or it cannot be read."""
    try:
        return read_manifest(store)
    except StoreError:
        return None


def _find(uri: str, memory: ObjectStore | None, wanted: Callable[[str], bool]) -> Input:
    """Find an input; of a folder without a manifest only the files whose names are `wanted` are read and hashed."""
    uri = uri.removeprefix("file://").rstrip("/")
    parent, _, name = uri.rpartition("/")
    if not uri.startswith("s3://"):
        path = Path(uri).expanduser().absolute()
        parent, name = str(path.parent), path.name
        if path.is_file():
            entries = hash_all(str(path), [of_file(name, path)], memory)
            return Input(uri, open_store(parent), entries, entries[name].sha256, True, None)
    found = _find_folder(uri, memory, wanted)
    if not found and parent not in ("s3:/", "s3:"):
        found = _find_file(uri, parent, name, memory)
    if not found:
        if not uri.startswith("s3://") and Path(uri).expanduser().is_dir():
            raise UsageError(f"{uri}: the folder is empty; check the path")
        raise UsageError(f"{uri}: there is no such file, folder or artifact; check the path")
    return found


def _find_folder(uri: str, memory: ObjectStore | None, wanted: Callable[[str], bool]) -> Input | None:
    if not uri.startswith("s3://") and not Path(uri).expanduser().is_dir():
        return None
    store = open_store(uri)
    manifest = read_manifest(store)
    if manifest:
        return Input(uri, store, manifest.files, content_hash(manifest.files), False, manifest)
    files = _files_of(store)
    if not files:
        return None
    entries = hash_all(store.uri, [file for file in files if wanted(file.name)], memory)
    return Input(uri, store, entries, content_hash(entries), False, None)


def _find_file(uri: str, parent: str, name: str, memory: ObjectStore | None) -> Input | None:
    if not parent.startswith("s3://") and not Path(parent).is_dir():
        return None
    store = open_store(parent)
    manifest = read_manifest(store)
    if manifest and name in manifest.files:
        entry = manifest.files[name]
        return Input(uri, store, {name: entry}, entry.sha256, True, manifest)
    if store.folder:
        # a file of that name would have been found before
        return None
    try:
        info = store.info(name)
    except FileNotFoundError:
        return None
    entries = hash_all(uri, [of_object(store, info)], memory)
    return Input(uri, store, entries, entries[name].sha256, True, None)


def _files_of(store: ObjectStore) -> list[Hashable]:
    if store.folder:
        return [of_file(name, path) for name, path in _local_files(store.folder).items()]
    return [of_object(store, info) for info in store.list("")]


def _local_files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _remove_attempts(store: ObjectStore, folder: str, *, keep: str | None, only: str | None) -> None:
    """Remove the files of every attempt but `keep`, or of the attempt `only`."""
    for info in store.list(folder):
        attempt, slash, _ = info.key.removeprefix(f"{folder}/").partition("/")
        if slash and attempt != keep and only in (None, attempt):
            store.delete(info.key)


def _damage(found: Input, name: str) -> StoreError:
    if not found.manifest:
        return StoreError(f"{found.uri}: {name} changed while it was read; run the same command again")
    what = f"{found.uri}: {name} is damaged (not the content that {Manifest.NAME} names)"
    if found.manifest.stage == ADDED:
        return DamagedError(f"{what}; ctiforge model add, with the same model, puts it back")
    if found.manifest.attempt:
        in_use = "of a registered model put back a copy, or roll back"
        return DamagedError(f"{what}; delete that artifact's folder and run again to make it anew ({in_use})")
    return DamagedError(f"{what}; if you changed it on purpose, delete {Manifest.NAME} there")
