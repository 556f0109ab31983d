"""Trackers: what they are told of evaluations and decisions, and that nothing is lost where they cannot be told."""

from pathlib import Path

import pytest

from ctiforge.evaluation.tracking import Told, tell, told_of_decision, told_of_evaluation
from ctiforge.records.decision import Check, Decision
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from tests.unit.evaluation.cases import evaluation, with_hits

TEST_SET = TestSetInfo(name="set", version="1", content_hash="abc", articles=2)
TOLD = Told(
    "agent", {"micro_f1": 0.5, "passed": 1.0},
    {"model": "agent", "model_version": "12ab", "test_set": "my set", "test_set_version": "3"},
)  # fmt: skip


def decision(*checks: Check, passed: bool, equivalent: bool = False, against: ModelInfo | None = None) -> Decision:
    return Decision(
        line="extract", candidate=ModelInfo(name="agent", version="12ab"), against=against, test_set=TEST_SET,
        passed=passed, accepted_equivalent=equivalent, reasons=("one", "two"), checks=checks, level=0.95, looks=1,
    )  # fmt: skip


def check(role: str, figure: str, low: float | None = 0.01) -> Check:
    return Check.model_validate(
        {"figure": figure, "label": figure, "role": role, "against": "version 1", "direction": "higher"}
        | {"unit": "share", "before": 0.5, "after": 0.6, "gain": 0.1, "low": low, "high": 0.2, "level": 0.99}
        | {"margin": 0.0, "articles": 9, "verdict": "better"}
    )


def test_of_an_evaluation_every_figure_that_has_a_value_is_told_by_its_own_name() -> None:
    made = evaluation(with_hits([4, 2]), name="agent")
    told = told_of_evaluation(made, "s3://bucket/model")
    assert told.metrics["micro_f1"] == made.metrics["micro_f1"].value
    assert set(told.metrics) == {name for name, each in made.metrics.items() if each.value is not None}
    assert len(told.metrics) < len(made.metrics)
    assert told.texts == {
        "model": "agent", "model_version": "1", "address": "s3://bucket/model", "test_set": "set",
        "test_set_version": "1",
    }  # fmt: skip


def test_of_a_decision_the_primary_figure_and_the_reasons_are_told() -> None:
    checks = (check("primary", "micro_f1"), check("guardrail", "grounded"))
    told = told_of_decision(decision(*checks, passed=True, against=ModelInfo(name="old", version="99")), "models/agent")
    assert told.metrics == {"passed": 1.0, "micro_f1": 0.6, "gain": 0.1, "gain_low": 0.01}
    assert (told.texts["decision"], told.texts["reasons"]) == ("passed", "one\ntwo")
    assert (told.texts["against"], told.texts["address"]) == ("old 99", "models/agent")


def test_a_refusal_without_a_comparison_is_told_too() -> None:
    told = told_of_decision(decision(passed=False), "models/agent")
    assert told.metrics == {"passed": 0.0}
    assert told.texts["decision"] == "not passed"
    assert "against" not in told.texts
    unsure = told_of_decision(decision(check("primary", "micro_f1", low=None), passed=True, equivalent=True), "x")
    assert "gain_low" not in unsure.metrics
    assert unsure.texts["decision"] == "passed as equivalent"


@pytest.mark.parametrize("named", [False, True])
def test_what_tensorboard_shows_lies_with_the_result_or_in_a_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    if named:
        monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "all"))
    tell("tensorboard", TOLD, tmp_path / "out")
    folder = tmp_path / "all" / "agent-12ab-my-set-3" if named else tmp_path / "out" / "tensorboard"
    seen = accumulators.EventAccumulator(str(folder)).Reload()
    (value,) = seen.Tensors("micro_f1")
    (text,) = seen.Tensors("test_set")
    assert value.tensor_proto.float_val[0] == 0.5
    assert text.tensor_proto.string_val[0] == b"my set"
    assert (tmp_path / "out").exists() is not named


def test_a_tracker_that_cannot_be_told_costs_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    tell("tensorboard", TOLD, tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: tensorboard was not told of agent: ")


def test_nobody_is_told_unless_asked(tmp_path: Path) -> None:
    tell("none", TOLD, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("reached", [True, False])
def test_mlflow_gets_a_run_of_the_models_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reached: bool
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    # the client alone is installed: a folder stands in for a server
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    server = (tmp_path / "server").as_uri() if reached else "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    tell("mlflow", TOLD, tmp_path)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: mlflow was not told")]
    assert len(said) == (0 if reached else 1)
    if reached:
        (run,) = mlflow.MlflowClient().search_runs(["0"])
        assert run.info.run_name == "agent"
        assert run.data.metrics == TOLD.metrics
        assert run.data.tags["test_set"] == "my set"
