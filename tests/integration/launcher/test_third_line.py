"""A third line, which exists here alone: this file is everything that it takes."""

import json

import pytest

from ctiforge.lines import LINES
from ctiforge.lines.line import MARGIN, BaseSettings, GateRules, Line, LineSetting, LineStage, SweptTraining, TrainedOn

THIRD = Line(
    name="third",
    stages=(
        LineStage("third_data", "prepare_os", reads_database=True, live=True),
        LineStage("third_train", "train_os_bert", ("--data={third_data}", "--base-model={third_model}"), batch=(16, 1)),
        LineStage(
            "third_eval_in_use",
            "eval_os_bert",
            ("--model={third_in_use}", "--test-data=testset:{third_test_set}"),
            needs="third_in_use",
            collect="evaluation.json",
            role="model in use",
        ),
        LineStage(
            "third_eval",
            "eval_os_bert",
            ("--model={third_train}", "--test-data=testset:{third_test_set}"),
            collect="evaluation.json",
            role="new model",
        ),
        LineStage(
            "third_compare", "compare", ("{third_eval_in_use}", "{third_eval}"),
            collect="comparison.md", report="comparison.txt",
        ),
        LineStage(
            "third_promote", "promote", ("third", "--model={third_train}", "--evaluation={third_eval}"),
            needs="promote_auto", live=True, collect="decision.json", report="decision.txt",
        ),
    ),
    settings=(
        LineSetting("third_model", "demo", "Its base model.", flag="--model"),
        LineSetting("third_test_set", "demo-os@1", "The test set that it is evaluated on.", flag="--test-set"),
        LineSetting("third_in_use", None, "The one in use.", flag="--in-use"),
    ),
    model="third_model",
    test_set="third_test_set",
    in_use="third_in_use",
    evaluation="eval_os_bert",
    rules=GateRules("macro_f1", MARGIN, {"accuracy": MARGIN}),
    swept=SweptTraining("third_train", {"epochs": ("1", "2")}),
    source="third_data",
    trained_on=TrainedOn("third_data", ("train.jsonl",)),
    bases={"demo": BaseSettings({"train_os_bert": {"epochs": 7}})},
)  # fmt: skip


@pytest.fixture
def third(world, monkeypatch: pytest.MonkeyPatch):
    """A working folder in which there is a third line."""
    monkeypatch.setitem(LINES, "third", THIRD)
    return world


def test_it_runs_on_its_own_settings_and_the_gate_is_asked(third) -> None:
    third.environment["CTIFORGE_THIRD_TEST_SET"] = "demo@1"
    run = third.ctiforge("run", "third", "--model", "some/base", "--in-use", "hub/old", "--promote")
    assert run.returncode == 0, run.stderr
    assert third.worked() == ["prepare_os", "train_os_bert", "eval_os_bert", "eval_os_bert", "promote"]
    assert "--base-model=some/base" in third.result("train_os_bert")["argv"]
    assert "--test-data=testset:demo@1" in third.result("eval_os_bert")["argv"]
    assert "a table of 2" in run.stdout
    decision = next((third.folder / "outputs/evaluations").glob("third_promote-*.json"))
    assert json.loads(decision.read_text())["line"] == "third"
    assert "third_train" in third.ctiforge("status").stdout


def test_its_settings_are_read_shown_and_refused_like_every_other(third) -> None:
    (third.folder / "ctiforge.toml").write_text('third_model = "of/file"\n[stages.third_train]\nepochs = 3\n')
    shown = third.ctiforge("config").stdout
    assert "third_model" in shown
    assert "of/file" in shown
    planned = third.ctiforge("run", "third", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "third_train    after third_data" in planned.stdout
    (third.folder / "ctiforge.toml").write_text('thrid_model = "x"\n')
    wrong = third.ctiforge("run", "third", "--dry-run")
    assert (wrong.returncode, "there is no setting thrid_model" in wrong.stderr) == (2, True)


def test_its_demo_has_its_own_flags_and_its_sweep_its_own_ranges(third) -> None:
    assert third.ctiforge("run", "third").returncode == 0
    assert "--epochs=7" in third.result("train_os_bert")["argv"]
    swept = third.ctiforge("sweep", "third", "--dry-run")
    assert swept.returncode == 0, swept.stderr
    assert "third_train.2" in swept.stdout


def test_without_it_there_is_no_such_line(world) -> None:
    run = world.ctiforge("run", "third")
    assert (run.returncode, "there is no line third; there is extract, os-bert" in run.stderr) == (2, True)
