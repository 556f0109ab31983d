"""A base model that brings only a pickle: converted once, kept, and refused where it holds more than weights."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from ctiforge.errors import UsageError
from ctiforge.osbert import pickled
from ctiforge.osbert.embedding import load_frozen
from ctiforge.osbert.model import load_base
from ctiforge.osbert.pickled import with_safetensors
from ctiforge.osbert.windows import WindowSize
from ctiforge.records.converted import ConvertedBase
from ctiforge.store.objects import open_store
from tests.cached_hub import cache_model
from tests.golden.written import hold


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.fixture
def pickled_bert(small_bert: Path, tmp_path: Path) -> Path:
    """The small BERT as old models lie on the Hub."""
    folder = tmp_path / "pickled"
    shutil.copytree(small_bert, folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    return folder


def test_it_is_converted_once_and_kept_with_a_note(
    pickled_bert: Path, small_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "store"))
    first = with_safetensors(str(pickled_bert), store.uri, tmp_path / "one")
    monkeypatch.delattr(pickled, "_convert")
    second = with_safetensors(str(pickled_bert), store.uri, tmp_path / "two")

    digest = hashlib.sha256((pickled_bert / "pytorch_model.bin").read_bytes()).hexdigest()
    text = store.read(f"bases/{digest}/converted.json").decode()
    hold(ConvertedBase, text)
    assert ConvertedBase.parse(text, "it").source == str(pickled_bert / "pytorch_model.bin")
    own = load_base(str(small_bert), WindowSize.of(64), 0).state_dict()
    for folder in (first, second):
        assert not (Path(folder) / "pytorch_model.bin").exists()
        loaded = load_base(folder, WindowSize.of(64), 0).state_dict()
        assert all(torch.equal(loaded[name], value) for name, value in own.items() if name.startswith("bert."))
        load_frozen(folder, torch.device("cpu"))


def test_a_model_with_safetensors_stays_as_it_is(small_bert: Path, tmp_path: Path) -> None:
    assert with_safetensors(str(small_bert), None, tmp_path) == str(small_bert)
    with pytest.raises(UsageError, match="no-such/model: which commit main is cannot be told"):
        with_safetensors("no-such/model", None, tmp_path)


def test_a_model_of_the_hub_is_that_of_its_commit_whatever_it_brings(
    pickled_bert: Path, small_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    old, new = "a" * 40, "b" * 40
    cache_model(tmp_path / "hub", "team/bert", old, pickled_bert)
    snapshot = cache_model(tmp_path / "hub", "team/bert", new, small_bert)
    assert with_safetensors("team/bert", None, tmp_path) == with_safetensors(f"team/bert@{new}", None, tmp_path)
    assert Path(with_safetensors("team/bert", None, tmp_path)).samefile(snapshot)
    assert with_safetensors(f"team/bert@{old}", None, tmp_path / "s") == str(tmp_path / "s" / "base")
    load_frozen(f"team/bert@{new}", torch.device("cpu"))
    with pytest.raises(UsageError, match=f"cannot load the base model of 'team/bert@{'c' * 40}'"):
        with_safetensors(f"team/bert@{'c' * 40}", None, tmp_path)


def test_a_pickle_with_code_in_it_is_refused_and_does_not_run(
    pickled_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.zeros(1), "code": Code()}, pickled_bert / "pytorch_model.bin")
    with pytest.raises(UsageError, match="holds more than weights, or is damaged: not loaded") as refused:
        with_safetensors(str(pickled_bert), None, tmp_path / "s")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()
    torch.save([torch.zeros(1)], pickled_bert / "pytorch_model.bin")
    with pytest.raises(UsageError, match="something else than weights by name"):
        with_safetensors(str(pickled_bert), None, tmp_path / "s")
    (pickled_bert / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="not loaded"):
        with_safetensors(str(pickled_bert), None, tmp_path / "s")
