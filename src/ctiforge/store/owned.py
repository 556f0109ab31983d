"""The files of registered models: kept by the registry's own store, found again, and proven by their hashes.

A model that is an artifact of the store stays where it is: its record names it, so that no cleanup takes it. One that
lies elsewhere is copied to `models/<line>/owned/<content>/`, named by what it holds: whoever copies it again, also
after a kill, writes the same bytes to the same place.
"""

from pathlib import Path

from ctiforge.errors import DamagedError, DataError, UsageError
from ctiforge.records.references import folder_in
from ctiforge.records.registry import ModelRecord
from ctiforge.store.artifacts import Input, artifact_key, find_input, find_standing, read_manifest
from ctiforge.store.fingerprint import content_hash
from ctiforge.store.objects import ObjectStore
from ctiforge.store.restoring import put_back, stands

OWNED = "owned"


def own(store: ObjectStore, line: str, model: Input) -> str:
    """See to it that the registry's store holds a model's files, and prove them.

    Args:
        store: The store of the registry.
        line: The line's name.
        model: The model, wherever it lies.

    Returns:
        The key of its folder in the store, or of its file where it is one.

    Raises:
        DamagedError: A file is missing or damaged where it lies.
        StoreError: The store does not answer.
    """
    folder = _artifact_of(store, model)
    if folder:
        damaged = _damaged(find_input(f"{store.uri}/{folder}"))
        if damaged:
            raise DamagedError(f"{store.uri}/{folder} is damaged ({damaged[0]}): make it anew, then promote it")
        return folder
    folder = f"models/{line}/{OWNED}/{model.content}"
    put_back(store, folder, None, model)
    return f"{folder}/{next(iter(model.files))}" if model.is_file else folder


def locate(store: ObjectStore, record: ModelRecord) -> str:
    """Find where a version's files lie today.

    Args:
        store: The store of the registry.
        record: The version's record.

    Returns:
        The URI in this store; of a version of before, which the store does not hold, the one that it was given with.
    """
    if record.place:
        return f"{store.uri}/{record.place}"
    folder = folder_in(record.artifact)
    return f"{store.uri}/{folder}" if folder and read_manifest(store, folder) else record.artifact


def is_kept(store: ObjectStore, record: ModelRecord) -> bool:
    """Tell whether a version's files are in the registry's store, where nothing but `ctiforge` changes them.

    Args:
        store: The store of the registry.
        record: The version's record.

    Returns:
        False where they lie where they were given, for others to change.
    """
    return locate(store, record).startswith(f"{store.uri}/")


def find_fault(store: ObjectStore, record: ModelRecord) -> str | None:
    """Hold a version's files, as they lie now, against its record.

    Args:
        store: The store of the registry.
        record: The version's record.

    Returns:
        What is wrong, in one line; None where every file has the content that was registered.

    Raises:
        StoreError: The store does not answer.
    """
    uri = locate(store, record)
    try:
        found = find_input(uri)
    except UsageError:
        return f"nothing is left of it at {uri}"
    missing = sorted((record.files or {}).keys() - found.files.keys())
    if missing:
        return f"{missing[0]} is missing at {uri}"
    if found.content != record.content:
        return f"{uri} holds other files than were registered"
    damaged = _damaged(found)
    return f"{damaged[0]} at {uri}" if damaged else None


def check_usable(store: ObjectStore, record: ModelRecord) -> str:
    """Find where a version's files lie, and that they are those that were registered, where their hashes were noted.

    Those of an artifact are verified when they are read.

    Args:
        store: The store of the registry.
        record: The version's record.

    Returns:
        Their URI.

    Raises:
        DataError: Nothing is there, or other files.
    """
    uri = locate(store, record)
    if fault := _other_files(uri, record):
        raise DataError(
            f"{record.line} version {record.version}, {record.name}: {fault}; "
            f"use another version (ctiforge models list {record.line})"
        )
    return uri


def _other_files(uri: str, record: ModelRecord) -> str | None:
    if not record.files:
        is_gone = not uri.startswith("s3://") and not Path(uri).expanduser().exists()
        return f"nothing is left of it at {uri}" if is_gone else None
    try:
        is_same = find_input(uri).content == record.content
    except UsageError:
        return f"nothing is left of it at {uri}"
    return None if is_same else f"{uri} holds other files than were registered"


def _artifact_of(store: ObjectStore, model: Input) -> str | None:
    """Find the artifact of the store that the model is, or is a copy of; its use is noted."""
    if not model.manifest or model.is_file:
        return None
    folder = artifact_key(model.manifest.stage, model.manifest.fingerprint)
    kept = find_standing(store, folder)
    return folder if kept and content_hash(kept.files) == model.content else None


def _damaged(found: Input) -> list[str]:
    """Say of each file that is not what the input's manifest says; without one they were just read."""
    if not found.manifest:
        return []
    keys = {name: found.manifest.key(name) for name in found.files}
    faulty = [name for name, entry in found.files.items() if not stands(found.store, keys[name], entry)]
    return [f"{name} is {'damaged' if found.store.exists(keys[name]) else 'missing'}" for name in faulty]
