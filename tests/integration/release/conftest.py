"""Two trained models with their evaluations, and a Hub in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.release.hub_server import FakeHub, running_hub
from tests.unit.release.making import make_evaluation, make_model, report, write


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
