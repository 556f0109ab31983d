"""What a bucket's own rules mean for a store in it: versions that take up room, locks that forbid to remove."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ctiforge.store.objects import ObjectStore
from ctiforge.store.s3 import CHECKSUM, Bucket, open_bucket
from ctiforge.store.troubles import explained

NONCURRENT_DAYS = 7


def bucket_notes(store: ObjectStore) -> list[str]:
    """Tell what a person should know of the bucket that a store lies in.

    Args:
        store: The store; a folder has no such rules.

    Returns:
        A sentence or two for each thing, with what to do; empty where there is nothing to know. What these
        credentials may not ask is passed over.

    Raises:
        StoreError: The store does not answer.
    """
    if not store.is_s3:
        return []
    bucket = open_bucket(store.uri)
    versioning = _ask(store, bucket, "get_bucket_versioning").get("Status")
    rules = _ask(store, bucket, "get_bucket_lifecycle_configuration").get("Rules", [])
    lock = _ask(store, bucket, "get_object_lock_configuration").get("ObjectLockConfiguration", {})
    return [
        *(
            [versions_note(bucket.name, bucket.prefix)]
            if versioning and not ends_versions(rules, bucket.prefix)
            else []
        ),
        *([lock_note(lock)] if lock.get("ObjectLockEnabled") == "Enabled" else []),
    ]


def ends_versions(rules: Sequence[Mapping[str, Any]], prefix: str) -> bool:
    """Tell whether one of a bucket's lifecycle rules removes the versions of what is deleted below `prefix`."""
    for rule in rules:
        within = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
        is_for_all = set(rule.get("Filter", {})) <= {"Prefix"}
        ends = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
        if rule.get("Status") == "Enabled" and is_for_all and prefix.startswith(within) and ends:
            return True
    return False


def versions_note(bucket: str, prefix: str) -> str:
    """Say that deleting frees nothing, and the rule that mends it."""
    rule = {
        "ID": "ctiforge",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": NONCURRENT_DAYS},
    }
    return (
        f"the bucket {bucket} keeps versions: what is deleted or overwritten still takes up room, and can be read, "
        "until a lifecycle rule removes it. Add this one to the bucket's rules (`aws s3api "
        f"put-bucket-lifecycle-configuration` replaces them all): {json.dumps({'Rules': [rule]})}"
    )


def lock_note(lock: Mapping[str, Any]) -> str:
    """Say what a lock on objects means for gc and for writing."""
    kept = lock.get("Rule", {}).get("DefaultRetention", {})
    unit = next((f"{kept[name]} {name.lower()}" for name in ("Days", "Years") if kept.get(name)), None)
    until = f"for {unit} after it was written" if unit else "while it is held"
    return (
        f"the bucket locks objects: nothing of it can be freed {until}, whatever gc or forget delete; and S3 takes no "
        f"object without a checksum: set {CHECKSUM}=sha256"
    )


def _ask(store: ObjectStore, bucket: Bucket, question: str) -> dict[str, Any]:
    """Ask S3 one thing of the bucket; nothing where there is no such thing, or nobody may ask."""
    from botocore.exceptions import ClientError

    with explained(store.uri):
        try:
            answer: dict[str, Any] = getattr(bucket.client, question)(Bucket=bucket.name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404, 405, 501):
                return {}
            raise
        return answer
