"""Where a model comes from, followed through the manifests that stages leave."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctiforge.store.lineage import trace
from ctiforge.store.objects import open_store
from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

ROOTS = {"harvest_extract"}


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))


def make(store: str | None, name: str, inputs: dict[str, str], output: str | None = None, text: str = "x") -> str:
    """The artifact of a stage that writes one file."""

    def work(dirs: StageDirs) -> dict[str, Any]:
        (dirs.out / "records.jsonl").write_text(text)
        return {}

    flags = StageFlags(store)
    result = run_stage(Stage(name, 1), params={"text": text}, inputs=inputs, output=output, flags=flags, work=work)
    assert result.uri
    return result.uri


@pytest.fixture
def base(tmp_path: Path) -> str:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "weights").write_text("0")
    return str(folder)


@pytest.fixture
def train(base: str) -> Callable[[str], str]:
    def run(store: str) -> str:
        harvest = make(store, "harvest_extract", {})
        formatted = make(store, "format_extract", {"records": f"{harvest}/records.jsonl", "model": base})
        return make(store, "train_extract", {"data": formatted, "model": base})

    return run


def test_a_model_is_followed_back_to_its_harvest(store_uri: str, train, base: str) -> None:
    model = train(store_uri)
    lineage = trace(open_store(store_uri), model, ROOTS)

    assert [step.stage for step in lineage.steps] == ["train_extract", "format_extract", "harvest_extract"]
    assert lineage.gaps == ()
    assert lineage.steps[0].uri == model
    assert lineage.steps[0].inputs["model"].uri == base
    assert lineage.steps[0].inputs["data"].uri == lineage.steps[1].uri


def test_a_store_that_was_moved_still_knows(tmp_path: Path, train) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    model = train(str(old))
    shutil.move(old, new)
    moved = trace(open_store(str(new)), model.replace(str(old), str(new)), ROOTS)

    assert [step.stage for step in moved.steps] == ["train_extract", "format_extract", "harvest_extract"]
    assert moved.gaps == ()
    assert all(step.uri.startswith(str(new)) for step in moved.steps)


def test_copies_outside_a_store_are_followed_by_their_manifests(tmp_path: Path) -> None:
    harvest = make(None, "harvest_extract", {}, str(tmp_path / "harvest"))
    model = make(None, "train_extract", {"data": f"{harvest}/records.jsonl"}, str(tmp_path / "model"))
    lineage = trace(open_store(str(tmp_path / "store")), model, ROOTS)

    assert [step.stage for step in lineage.steps] == ["train_extract", "harvest_extract"]
    assert lineage.gaps == ()


def test_what_cannot_be_followed_is_a_gap(tmp_path: Path, train, base: str) -> None:
    uri = str(tmp_path / "store")
    store = open_store(uri)
    assert "no stage's manifest" in trace(store, base, ROOTS).gaps[0]

    mine = tmp_path / "mine.jsonl"
    mine.write_text("{}")
    own_data = make(uri, "format_extract", {"records": str(mine), "model": base}, text="mine")
    assert "mine.jsonl" in trace(store, own_data, ROOTS).gaps[0]

    model = train(uri)
    shutil.rmtree(next((tmp_path / "store/artifacts/harvest_extract").iterdir()))
    gone = trace(store, model, ROOTS)
    assert any("records.jsonl is no longer there" in gap for gap in gone.gaps)


def test_data_that_is_another_than_it_was_is_a_gap(tmp_path: Path) -> None:
    harvest = make(None, "harvest_extract", {}, str(tmp_path / "harvest"))
    model = make(None, "train_extract", {"data": f"{harvest}/records.jsonl"}, str(tmp_path / "model"))
    make(None, "harvest_extract", {}, str(tmp_path / "harvest"), text="another")

    assert "no longer what it was made of" in trace(open_store(str(tmp_path / "store")), model, ROOTS).gaps[0]
