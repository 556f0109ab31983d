"""Artifacts under bad luck: twins, kills, flipped bytes, lost replies; on a folder and on a real S3 server."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctiforge.errors import StoreError, UsageError
from ctiforge.records.artifact import Manifest
from ctiforge.store.artifacts import USED, artifact_key, fetch, find_input, publish, read_manifest
from ctiforge.store.objects import open_store

FINGERPRINT = "f" * 64
FOLDER = artifact_key("train_extract", FINGERPRINT)


def test_of_two_writers_with_different_bytes_one_wins_and_verifies(store_uri: str, tmp_path: Path) -> None:
    outs = [_folder(tmp_path / f"out{i}", {"weights.bin": f"weights {i}", "log.txt": f"log {i}"}) for i in range(2)]
    barrier = threading.Barrier(2)

    def write(i: int) -> Manifest:
        store = open_store(store_uri)
        barrier.wait()
        return publish(store, outs[i], _manifest(f"attempt-{i}"))

    with ThreadPoolExecutor(2) as pool:
        manifests = list(pool.map(write, range(2)))
    assert manifests[0] == manifests[1]
    winner = manifests[0].attempt[-1]
    there = fetch(f"{store_uri}/{FOLDER}", tmp_path / "back")
    assert (there / "weights.bin").read_text() == f"weights {winner}"
    assert (there / "log.txt").read_text() == f"log {winner}"
    # the one that comes late may find the other's, and note that it counts on it
    keys = [info.key for info in open_store(store_uri).list("artifacts") if not info.key.endswith(f"/{USED}")]
    assert len(keys) == 3


def test_a_writer_that_comes_late_leaves_the_finished_artifact_alone(store_uri: str, tmp_path: Path) -> None:
    store = open_store(store_uri)
    first = publish(store, _folder(tmp_path / "a", {"x": "first"}), _manifest("one"))
    # a twin that looked before the first had finished
    second = _publish_without_looking(store, _folder(tmp_path / "b", {"x": "second", "y": "more"}), _manifest("two"))
    assert first == second
    assert (fetch(f"{store_uri}/{FOLDER}", tmp_path / "back") / "x").read_text() == "first"
    assert not any("/two/" in info.key for info in store.list(FOLDER))


KILLED_WRITER = """
import sys
from pathlib import Path
from ctiforge.store.objects import ObjectStore
from ctiforge.store.stages import Stage, StageFlags, run_stage

def stop_here(self, key, data):
    print("data is written", flush=True)
    sys.stdin.read()

ObjectStore.write_new = stop_here

def work(dirs):
    (dirs.out / "records.jsonl").write_text("half-done")
    return {}

run_stage(Stage("format_extract", 1), params={}, inputs={}, output=None, flags=StageFlags(sys.argv[1]), work=work)
"""


def test_a_writer_killed_between_data_and_manifest_leaves_no_artifact(store_uri: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED_WRITER, store_uri]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env={**os.environ}, text=True
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "data is written\n"
        writer.send_signal(signal.SIGKILL)
    store = open_store(store_uri)
    orphans = store.list("artifacts")
    assert [info.size for info in orphans] == [len("half-done")]
    folder = orphans[0].key.rsplit("/", 2)[0]
    assert read_manifest(store, folder) is None

    manifest = _manifest("next").model_copy(
        update={"stage": "format_extract", "fingerprint": folder.rpartition("/")[2]}
    )
    publish(store, _folder(tmp_path / "again", {"records.jsonl": "whole"}), manifest)
    assert (fetch(f"{store_uri}/{folder}", tmp_path / "back") / "records.jsonl").read_text() == "whole"
    assert orphans[0] not in store.list("artifacts")


def test_a_flipped_byte_is_found_and_named(store_uri: str, tmp_path: Path) -> None:
    store = open_store(store_uri)
    out = _folder(tmp_path / "out", {"model/weights.bin": "0123456789", "log.txt": "log"})
    manifest = publish(store, out, _manifest("one"))
    store.write(f"{FOLDER}/{manifest.key('model/weights.bin')}", b"0123456788")
    with pytest.raises(StoreError, match=r"model/weights\.bin is damaged.*delete that artifact's folder"):
        fetch(f"{store_uri}/{FOLDER}", tmp_path / "back")


def test_a_file_that_vanished_is_named(store_uri: str, tmp_path: Path) -> None:
    store = open_store(store_uri)
    manifest = publish(store, _folder(tmp_path / "out", {"a": "1", "b": "2"}), _manifest("one"))
    store.delete(f"{FOLDER}/{manifest.key('b')}")
    with pytest.raises(StoreError, match="b is damaged"):
        fetch(f"{store_uri}/{FOLDER}", tmp_path / "back")


def test_a_manifest_that_is_no_manifest_is_named(store_uri: str) -> None:
    store = open_store(store_uri)
    store.write(f"{FOLDER}/{Manifest.NAME}", b'{"stage": "train')
    with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
        read_manifest(store, FOLDER)


def test_the_reply_to_our_own_manifest_is_lost_and_it_still_is_ours(fake_s3, tmp_path: Path) -> None:
    fake_s3.loses_reply_of = Manifest.NAME
    manifest = publish(open_store("s3://bucket"), _folder(tmp_path / "out", {"a": "1"}), _manifest("one"))
    assert manifest.attempt == "one"
    assert fake_s3.loses_reply_of == ""
    assert fake_s3.objects[f"{FOLDER}/one/a"] == b"1"


def test_an_input_has_one_content_hash_wherever_it_lies(store_uri: str, tmp_path: Path) -> None:
    files = {"train.jsonl": "[1]", "deep/validation.jsonl": "[2]"}
    plain = _folder(tmp_path / "plain", files)
    store = open_store(store_uri)
    publish(store, plain, _manifest("one"))
    for name, text in files.items():
        store.write(f"copy/{name}", text.encode())
    assert (
        find_input(str(plain)).content
        == find_input(f"{store_uri}/{FOLDER}").content
        == find_input(f"{store_uri}/copy/").content
    )
    one = [str(plain / "train.jsonl"), f"{store_uri}/{FOLDER}/train.jsonl", f"{store_uri}/copy/train.jsonl"]
    assert len({find_input(uri).content for uri in one}) == 1
    assert {fetch(uri, tmp_path / f"in{i}").read_text() for i, uri in enumerate(one)} == {"[1]"}


def test_an_input_that_is_not_there_is_a_usage_error(store_uri: str) -> None:
    open_store(store_uri).write("k", b"")
    for uri in (f"{store_uri}/nope", f"{store_uri}/deep/nope.jsonl"):
        with pytest.raises(UsageError, match="no such file"):
            find_input(uri)


def _manifest(attempt: str) -> Manifest:
    return Manifest(
        stage="train_extract",
        version=1,
        fingerprint=FINGERPRINT,
        attempt=attempt,
        files={},
        parameters={},
        inputs={},
        packages={},
        python="3.11",
        summary={},
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=0.0,
    )


def _folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def _publish_without_looking(store, out: Path, manifest: Manifest) -> Manifest:
    class Blind(type(store)):
        looked = False

        def read_with_tag(self, key):
            if key.endswith(Manifest.NAME) and not Blind.looked:
                Blind.looked = True
                raise FileNotFoundError(key)
            return super().read_with_tag(key)

    return publish(Blind(store.uri, store._backend, folder=store.folder), out, manifest)
