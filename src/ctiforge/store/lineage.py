"""Where an artifact comes from: every stage that it took, back to the harvest, read from the manifests."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ctiforge.records.artifact import ADDED, InputEntry, Manifest
from ctiforge.records.registry import Step
from ctiforge.store.artifacts import read_manifest
from ctiforge.store.fingerprint import SHORT, content_hash
from ctiforge.store.objects import ObjectStore, open_store

_ARTIFACT = re.compile(r"(?:^|/)(artifacts/[^/]+/[0-9a-f]{64})(?:/(.+))?$")


@dataclass(frozen=True)
class Lineage:
    """How an artifact came to be, as far as the manifests tell.

    Attributes:
        steps: The stages that made it, the newest first.
        gaps: What could not be followed, one sentence each; empty where the lineage is complete.
    """

    steps: tuple[Step, ...]
    gaps: tuple[str, ...]


def trace(store: ObjectStore, uri: str, roots: Collection[str]) -> Lineage:
    """Follow an artifact, manifest by manifest, to the stages where its data came in.

    Artifacts of `store` are found there wherever they lay when they were used.

    Args:
        store: The store whose artifacts are followed.
        uri: The artifact, or one of its files.
        roots: Names of the stages that may have no inputs made by a stage, like `harvest_extract`.

    Returns:
        The steps, and the gaps: a step that is no root and of whose inputs no stage is known, and an artifact
        that is gone or has changed.

    Raises:
        StoreError: A manifest is damaged, or the store does not answer.
    """
    steps: dict[str, Step] = {}
    gaps: list[str] = []
    waiting = [uri]
    while waiting:
        place = waiting.pop(0)
        found = _manifest(store, place)
        if found is None:
            gaps.append(f"{place}: no stage's manifest says what it was made of")
            continue
        folder, manifest = found
        if folder in steps:
            continue
        steps[folder] = _step(folder, manifest)
        followed = [each.uri for each in manifest.inputs.values() if _is_made(store, each, gaps)]
        if not followed and manifest.stage not in (*roots, ADDED):
            made_of = ", ".join(each.uri for each in manifest.inputs.values()) or "nothing known"
            gaps.append(
                f"{manifest.stage} {manifest.fingerprint[:SHORT]} was made of {made_of}, which no stage here made"
            )
        waiting += followed
    return Lineage(tuple(steps.values()), tuple(gaps))


def _is_made(store: ObjectStore, entry: InputEntry, gaps: list[str]) -> bool:
    """Tell whether a stage made this input; an artifact that is gone or another than it was is a gap."""
    found = _manifest(store, entry.uri)
    if found is None:
        if _ARTIFACT.search(entry.uri):
            gaps.append(f"{entry.uri} is no longer there")
        return False
    folder, manifest = found
    name = _file_in(folder, entry.uri)
    if entry.content in (content_hash(manifest.files), manifest.files[name].sha256 if name in manifest.files else None):
        return True
    gaps.append(f"{entry.uri} is no longer what it was made of")
    return False


def _manifest(store: ObjectStore, uri: str) -> tuple[str, Manifest] | None:
    """Find the folder and the manifest of an artifact, or of one of its files."""
    if artifact := _ARTIFACT.search(uri):
        manifest = read_manifest(store, artifact[1])
        if manifest:
            return f"{store.uri}/{artifact[1]}", manifest
    for folder in (uri.rstrip("/"), uri.rstrip("/").rpartition("/")[0]):
        if (folder.startswith("s3://") and folder.count("/") > 2) or Path(folder).expanduser().is_dir():
            manifest = read_manifest(open_store(folder))
            if manifest:
                return folder, manifest
    return None


def _file_in(folder: str, uri: str) -> str:
    """Find the file's name, where the URI names one of the artifact's files."""
    artifact = _ARTIFACT.search(uri)
    return (artifact[2] or "") if artifact else uri.removeprefix(folder).strip("/")


def _step(folder: str, manifest: Manifest) -> Step:
    return Step(
        stage=manifest.stage,
        version=manifest.version,
        fingerprint=manifest.fingerprint,
        uri=folder,
        inputs=manifest.inputs,
        git_commit=manifest.git_commit,
        image=manifest.image,
        started_at=manifest.started_at,
    )
