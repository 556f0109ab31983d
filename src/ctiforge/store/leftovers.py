"""What killed uploads left in a store: open multipart uploads in S3, half-written files in a folder.

No listing of objects shows them, and they take up room until somebody removes them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ctiforge.store.objects import ObjectStore
from ctiforge.store.s3 import Bucket, open_bucket
from ctiforge.store.troubles import explained

OLD = timedelta(days=1)
"""No upload that is still under way is older."""
_HALF = re.compile(r"#\d+$")
"""How obstore names a file of a folder until it is whole; no object's name ends so."""


@dataclass(frozen=True)
class Leftover:
    """One upload that never ended.

    Attributes:
        key: The key of the object that it was to be; in a folder, of the half file.
        size: The bytes that lie there.
        modified: When the upload began; in a folder, when it last went on.
        upload: S3's id of the upload; None in a folder.
    """

    key: str
    size: int
    modified: datetime
    upload: str | None


def find_leftovers(store: ObjectStore, now: datetime | None = None) -> list[Leftover]:
    """Find what uploads left that ended more than a day ago without being whole.

    Args:
        store: The store to look through.
        now: The moment that ages are reckoned from; None: the present one.

    Returns:
        What can be removed, sorted by key.

    Raises:
        StoreError: The store does not answer, or these credentials may not list uploads.
    """
    before = (now or datetime.now(UTC)) - OLD
    found = _half_files(store) if store.folder else _open_uploads(store) if store.is_s3 else iter(())
    return sorted((each for each in found if each.modified < before), key=lambda each: each.key)


def remove_leftover(store: ObjectStore, leftover: Leftover) -> None:
    """Remove what an upload left; what is gone already is no error.

    Args:
        store: The store that it lies in.
        leftover: As `find_leftovers` found it.

    Raises:
        StoreError: The store does not answer, or these credentials may not end uploads.
    """
    if store.folder:
        (store.folder / leftover.key).unlink(missing_ok=True)
        return
    bucket = open_bucket(store.uri)
    with explained(store.uri, gone="NoSuchUpload"):
        bucket.client.abort_multipart_upload(
            Bucket=bucket.name, Key=bucket.prefix + leftover.key, UploadId=leftover.upload
        )


def _half_files(store: ObjectStore) -> Iterator[Leftover]:
    assert store.folder
    for path in store.folder.rglob("*"):
        if not _HALF.search(path.name):
            continue
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        yield Leftover(path.relative_to(store.folder).as_posix(), status.st_size, modified, None)


def _open_uploads(store: ObjectStore) -> Iterator[Leftover]:
    bucket = open_bucket(store.uri)
    with explained(store.uri):
        pages = bucket.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket.name, Prefix=bucket.prefix)
        for page in pages:
            for upload in page.get("Uploads", []):
                key, number = upload["Key"], upload["UploadId"]
                size = _uploaded(bucket, key, number)
                yield Leftover(key.removeprefix(bucket.prefix), size, upload["Initiated"], number)


def _uploaded(bucket: Bucket, key: str, upload: str) -> int:
    """Sum the bytes of an upload's parts; 0 where it has just ended."""
    pages = bucket.client.get_paginator("list_parts").paginate(Bucket=bucket.name, Key=key, UploadId=upload)
    try:
        return sum(part["Size"] for page in pages for part in page.get("Parts", []))
    except bucket.client.exceptions.NoSuchUpload:
        return 0
