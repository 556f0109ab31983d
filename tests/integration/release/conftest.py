"""Two trained models with their evaluations, a Hub in memory, and llama.cpp's tools."""

import os
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.utils._http import default_client_factory

from ctiforge.errors import CtiforgeError
from ctiforge.release.tools import DEFAULT_TOOLS, TOOLS_VARIABLE, LlamaCpp, find_llama_cpp
from tests.integration.release.hub_server import TOKEN, FakeHub, running_hub
from tests.unit.release.making import make_evaluation, make_model, report, write

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models `one` and `two`, `one.json` and `two.json` beside them (the second is better)."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("one", "two")):
        model = make_model(folder / name, seed)
        (folder / f"{name}.json").write_text(make_evaluation(model, wrong=3 - 2 * seed).model_dump_json())
    write(folder / "prepare.json", report())
    return folder


@pytest.fixture
def fake_hub() -> Iterator[FakeHub]:
    """A Hub that holds nothing."""
    with running_hub() as hub:
        yield hub


@pytest.fixture
def reached_hub(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """That Hub, as the one that this process publishes to."""
    monkeypatch.setattr(constants, "ENDPOINT", fake_hub.endpoint)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", fake_hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield fake_hub
    huggingface_hub.set_client_factory(default_client_factory)


@pytest.fixture(scope="module")
def tools() -> Iterator[LlamaCpp]:
    """llama.cpp's tools, fetched once into the folder that `make` uses."""
    before = os.environ.get(TOOLS_VARIABLE)
    os.environ[TOOLS_VARIABLE] = before or str(ROOT / DEFAULT_TOOLS)
    try:
        yield find_llama_cpp()
    except CtiforgeError as error:
        pytest.skip(f"llama.cpp's tools cannot be had here: {error}")
    finally:
        if before is None:
            del os.environ[TOOLS_VARIABLE]
