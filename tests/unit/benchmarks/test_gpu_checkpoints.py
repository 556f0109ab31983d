"""Checkpoints in a folder stand in for the store's where a training asks for them."""

import inspect
from pathlib import Path

import pytest

from benchmarks.gpu.checkpoints import FolderCheckpoints
from ctiforge.store.checkpoints import Checkpoints


def test_the_newest_is_fetched_and_the_one_before_is_gone(tmp_path: Path) -> None:
    kept, file = FolderCheckpoints(tmp_path / "kept"), tmp_path / "file"
    assert kept.begin(tmp_path / "into") == 0
    assert not (tmp_path / "into").exists()
    for step in (3, 12):
        file.write_text(str(step))
        assert kept.save(step, {"weights": file})
    assert kept.fetch_newest(tmp_path / "into") == 12
    assert (tmp_path / "into" / "weights").read_text() == "12"
    assert [each.name for each in kept.folder.iterdir()] == ["12"]
    assert FolderCheckpoints(tmp_path / "kept").begin(tmp_path / "into", resume=False) == 0


@pytest.mark.parametrize("name", ["begin", "fetch_newest", "save", "newest_attempt", "adopt"])
def test_its_methods_are_called_as_those_of_the_store(name: str) -> None:
    own, of_store = (inspect.signature(getattr(each, name)) for each in (FolderCheckpoints, Checkpoints))
    assert own == of_store
