"""Whether a store can be trusted: reads, writes, and conditional writes that are really conditional."""

import secrets
from collections.abc import Iterator

from ctiforge.errors import StoreError
from ctiforge.store.objects import ObjectStore


def check_store(store: ObjectStore) -> Iterator[str]:
    """Try a store out on an object of its own, which is deleted at the end.

    Args:
        store: The store to try.

    Yields:
        What works, one short statement each: `writes and reads`, `lists` and so on.

    Raises:
        StoreError: Something does not work; the text says what, and what to do.
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
        raise StoreError(
            f"{store.uri}: {what}, so two runs could damage each other's results; "
            "use a store with conditional writes (AWS S3, MinIO, SeaweedFS, Ceph ≥ 19, a folder)"
        )
