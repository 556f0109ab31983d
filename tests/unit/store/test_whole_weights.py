"""Which weights of a model are whole."""

import json
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from ctiforge.store.whole_weights import find_fault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"a": numpy.ones(2, "f4")}, tmp_path / "model-1-of-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "x"}}))
    return tmp_path


def test_shards_that_hold_what_their_index_names_are_whole(folder: Path) -> None:
    # weights in their maker's own layout are not looked at
    (folder / "consolidated.safetensors").write_bytes(b"x")
    assert find_fault(folder) is None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model-1-of-1.safetensors", b"x", "model-1-of-1.safetensors is damaged"),
        ("model.safetensors.index.json", b'{"weight_map": {"b": "x"}}', "index.json names weights that no"),
        ("model-1-of-1.safetensors", None, "the folder holds no *.safetensors"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_a_path(folder: Path, name, content, said: str) -> None:
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    fault = find_fault(folder)
    assert fault
    assert said in fault
    assert str(folder) not in fault
