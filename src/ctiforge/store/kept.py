"""What a registry keeps by hash: the evaluations that decisions were made from, and what else went into them."""

import hashlib
from typing import Literal

from ctiforge.errors import DataError
from ctiforge.store.objects import ObjectStore

Kept = Literal["evaluations", "grounds"]
"""What it is: the folder that it lies in."""


def keep(store: ObjectStore, line: str, kind: Kept, data: bytes) -> str:
    """Keep a file by its hash; the same content is kept once.

    Args:
        store: The store of the registry.
        line: The line's name.
        kind: What it is.
        data: Its bytes.

    Returns:
        Their SHA-256 in hex digits.
    """
    name = hashlib.sha256(data).hexdigest()
    store.write_new(_key(line, kind, name), data)
    return name


def read_kept(store: ObjectStore, line: str, kind: Kept, name: str) -> bytes:
    """Read what is kept, and verify its hash.

    Args:
        store: The store of the registry.
        line: The line's name.
        kind: What it is.
        name: Its SHA-256 in hex digits.

    Returns:
        Its bytes.

    Raises:
        DataError: It is gone, or has another content.
    """
    key = _key(line, kind, name)
    try:
        data = store.read(key)
    except FileNotFoundError:
        raise DataError(f"{store.uri}/{key} is gone (ctiforge forget removes what holds an article)") from None
    if hashlib.sha256(data).hexdigest() != name:
        raise DataError(f"{store.uri}/{key} was changed: its content has another hash")
    return data


def is_kept_as(store: ObjectStore, line: str, kind: Kept, data: bytes) -> bool:
    """Tell whether just this content is kept.

    Args:
        store: The store of the registry.
        line: The line's name.
        kind: What it is.
        data: Its bytes.

    Returns:
        False where it was never kept, or was changed since.
    """
    return store.exists(_key(line, kind, hashlib.sha256(data).hexdigest()))


def _key(line: str, kind: Kept, name: str) -> str:
    return f"models/{line}/{kind}/{name}.json"
