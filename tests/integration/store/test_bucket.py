"""Versions and locks of a real S3 server's buckets are told, by doctor and by gc."""

from pathlib import Path
from typing import Any

import pytest

from ctiforge.launcher.verbs import doctor
from ctiforge.store.bucket import bucket_notes
from ctiforge.store.objects import open_store
from tests.in_process import run_here

FILTER = {"Prefix": "mine/"}


def rule(**changed: Any) -> dict[str, Any]:
    plain = {"ID": "x", "Status": "Enabled", "Filter": FILTER, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}
    return {"Rules": [{**plain, **changed}]}


def test_a_plain_bucket_and_a_folder_have_nothing_to_tell(store_uri: str) -> None:
    assert bucket_notes(open_store(store_uri)) == []


def test_a_bucket_with_versions_frees_nothing_until_a_rule_removes_them(
    s3_server, s3_bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client, name = s3_server._client(), s3_bucket.removeprefix("s3://")
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    mine = open_store(f"{s3_bucket}/mine/store")

    (note,) = bucket_notes(mine)
    assert f"the bucket {name} keeps versions" in note
    assert '"Filter": {"Prefix": "mine/store/"}, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}' in note
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=rule())

    assert bucket_notes(mine) == []
    doctor(store=f"{s3_bucket}/other")
    assert f"  note: the bucket {name} keeps versions" in capsys.readouterr().out


def test_a_bucket_that_locks_objects_says_for_how_long(s3_server, s3_bucket: str) -> None:
    client, name = s3_server._client(), f"{s3_bucket.removeprefix('s3://')}-locked"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    client.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    try:
        notes = bucket_notes(open_store(f"s3://{name}"))
    finally:
        client.delete_bucket(Bucket=name)

    assert "nothing of it can be freed for 3 days after it was written" in notes[-1]
    assert "AWS_CHECKSUM_ALGORITHM=sha256" in notes[-1]


def test_who_may_not_ask_is_told_nothing(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(s3_bucket)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    assert bucket_notes(store) == []


def test_gc_says_it_beside_what_it_removes(s3_server, s3_bucket: str, tmp_path: Path) -> None:
    client, name = s3_server._client(), s3_bucket.removeprefix("s3://")
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client.create_multipart_upload(Bucket=name, Key="store/weights")

    # the upload began just now: nothing is to be removed, and nothing need be told
    assert run_here("collect_garbage", f"--store={s3_bucket}/store", cwd=tmp_path).stdout.splitlines() == [
        f"{s3_bucket}/store: there is nothing to remove"
    ]
