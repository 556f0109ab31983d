"""The object store's promises, on a folder and on a real S3 server alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctiforge.errors import ExitCode, StoreError, UntrustedStoreError, UsageError
from ctiforge.records.artifact import FileEntry
from ctiforge.store.check import check_store, ensure_trusted
from ctiforge.store.objects import ObjectStore, hash_file, open_store


def test_objects_are_written_read_listed_and_deleted(store_uri: str) -> None:
    store = open_store(store_uri)
    store.write("a/one", b"1")
    store.write("a/deep/two", b"22")
    store.write("ab/other", b"3")
    assert store.read("a/one") == b"1"
    assert [(info.key, info.size) for info in store.list("a")] == [("a/deep/two", 2), ("a/one", 1)]
    assert len(store.list("")) == 3
    store.delete("a/one")
    store.delete("a/one")
    assert not store.exists("a/one")
    assert store.exists("a/deep/two")
    assert store.list("nothing") == []


def test_a_missing_object_is_named(store_uri: str) -> None:
    store = open_store(store_uri)
    with pytest.raises(FileNotFoundError, match="nope"):
        store.read("nope")
    with pytest.raises(FileNotFoundError, match="nope"):
        store.hash("nope")


def test_write_new_never_overwrites(store_uri: str) -> None:
    store = open_store(store_uri)
    assert store.write_new("k", b"first")
    assert not store.write_new("k", b"second")
    assert store.read("k") == b"first"


def test_of_many_conditional_writers_exactly_one_wins(store_uri: str) -> None:
    stores = [open_store(store_uri) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: stores[i].write_new("manifest.json", f"writer {i}".encode()), range(8)))
    assert won.count(True) == 1
    assert stores[0].read("manifest.json") == f"writer {won.index(True)}".encode()


def test_replace_swaps_only_the_version_that_was_read(store_uri: str) -> None:
    store = open_store(store_uri)
    store.write("champion.json", b"1")
    _, tag = store.read_with_tag("champion.json")
    assert store.replace("champion.json", b"2", tag)
    assert not store.replace("champion.json", b"3", tag)
    assert not store.replace("absent.json", b"3", tag)
    assert store.read("champion.json") == b"2"


def test_of_many_swaps_of_one_version_exactly_one_wins(store_uri: str) -> None:
    stores = [open_store(store_uri) for _ in range(8)]
    stores[0].write("champion.json", b"start")
    _, tag = stores[0].read_with_tag("champion.json")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: stores[i].replace("champion.json", f"writer {i}".encode(), tag), range(8)))
    assert won.count(True) == 1
    assert stores[0].read("champion.json") == f"writer {won.index(True)}".encode()


@pytest.mark.parametrize("size", [0, 1, 20_000_003])
def test_files_go_up_and_down_unchanged(store_uri: str, tmp_path: Path, size: int) -> None:
    store = open_store(store_uri)
    source, back = tmp_path / "source.bin", tmp_path / "deep" / "back.bin"
    source.write_bytes(bytes(range(251)) * (size // 251) + b"x" * (size % 251))
    entry = store.upload(source, "weights/model.bin")
    store.download("weights/model.bin", back)
    assert entry == hash_file(source) == hash_file(back) == store.hash("weights/model.bin")
    assert list(back.parent.iterdir()) == [back]


def test_a_download_that_fails_leaves_no_file(store_uri: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_store(store_uri).download("nope", tmp_path / "down" / "nope")
    assert list((tmp_path / "down").iterdir()) == []


def test_every_check_of_doctor_passes_and_leaves_nothing(store_uri: str) -> None:
    store = open_store(store_uri)
    assert len(list(check_store(store))) == 5
    assert store.list("") == []


def test_wrong_credentials_say_so_in_one_line(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret")
    store = open_store(s3_bucket)
    for call in (
        lambda: store.read("k"),
        lambda: store.write("k", b""),
        lambda: store.list(""),
        lambda: store.exists("k"),
    ):
        with pytest.raises(StoreError, match="secret key is wrong") as caught:
            call()
        assert "\n" not in str(caught.value)
        assert "wrong-and-secret" not in str(caught.value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(StoreError, match="AWS_ACCESS_KEY_ID"):
        open_store(s3_bucket).write("k", b"")


def test_no_credentials_say_so(s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="no AWS credentials"):
        open_store(s3_bucket)


def test_a_vanished_bucket_says_so(s3_server, s3_bucket: str, tmp_path: Path) -> None:
    store = open_store(s3_bucket)
    store.write("k", b"1")
    s3_server.remove_bucket(s3_bucket.removeprefix("s3://"))
    (tmp_path / "file").write_bytes(b"x" * 9_000_000)
    for call in (
        lambda: store.read("k"),
        lambda: store.exists("k"),
        lambda: store.write("k", b""),
        lambda: store.write_new("k", b""),
        lambda: store.list(""),
        lambda: store.upload(tmp_path / "file", "big"),
    ):
        with pytest.raises(StoreError, match="bucket does not exist"):
            call()


def test_nobody_at_the_endpoint_says_so(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="nothing answers"):
        open_store(s3_bucket).read("k")


def test_a_store_that_ignores_conditions_is_refused(fake_s3) -> None:
    store = open_store("s3://bucket/prefix")
    assert len(list(check_store(store))) == 5
    fake_s3.ignores_conditions = True
    with pytest.raises(UntrustedStoreError, match="ignores `If-None-Match") as caught:
        list(check_store(store))
    assert caught.value.exit_code == ExitCode.USAGE
    assert fake_s3.objects == {}


def test_runs_try_a_store_out_once(store_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(store_uri)
    ensure_trusted(store)
    (noted,) = [info.key for info in store.list("")]
    monkeypatch.setattr(ObjectStore, "write", None)
    ensure_trusted(open_store(store_uri))

    assert noted.startswith("probed/")


def test_a_store_copied_to_another_server_is_tried_out_there(fake_s3, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_trusted(open_store("s3://bucket/prefix"))
    fake_s3.ignores_conditions = True
    ensure_trusted(open_store("s3://bucket/prefix"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{fake_s3.endpoint}/")
    with pytest.raises(UntrustedStoreError, match="two runs could damage"):
        ensure_trusted(open_store("s3://bucket/prefix"))


def test_a_conflict_is_tried_again(fake_s3) -> None:
    fake_s3.conflicts_left = 2
    store = open_store("s3://bucket")
    assert store.write_new("k", b"mine")
    assert fake_s3.objects["k"] == b"mine"


def test_other_schemes_and_nameless_buckets_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="is no store"):
        open_store("gs://bucket/prefix")
    with pytest.raises(UsageError, match="names no bucket"):
        open_store("s3://")


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(str(tmp_path / "file" / "store"))


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/store")
    (tmp_path / "f").write_bytes(b"abc")
    assert store.upload(tmp_path / "f", "k") == FileEntry(3, hash_file(tmp_path / "store" / "k").sha256)
