"""Weights are read once: not by every stage that plans, nor by the next process."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from ctiforge.store import hashes
from ctiforge.store.artifacts import fetch_named, find_input
from ctiforge.store.hashes import WORTH
from ctiforge.store.objects import open_store
from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
from tests.integration.store.reading import count_reads

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(hashes, "_seen", {})


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test writes counts as written long ago."""
    monkeypatch.setattr(hashes, "SETTLED_NS", -(10**9))


@pytest.fixture
def base(store_uri: str, tmp_path: Path) -> str:
    """A base model in a folder, or in S3."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"w" * (WORTH + 5))
    (folder / "tokenizer.json").write_text("{}")
    if not store_uri.startswith("s3://"):
        return str(folder)
    store = open_store(f"{store_uri}/base")
    for file in folder.iterdir():
        store.upload(file, file.name)
    return store.uri


@pytest.fixture
def read(base: str, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    return count_reads(monkeypatch)


def plan(base: str, store_uri: str, stage: str = "train") -> str | None:
    flags = StageFlags(store=store_uri, plan=True)
    return run_stage(
        Stage(stage, 1), params={}, inputs={"model": base}, output=None, flags=flags, work=lambda _: {}
    ).fingerprint


@pytest.mark.usefixtures("_settled")
def test_the_stages_of_one_planning_and_the_next_night_read_no_weights(
    base: str, store_uri: str, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(store_uri)
    planned = plan(base, store_uri)
    assert read[WEIGHTS] == WORTH + 5
    read.clear()
    assert plan(base, store_uri, "eval") != planned
    monkeypatch.setattr(hashes, "_seen", {})
    assert plan(base, store_uri) == planned

    assert read[WEIGHTS] == 0


@pytest.mark.usefixtures("_settled")
def test_what_has_changed_is_read_again(base: str, store_uri: str, read: Counter[str]) -> None:
    open_store(store_uri)
    first = plan(base, store_uri)
    open_store(base).write(WEIGHTS, b"x" * (WORTH + 5))
    read.clear()

    assert plan(base, store_uri) != first
    assert read[WEIGHTS] == WORTH + 5


@pytest.mark.usefixtures("_settled")
def test_a_file_put_in_its_place_with_the_same_time_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / WEIGHTS
    file.write_bytes(b"a" * WORTH)
    os.utime(file, (1, 1))
    first = find_input(str(file)).content
    (tmp_path / "other").write_bytes(b"b" * WORTH)
    os.utime(tmp_path / "other", (1, 1))
    shutil.move(tmp_path / "other", file)

    assert find_input(str(file)).content != first


def test_what_was_just_written_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / WEIGHTS
    file.write_bytes(b"a" * WORTH)
    read = count_reads(monkeypatch)
    find_input(str(file))
    find_input(str(file))

    assert read[WEIGHTS] == 2 * WORTH


@pytest.mark.usefixtures("_settled")
def test_a_memory_that_is_damaged_is_written_anew(base: str, store_uri: str, read: Counter[str]) -> None:
    memory = open_store(store_uri)
    content = find_input(base, memory).content
    key = memory.list("hashes")[0].key
    memory.write(key, b"{broken")
    hashes._seen.clear()

    assert find_input(base, memory).content == content
    assert b"sha256" in memory.read(key)
    assert read[WEIGHTS] == 2 * (WORTH + 5)


def test_small_inputs_leave_nothing_behind(store_uri: str, tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text("{}")
    memory = open_store(store_uri)
    find_input(str(tmp_path / "records.jsonl"), memory)

    assert memory.list("hashes") == []


def test_planning_with_an_artifact_reads_its_manifest_alone(
    base: str, store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(dirs: StageDirs) -> dict[str, object]:
        (dirs.out / WEIGHTS).write_bytes(b"w" * WORTH)
        return {}

    made = run_stage(
        Stage("train", 1), params={}, inputs={}, output=None, flags=StageFlags(store=store_uri), work=train
    )
    read = count_reads(monkeypatch)

    plan(str(made.uri), store_uri, "eval")
    plan(f"{made.uri}/{WEIGHTS}", store_uri, "eval")

    assert not read


def test_one_file_of_a_folder_is_fetched_without_reading_the_others(
    base: str, read: Counter[str], tmp_path: Path
) -> None:
    assert fetch_named(base, "tokenizer.json", tmp_path / "into").read_text() == "{}"
    assert set(read) == {"tokenizer.json"}


@pytest.mark.usefixtures("_settled")
def test_a_stage_fetches_the_files_that_it_declares_under_the_fingerprint_of_all(
    base: str, store_uri: str, read: Counter[str]
) -> None:
    open_store(store_uri)
    planned = plan(base, store_uri)
    read.clear()

    def work(dirs: StageDirs) -> dict[str, object]:
        assert (dirs.inputs["model"] / "tokenizer.json").read_text() == "{}"
        return {}

    done = run_stage(
        Stage("train", 1),
        params={},
        inputs={"model": base},
        output=None,
        flags=StageFlags(store=store_uri),
        work=work,
        files={"model": ("tokenizer*",)},
    )

    assert done.fingerprint == planned
    assert read["tokenizer.json"]
    assert read[WEIGHTS] == 0
