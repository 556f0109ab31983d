"""Writes a model's files where the registry keeps them, from a copy that has the very same content.

Only what is missing or other is written: at a first promotion all of it, later what was lost or damaged since.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import StoreError, UsageError
from ctiforge.records.artifact import FileEntry, Manifest
from ctiforge.records.registry import ModelRecord
from ctiforge.store.artifacts import Input, fetch_input, read_manifest
from ctiforge.store.objects import ObjectStore


def restore_version(store: ObjectStore, record: ModelRecord, copy: Input) -> list[str]:
    """Put back what is missing or damaged of a version's files.

    Args:
        store: The store of the registry.
        record: The version's record.
        copy: The same files elsewhere.

    Returns:
        The names of the files that were put back.

    Raises:
        UsageError: The copy has another content, or the registry never kept the version's files.
        StoreError: The store does not answer, or a file changed while it was read.
    """
    if not record.place or not record.files:
        raise UsageError(f"{record.line} version {record.version}: the registry never kept its files")
    if copy.content != record.content:
        raise UsageError(f"{copy.uri} holds other files than version {record.version} of {record.line} was made of")
    if copy.is_file:
        # its place is that of the one file
        folder = record.place.rpartition("/")[0]
        return put_back(store, folder, None, copy)
    return put_back(store, record.place, read_manifest(store, record.place), copy)


def put_back(store: ObjectStore, folder: str, manifest: Manifest | None, copy: Input) -> list[str]:
    """Write those files of a copy that are missing or other in a folder of the store.

    Args:
        store: The store.
        folder: The folder's key.
        manifest: What lies there as its manifest; None: there is none, and the copy's own is written, if it has one.
        copy: The files.

    Returns:
        The names of the files that were written.

    Raises:
        StoreError: The store does not answer, or a file changed while it was read.
    """
    written = []
    for name, entry in copy.files.items():
        key = f"{folder}/{manifest.key(name) if manifest else name}"
        if not stands(store, key, entry):
            _copy(copy, name, store, key)
            written.append(name)
    if manifest is None and copy.manifest and not copy.is_file:
        # where the files come from stays with them
        flat = copy.manifest.model_copy(update={"attempt": ""})
        store.write(f"{folder}/{Manifest.NAME}", flat.to_json().encode())
    return written


def stands(store: ObjectStore, key: str, entry: FileEntry) -> bool:
    """Tell whether a file lies in the store as it was kept.

    Args:
        store: The store.
        key: The file's key.
        entry: Its size and hash.

    Returns:
        False where it is missing, or has another content.
    """
    try:
        return store.hash(key) == entry
    except FileNotFoundError:
        return False


def _copy(model: Input, name: str, store: ObjectStore, key: str) -> None:
    with TemporaryDirectory() as scratch:
        # one at a time: a laptop has no room for all of them twice
        fetched = fetch_input(replace(model, files={name: model.files[name]}), Path(scratch))
        entry = store.upload(fetched if model.is_file else fetched / name, key)
    if entry != model.files[name]:
        store.delete(key)
        raise StoreError(f"{model.uri}: {name} changed while it was read; run the same command again")
