"""Read one record from a store."""

from typing import TypeVar

from ctiforge.errors import DataError, StoreError
from ctiforge.records.base import File, SchemaError
from ctiforge.store.objects import ObjectStore

AnyFile = TypeVar("AnyFile", bound=File)


def read_record(store: ObjectStore, key: str, kind: type[AnyFile], remedy: str) -> AnyFile:
    """Read a record.

    Args:
        store: Where it lies.
        key: Its key there.
        kind: What it is.
        remedy: What to do where it is damaged, as in `delete it`.

    Raises:
        FileNotFoundError: There is none.
        SchemaError: Another ctiforge wrote it, which this one cannot read.
        StoreError: It is damaged.
    """
    return parse_record(store, key, kind, store.read(key), remedy)


def parse_record(store: ObjectStore, key: str, kind: type[AnyFile], data: bytes, remedy: str) -> AnyFile:
    """Read a record from what its key held; see `read_record`."""
    try:
        return kind.parse(data, f"{store.uri}/{key}")
    except SchemaError:
        raise
    except DataError:
        raise StoreError(f"{store.uri}/{key} is damaged: {remedy}") from None
