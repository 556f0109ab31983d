"""Fingerprints: what makes two runs of a stage the same work. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ctiforge.records.artifact import FileEntry

SHORT = 12
"""Hex digits of a fingerprint that names and labels carry."""


def fingerprint(
    stage: str, version: int, params: Mapping[str, Any], inputs: Mapping[str, str], packages: Mapping[str, str]
) -> str:
    """Compute the SHA-256, in hex digits, over everything that decides a stage's result.

    `inputs` maps each input's name to its content hash, `packages` a distribution to its version.
    The order of keys does not matter; a parameter that is None counts like one that is absent, so
    that a new optional parameter leaves old fingerprints as they are.
    """
    known = {name: value for name, value in params.items() if value is not None}
    parts = {
        "stage": stage,
        "version": version,
        "params": known,
        "inputs": dict(inputs),
        "packages": {name: public_version(version) for name, version in packages.items()},
    }
    return _sha256(parts)


def output_fingerprint(stage: str, content: str) -> str:
    """Compute the fingerprint of a stage that is keyed by what it wrote: `content` is its outputs' content hash."""
    return _sha256({"stage": stage, "content": content})


def content_hash(files: Mapping[str, FileEntry]) -> str:
    """Compute one hash over the names and contents of a folder's files, wherever the folder lies.

    Args:
        files: Each file's name, relative to the folder, with its size and SHA-256.

    Returns:
        SHA-256 in hex digits; the order of the files does not matter.
    """
    return _sha256({name: entry.sha256 for name, entry in files.items()})


def public_version(version: str) -> str:
    """Strip a version of its build (`2.13.0+cpu` → `2.13.0`): images for CPU and GPU share artifacts."""
    return version.partition("+")[0]


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
