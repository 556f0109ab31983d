"""Whether a store can be trusted: reads, writes, and conditional writes that are really conditional."""

import json
import os
import secrets
from collections.abc import Iterator
from hashlib import sha256

from ctiforge.errors import UntrustedStoreError
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.objects import ObjectStore

PROBE = 1
"""Raised when runs must try out again what they trusted before."""


def ensure_trusted(store: ObjectStore) -> None:
    """Try a store out, unless a run did so before: two runs in one that ignores conditions damage each other's results.

    Args:
        store: The store; it is noted there, below `probed/`, that it was tried out.

    Raises:
        UntrustedStoreError: Something does not work; the text says what, and what to do.
        StoreError: The store does not answer.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    # a copy of a store on another server has not been tried out
    place = json.dumps({"probe": PROBE, "uri": store.uri, "endpoint": endpoint if store.is_s3 else None})
    key = f"probed/{sha256(place.encode()).hexdigest()[:SHORT]}.json"
    if store.exists(key):
        return
    for _ in check_store(store):
        pass
    store.write(key, f"{place}\n".encode())


def check_store(store: ObjectStore) -> Iterator[str]:
    """Try a store out on an object of its own, which is deleted at the end.

    Args:
        store: The store to try.

    Yields:
        What works, one short statement each: `writes and reads`, `lists` and so on.

    Raises:
        UntrustedStoreError: Something does not work; the text says what, and what to do.
        StoreError: The store does not answer.
    """
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        store.write(key, b"first")
        _require(store.read(key) == b"first", store, "what was written is not what is read")
        yield "writes and reads"
        _require([info.key for info in store.list("doctor")].count(key) == 1, store, "a new object is not listed")
        yield "lists"
        taken = store.write_new(key, b"second")
        _require(not taken and store.read(key) == b"first", store, "it ignores `If-None-Match: *`")
        yield "refuses to overwrite on a conditional write"
        stale = store.read_with_tag(key)[1]
        _require(store.replace(key, b"third", stale), store, "it refuses `If-Match` with the right tag")
        swapped = store.replace(key, b"fourth", stale)
        _require(not swapped and store.read(key) == b"third", store, "it ignores `If-Match`")
        yield "compares before it swaps"
    finally:
        store.delete(key)
    yield "deletes"


def _require(holds: bool, store: ObjectStore, what: str) -> None:
    if not holds:
        raise UntrustedStoreError(
            f"{store.uri}: {what}, so two runs could damage each other's results; "
            "use a store with conditional writes (AWS S3, MinIO, SeaweedFS, Ceph ≥ 19, a folder)"
        )
