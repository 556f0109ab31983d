"""A Hub that answers, moves on, knows no such thing, or is away."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.utils._http import default_client_factory

from ctiforge.errors import UsageError
from ctiforge.store import hub
from ctiforge.training.encoding import load_tokenizer, on_this_machine, resolve_model
from tests.integration.release.hub_server import TOKEN, FakeHub, Fault, running_hub

NAME = "team/base"


@pytest.fixture
def base_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub with the demo's base model, and beside it what no model is loaded from."""
    with running_hub() as fake:
        monkeypatch.setattr(constants, "ENDPOINT", fake.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", fake.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        fake.add_repo(NAME)
        files = {path.name: path.read_bytes() for path in Path(resolve_model("demo")).iterdir() if path.is_file()}
        weights = files["model.safetensors"]
        fake.blobs[hashlib.sha256(weights).hexdigest()] = weights
        more = {"pytorch_model.bin": b"x", "consolidated.safetensors": b"x", "onnx/model.json": b"x"}
        fake.commit(NAME, "weights", files | more)
        yield fake
    huggingface_hub.set_client_factory(default_client_factory)


def test_what_is_loaded_is_the_commit_of_then_not_what_main_is_now(base_hub: FakeHub, capsys) -> None:
    pinned = hub.pin(NAME)
    assert pinned == f"{NAME}@{base_hub.repos[NAME].commits[-1].id}"
    base_hub.repos[NAME].tags["v1"] = pinned.partition("@")[2]
    base_hub.commit(NAME, "another model", {"config.json": b"{}"})
    assert hub.pin(NAME) != pinned
    assert hub.pin(NAME, "v1") == pinned
    with on_this_machine(pinned) as folder:
        there = {path.name for path in Path(folder).rglob("*")}
    assert "model.safetensors" in there
    assert not there & {"pytorch_model.bin", "consolidated.safetensors", "onnx", ".gitattributes"}
    assert load_tokenizer(pinned).get_vocab() == load_tokenizer("demo").get_vocab()
    # a name that was resolved once stands for the same when the Hub is away
    base_hub.faults.append(Fault("GET .*", status=500, times=99))
    assert hub.pin(NAME, "v1") == pinned
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"warning: {NAME}: the Hub does not answer")
    assert f"taken is the commit in this machine's cache, {pinned.partition('@')[2]}" in said


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (f"{NAME}@v9", f"{NAME} has no revision v9 on the Hub: give a branch, tag or commit of it"),
        ("team/nothing", "team/nothing: there is no such folder, and on the Hub no such model"),
    ],
)
def test_what_the_hub_does_not_know_is_told_in_one_line(base_hub: FakeHub, model: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        hub.pin(model)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
