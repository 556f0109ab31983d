"""Base models in a store: once by content, listed when they are whole, and kept by every cleanup."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctiforge.errors import DamagedError, UsageError
from ctiforge.store.artifacts import fetch_input, find_input
from ctiforge.store.bases import BaseFacts, list_bases, put_base
from ctiforge.store.garbage import YOUNG, find_garbage
from ctiforge.store.lineage import trace
from ctiforge.store.objects import open_store
from ctiforge.store.stages import Stage, StageFlags, run_stage

FACTS = BaseFacts("small", "org/small", "a" * 40, "mit")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "model" / name).write_text(f"the content of {name}")
    return {path.name: path for path in (tmp_path / "model").iterdir()}


def test_it_lies_there_once_and_is_an_input_by_its_content(
    store_uri: str, files: dict[str, Path], tmp_path: Path
) -> None:
    store = open_store(store_uri)
    first, is_new = put_base(store, FACTS, files)
    again, is_new_again = put_base(store, replace(FACTS, source="elsewhere"), files)
    assert (is_new, is_new_again) == (True, False)
    assert again == first
    assert first.facts == FACTS
    assert first.size == sum(path.stat().st_size for path in files.values())
    found = find_input(first.uri)
    assert found.content == find_input(str(next(iter(files.values())).parent)).content
    assert first.uri == f"{store.uri}/bases/{found.content[:12]}/small"
    assert put_base(store, replace(FACTS, name="another"), files) == (first, False)
    assert list_bases(store) == [first]
    # what was damaged since is put back
    key = f"{first.uri.removeprefix(f'{store.uri}/')}/model.safetensors"
    store.write(key, b"damaged")
    with pytest.raises(DamagedError, match="ctiforge model add, with the same model, puts it back"):
        fetch_input(find_input(first.uri), tmp_path / "fetched")
    assert put_base(store, FACTS, files) == (first, False)
    assert store.read(key) == files["model.safetensors"].read_bytes()


def test_what_is_not_whole_is_not_listed(store_uri: str, files: dict[str, Path]) -> None:
    store = open_store(store_uri)
    store.upload(files["config.json"], "bases/0123456789ab/half/config.json")
    store.write(f"bases/{'0' * 64}/converted.json", b"{}")
    assert list_bases(store) == []
    with pytest.raises(UsageError, match=r"--name \.\./x: letters, digits"):
        put_base(store, replace(FACTS, name="../x"), files)


def test_no_cleanup_removes_it_and_a_lineage_begins_with_it(
    store_uri: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))
    store = open_store(store_uri)
    base, _ = put_base(store, FACTS, files)
    later = datetime.now(UTC) + YOUNG + timedelta(days=1)
    assert [each.folder for each in find_garbage(store, 0, later)] == []
    flags = StageFlags(store=store_uri)
    made = run_stage(
        Stage("make", 1), params={}, inputs={"model": base.uri}, output=None, flags=flags, work=lambda _: {}
    )
    lineage = trace(store, str(made.uri), {"harvest_extract"})
    assert [step.stage for step in lineage.steps] == ["make", "model_add"]
    assert lineage.gaps == ()
