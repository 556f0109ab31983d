"""What killed uploads left is found, however no listing shows it, and removed after a day."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctiforge.errors import StoreError
from ctiforge.store.leftovers import OLD, Leftover, find_leftovers, remove_leftover
from ctiforge.store.objects import open_store, open_to_look

LATER = datetime.now(UTC) + OLD + timedelta(hours=1)
PART = b"x" * 5_300_000
UPLOAD = """
import sys, obstore
from obstore.store import LocalStore
def pieces():
    yield b"x" * 6_000_000
    yield b"x" * 6_000_000
    print("half", flush=True)
    sys.stdin.read()
obstore.put(LocalStore(prefix=sys.argv[1]), "weights", pieces(), chunk_size=6_000_000)
"""
"""A program that is in the middle of an upload, until its standard input ends."""


def test_half_files_of_a_folder_go_and_whole_ones_stay(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.write("artifacts/a/model.safetensors", b"whole")
    half = tmp_path / "artifacts/a/model.safetensors#1"
    half.write_bytes(b"half")

    assert find_leftovers(store) == []
    found = find_leftovers(store, LATER)
    assert [(each.key, each.size) for each in found] == [("artifacts/a/model.safetensors#1", 4)]
    for each in (*found, *found):
        remove_leftover(store, each)

    assert not half.exists()
    assert store.read("artifacts/a/model.safetensors") == b"whole"


def test_what_obstore_leaves_when_it_is_killed_is_named_so(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    child = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, store.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    assert child.stdout.readline() == "half\n"
    child.kill()
    child.communicate()

    assert store.list("") == []
    assert [each.key for each in find_leftovers(store, LATER)] == ["weights#1"]


def test_uploads_that_were_not_ended_in_s3_are_ended(s3_server, s3_bucket: str) -> None:
    client, bucket = s3_server._client(), s3_bucket.removeprefix("s3://")
    for key in ("mine/weights", "others/weights"):
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=PART)
    store = open_store(f"{s3_bucket}/mine")

    assert find_leftovers(store) == []
    found = find_leftovers(store, LATER)
    assert [(each.key, each.size) for each in found] == [("weights", len(PART))]
    for each in (*found, *found):
        remove_leftover(store, each)

    assert find_leftovers(store, LATER) == []
    assert [each.key for each in find_leftovers(open_store(s3_bucket), LATER)] == ["others/weights"]


def test_a_store_that_is_not_there_has_none_and_one_that_does_not_answer_says_so(
    tmp_path: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_leftovers(open_to_look(str(tmp_path / "nowhere")), LATER) == []
    store = open_store(s3_bucket)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="secret key is wrong"):
        find_leftovers(store)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match="nothing answers"):
        remove_leftover(store, Leftover("k", 1, LATER, "upload"))
