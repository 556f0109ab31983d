"""Read records from a store."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ctiforge.errors import DamagedError, DataError
from ctiforge.records.base import File, SchemaError
from ctiforge.store.objects import ObjectStore

AnyFile = TypeVar("AnyFile", bound=File)
Asked = TypeVar("Asked")
Read = TypeVar("Read")
MEND = "put back a copy of it, or ask for help"
"""What a person can do about a record that only the registry has."""
TOGETHER = 8
"""Requests under way at once: most of one to S3 is waiting."""


def read_each(read: Callable[[Asked], Read], asked: Iterable[Asked]) -> Iterator[Read]:
    """Do the same with many small objects, some at a time.

    Args:
        read: Does it with one.
        asked: The objects.

    Yields:
        What `read` gave for each, in the order that they were asked for.
    """
    with ThreadPoolExecutor(TOGETHER) as pool:
        yield from pool.map(read, asked)


def read_record(store: ObjectStore, key: str, kind: type[AnyFile], remedy: str) -> AnyFile:
    """Read one record from a store.

    Args:
        store: The store to read from.
        key: The record's key in it.
        kind: The record's class.
        remedy: What to do where it is damaged, as in `delete it`; the error's text ends with it.

    Returns:
        The record, upgraded where an older ctiforge wrote it.

    Raises:
        FileNotFoundError: There is no such object.
        SchemaError: Another ctiforge wrote it, which this one cannot read.
        DamagedError: The record is damaged.
        StoreError: The store does not answer.
    """
    return parse_record(store, key, kind, store.read(key), remedy)


def parse_record(store: ObjectStore, key: str, kind: type[AnyFile], data: bytes, remedy: str) -> AnyFile:
    """Parse the bytes that a record's key held.

    Args:
        store: The store that they come from.
        key: The record's key in it.
        kind: The record's class.
        data: The bytes.
        remedy: What to do where it is damaged, as for `read_record`.

    Returns:
        The record, upgraded where an older ctiforge wrote it.

    Raises:
        SchemaError: Another ctiforge wrote it, which this one cannot read.
        DamagedError: The record is damaged.
    """
    try:
        return kind.parse(data, f"{store.uri}/{key}")
    except SchemaError:
        raise
    except DataError:
        raise DamagedError(f"{store.uri}/{key} is damaged: {remedy}") from None
