"""What a URI names of a store: the folder of an artifact, of checkpoints or of a shared input."""

import re

HASH = re.compile(r"[0-9a-f]{64}")
# the word that a folder's key begins with → how many parts the key has
_DEPTH = {"artifacts": 3, "checkpoints": 3, "inputs": 2}


def folder_in(uri: str) -> str | None:
    """Find the folder that a URI lies in or names, wherever its store lay at the time.

    Args:
        uri: A path, or an `s3://` URI.

    Returns:
        Its key in the store, like `artifacts/<stage>/<fingerprint>`; None where it is no such place.
    """
    parts = uri.split("/")
    for index in range(len(parts) - 1, -1, -1):
        depth = _DEPTH.get(parts[index])
        folder = parts[index : index + depth] if depth else []
        if depth and len(folder) == depth and HASH.fullmatch(folder[-1]):
            return "/".join(folder)
    return None


def hashes_in(text: str) -> frozenset[str]:
    """Find everything that a text may name by hash: for a record that can no longer be read as one.

    Args:
        text: Any text.

    Returns:
        Words of 64 hex digits.
    """
    return frozenset(HASH.findall(text))
