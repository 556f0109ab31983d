"""Trackers: which are refused before anything is loaded, and where one without a server writes."""

import os
import sys
from pathlib import Path

import pytest
from transformers import integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from ctiforge.errors import InterruptedRunError, UsageError
from ctiforge.training.tracking import TRACKERS, check_tracker, tracked


def test_every_name_is_one_that_transformers_know() -> None:
    assert set(TRACKERS) - {"none"} <= set(INTEGRATION_TO_CALLBACK)


def test_a_tracker_that_is_not_installed_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations, "get_available_reporting_integrations", list)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    check_tracker("none")
    with pytest.raises(UsageError) as of_ours:
        check_tracker("tensorboard")
    assert str(of_ours.value) == "--report-to tensorboard: it is not installed here: pip install 'ctiforge[tracking]'"
    with pytest.raises(UsageError, match="pip install the package of wandb"):
        check_tracker("wandb")


def test_mlflow_needs_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="name the server that it reports to in MLFLOW_TRACKING_URI"):
        check_tracker("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    check_tracker("mlflow")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    (tmp_path / "scratch").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "scratch", tmp_path / "out"


def test_an_attempt_that_goes_on_adds_to_what_the_first_wrote_and_all_of_it_comes_out(
    folders: tuple[Path, Path],
) -> None:
    scratch, out = folders

    def report(name: str, end: Exception | None) -> None:
        with tracked("tensorboard", scratch, out):
            Path(os.environ["TENSORBOARD_LOGGING_DIR"], name).touch()
            if end:
                raise end

    with pytest.raises(InterruptedRunError):
        report("first", InterruptedRunError("told to end"))
    assert list(out.iterdir()) == []
    report("second", None)
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ
    assert {path.name for path in (out / "tensorboard").iterdir()} == {"first", "second"}


@pytest.mark.parametrize("name", ["none", "tensorboard"])
def test_a_place_that_somebody_names_is_left_to_them(
    folders: tuple[Path, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "/somewhere")
    with tracked(name, *folders):
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == "/somewhere"
    assert list(folders[1].iterdir()) == []
