"""Base models in the store, for machines that reach no hub: `bases/<hash>/<name>/`, its files, a manifest last.

They lie under the hash of their content, so that the same model is there once; no cleanup removes them.
"""

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.records.artifact import ADDED, Manifest
from ctiforge.store.artifacts import read_manifest
from ctiforge.store.fingerprint import SHORT, content_hash, output_fingerprint
from ctiforge.store.objects import ObjectStore, hash_file
from ctiforge.store.restoring import stands
from ctiforge.store.versions import package_version

FOLDER = "bases"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class BaseFacts:
    """What is known of a base model.

    Attributes:
        name: What it is called in the store.
        source: Where it comes from: a hub name, a package with its version, or the name of a folder.
        revision: The commit of a hub name; None elsewhere.
        license: As its card names it; None where it has none.
    """

    name: str
    source: str
    revision: str | None = None
    license: str | None = None


@dataclass(frozen=True)
class StoredBase:
    """A base model that lies in a store.

    Attributes:
        uri: What `--model` takes.
        facts: What is known of it.
        size: The bytes of its files.
    """

    uri: str
    facts: BaseFacts
    size: int


def put_base(store: ObjectStore, facts: BaseFacts, files: Mapping[str, Path]) -> tuple[StoredBase, bool]:
    """Put a base model into a store; where the same content lies there, under whatever name, what is damaged of it.

    Args:
        store: The store.
        facts: What is known of it.
        files: Each file's name in the model's folder, and where it lies on this machine.

    Returns:
        The model as it lies in the store, and whether it was put there now.

    Raises:
        UsageError: Its name cannot be that of a folder.
        StoreError: The store does not answer.
    """
    if not _NAME.fullmatch(facts.name):
        raise UsageError(f"--name {facts.name}: letters, digits and . _ - between them, like smollm2")
    started_at = datetime.now(UTC)
    entries = {name: hash_file(path) for name, path in sorted(files.items())}
    content = content_hash(entries)
    of_content = f"{FOLDER}/{content[:SHORT]}"
    for info in store.list(of_content):
        there = info.key.removesuffix(f"/{Manifest.NAME}")
        if there != info.key and (standing := read_manifest(store, there)):
            for name, path in files.items():
                if not stands(store, f"{there}/{standing.key(name)}", entries[name]):
                    store.upload(path, f"{there}/{standing.key(name)}")
            return _stored(store, there, standing), False
    folder = f"{of_content}/{facts.name}"
    for name, path in files.items():
        store.upload(path, f"{folder}/{name}")
    manifest = Manifest(
        stage=ADDED,
        version=1,
        fingerprint=output_fingerprint(ADDED, content),
        attempt="",
        files=entries,
        parameters={
            "name": facts.name,
            "source": facts.source,
            "revision": facts.revision,
            "license": facts.license,
        },
        inputs={},
        packages={name: package_version(name) for name in ("transformers", "safetensors")},
        python=platform.python_version(),
        summary={},
        started_at=started_at,
        seconds=round((datetime.now(UTC) - started_at).total_seconds(), 3),
    )
    store.write_new(f"{folder}/{Manifest.NAME}", manifest.to_json().encode())
    return _stored(store, folder, manifest), True


def list_bases(store: ObjectStore) -> list[StoredBase]:
    """List the base models of a store, by name.

    Args:
        store: The store.

    Returns:
        Those whose manifest is there: the others are not finished.
    """
    folders = [info.key.rpartition("/")[0] for info in store.list(FOLDER) if info.key.endswith(f"/{Manifest.NAME}")]
    found = [(folder, read_manifest(store, folder)) for folder in folders]
    bases = [_stored(store, folder, each) for folder, each in found if each and each.stage == ADDED]
    return sorted(bases, key=lambda base: (base.facts.name, base.uri))


def _stored(store: ObjectStore, folder: str, manifest: Manifest) -> StoredBase:
    said = manifest.parameters
    facts = BaseFacts(
        folder.rpartition("/")[2], said.get("source", "unknown"), said.get("revision"), said.get("license")
    )
    return StoredBase(f"{store.uri}/{folder}", facts, sum(entry.size for entry in manifest.files.values()))
