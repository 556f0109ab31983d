import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.backend import Command, Outcome
from ctiforge.launcher.kubernetes.manifests import dashed
from ctiforge.launcher.logs import saved_logs
from ctiforge.launcher.sweep import check_points, make_points, read_grid, run_command, run_sweep
from ctiforge.launcher.sweep_report import NO_PICTURE, make_sweep, markdown, plain_text, write_sweep
from ctiforge.lines import LINES
from ctiforge.lines.line import LineStage
from ctiforge.records.sweep import CHOSEN_ON, Trained
from ctiforge.settings import settings_class
from ctiforge.store.objects import open_store

TRAINING = LineStage("train_x", "train_x", ("--data={prepare_x}", "--base-model={model}"), batch=(16, 1))
GRID = {"learning_rate": ["1e-5", "2e-5"], "epochs": ["3", "5"]}


def _trained(number: int, loss: float | None, **changes: Any) -> Trained:
    settings = {"learning_rate": f"{number}e-5", "epochs": "3"}
    return Trained(
        stage=f"train_x.{number}", **{"parameters": settings, "state": "done", "validation_loss": loss} | changes
    )


def test_a_grid_is_read_with_dashes_or_underscores() -> None:
    grid = read_grid(["learning-rate=1e-5, 2e-5", "--lora_r=8", "class-weights=true,false"])
    assert grid == {"learning_rate": ["1e-5", "2e-5"], "lora_r": ["8"], "class_weights": ["true", "false"]}


@pytest.mark.parametrize("texts", [["epochs"], ["=3"], ["epochs="], ["epochs=3,,5"]])
def test_a_parameter_that_cannot_be_read_is_a_usage_error(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="write it as flag=value,value"):
        read_grid(texts)


@pytest.mark.parametrize("texts", [["epochs=3,5,3"], ["lora-r=8", "lora_r=16"]])
def test_what_is_named_twice_is_a_usage_error(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="once"):
        read_grid(texts)


def test_every_combination_is_a_stage_of_its_own() -> None:
    points = make_points(TRAINING, GRID)
    assert [(point.stage.name, point.words) for point in points] == [
        ("train_x.1", "learning-rate=1e-5 epochs=3"),
        ("train_x.2", "learning-rate=1e-5 epochs=5"),
        ("train_x.3", "learning-rate=2e-5 epochs=3"),
        ("train_x.4", "learning-rate=2e-5 epochs=5"),
    ]
    assert {point.stage.program for point in points} == {"train_x"}
    assert {point.stage.arguments for point in points} == {TRAINING.arguments}
    assert points[0].stage.batch == (16, 1)


def test_a_points_name_is_a_label_of_a_cluster_and_its_logs_are_its_own(tmp_path: Path) -> None:
    name = make_points(TRAINING, GRID)[0].stage.name
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", dashed(name))
    store = open_store(str(tmp_path))
    store.write(f"runs/wide/{name}.log", b"it said")
    assert [lines for _, lines in saved_logs(store, "wide", name)] == [["it said"]]


def test_words_for_true_and_false_become_bare_flags() -> None:
    points = make_points(TRAINING, {"class_weights": ["true", "false"]})
    assert [point.flags for point in points] == [{"class_weights": True}, {"class_weights": False}]


@pytest.mark.parametrize("name", ["data", "base_model", "store", "output_dir", "name"])
def test_what_the_line_sets_itself_is_not_swept(name: str) -> None:
    with pytest.raises(UsageError, match=f"--param {name.replace('_', '-')}: the line sets it"):
        check_points(make_points(TRAINING, {"epochs": ["3"], name: ["a", "b"]}), TRAINING)


def test_every_line_has_a_training_and_ranges_that_may_be_swept() -> None:
    for line in LINES.values():
        training = line.stage(line.swept.stage)
        points = make_points(training, line.swept.ranges)
        check_points(points, training)
        assert len(points) == 6


def test_several_at_a_time_take_a_cluster() -> None:
    class Nowhere:
        goes_on, brings_demo = "", True

        def run(self, command: Command, on_event: object) -> Outcome:
            raise AssertionError(command)

    with pytest.raises(UsageError, match="--parallel needs --backend kubernetes"):
        run_sweep("extract", [], settings_class()(), Nowhere(), parallel=2)


def test_the_least_validation_loss_wins_and_what_has_none_comes_last() -> None:
    points = [
        _trained(1, 0.5),
        _trained(2, None, state="failed", problem="too few examples"),
        _trained(3, math.nan),
        _trained(4, 0.25, state="cached"),
        _trained(5, math.inf),
    ]
    sweep = make_sweep("sweep-x-1", "x", "train_x", points)
    assert [each.stage[-1] for each in sweep.points] == ["4", "1", "2", "3", "5"]
    assert sweep.winner == "train_x.4"
    assert sweep.best == points[3]
    assert sweep.notes == ["3 of 5 points have no validation loss"]


def test_without_a_loss_nothing_wins() -> None:
    sweep = make_sweep("sweep-x-1", "x", "train_x", [_trained(1, None), _trained(2, math.nan)])
    assert sweep.winner is None
    assert sweep.best is None
    assert "*" not in plain_text(sweep)


def test_losses_that_do_not_compare_are_told() -> None:
    alike = [_trained(n, 0.1 * n, measured_with={"pooling": "mean", "class_weights": {"Linux": 1.5}}) for n in (1, 2)]
    assert make_sweep("s", "x", "train_x", alike).notes == []
    other = _trained(3, 0.2, measured_with={"pooling": "max", "class_weights": {"Linux": 1.5}})
    notes = make_sweep("s", "x", "train_x", [*alike, other]).notes
    assert len(notes) == 1
    assert notes[0].startswith("points differ in pooling, which is part of the loss")


def test_a_winner_by_f1_is_not_said_to_have_the_smallest_loss() -> None:
    points = [_trained(1, 0.4, validation_f1=0.2), _trained(2, 0.5, validation_f1=0.3)]
    told = plain_text(make_sweep("s", "x", "train_x", points))
    assert told.splitlines()[1].split()[:2] == ["*", "train_x.2"]
    assert "the highest of several figures flatters its model" in told
    assert "smallest" not in told


def test_the_table_marks_the_winner_and_says_what_it_was_chosen_on() -> None:
    points = [
        _trained(1, 0.51234, best_step=7, seconds=61.4),
        _trained(2, 0.4),
        _trained(3, None, state="failed", problem="a | b"),
    ]
    sweep = make_sweep("sweep-x-1", "x", "train_x", points)
    sweep.evaluate_with = run_command("x", ["--store=s3://b/a team"], "train_x", points[1].parameters)
    lines = plain_text(sweep).splitlines()
    assert lines[0].split() == [
        "point",
        "learning-rate",
        "epochs",
        "validation",
        "loss",
        "best",
        "step",
        "seconds",
        "state",
    ]
    assert lines[1].split() == ["*", "train_x.2", "2e-5", "3", "0.4000", "-", "-", "done"]
    assert lines[2].split() == ["train_x.1", "1e-5", "3", "0.5123", "7", "61", "done"]
    assert lines[3].split() == ["train_x.3", "3e-5", "3", "-", "-", "-", "failed:", "a", "|", "b"]
    assert lines[4] == "note: 1 of 3 points have no validation loss"
    assert lines[5] == CHOSEN_ON
    assert lines[6].endswith("this evaluates it on the test set:")
    assert lines[7] == (
        "  ctiforge run x '--store=s3://b/a team' --set=train_x.learning-rate=2e-5 --set=train_x.epochs=3"
    )
    text = markdown(sweep)
    assert "| **train_x.2** | **2e-5** | **3** | **0.4000** |" in text
    assert "failed: a \\| b |" in text
    assert CHOSEN_ON in text
    assert sweep.evaluate_with in text


@pytest.mark.parametrize(
    "names", [("learning_rate",), ("learning_rate", "pooling"), ("learning_rate", "pooling", "epochs")]
)
def test_table_and_picture_are_files(names: tuple[str, ...], tmp_path: Path) -> None:
    values = {"learning_rate": ["1e-5", "2e-5"], "pooling": ["mean", "max"], "epochs": ["3", "5"]}
    points = make_points(TRAINING, {name: values[name] for name in names})
    trained = [
        Trained(stage=point.stage.name, parameters=point.parameters, state="done", validation_loss=1 / (1 + number))
        for number, point in enumerate(points)
    ]
    assert write_sweep(make_sweep("sweep-x-1", "x", "train_x", trained), tmp_path / "new") is None
    assert (tmp_path / "new/sweep.png").read_bytes().startswith(b"\x89PNG")
    kept = json.loads((tmp_path / "new/sweep.json").read_text())
    assert kept["winner"] == kept["points"][0]["stage"] == points[-1].stage.name
    assert "**" in (tmp_path / "new/sweep.md").read_text()


def test_the_picture_has_a_line_for_each_value_of_the_second_parameter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib import pyplot

    closed: list[Any] = []
    monkeypatch.setattr(pyplot, "close", closed.append)
    losses = {"train_x.1": 0.4, "train_x.2": 0.3, "train_x.3": 0.2, "train_x.4": None}
    trained = [
        Trained(
            stage=each.stage.name, parameters=each.parameters, state="done", validation_loss=losses[each.stage.name]
        )
        for each in make_points(TRAINING, GRID)
    ]
    write_sweep(make_sweep("sweep-x-1", "x", "train_x", trained), tmp_path)
    axes = closed[0].axes[0]
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn == {
        "epochs 3": ([0, 1], [0.4, 0.2]),
        "epochs 5": ([0], [0.3]),
        "best: learning-rate 2e-5, epochs 3": ([1], [0.2]),
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1e-5", "2e-5"]
    monkeypatch.undo()
    pyplot.close(closed[0])


def test_without_matplotlib_or_losses_there_is_no_picture_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sweep.png").write_bytes(b"of an earlier try")
    problem = write_sweep(make_sweep("sweep-x-1", "x", "train_x", [_trained(1, None)]), tmp_path)
    assert problem == "no picture: no point has a validation loss"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert write_sweep(make_sweep("sweep-x-1", "x", "train_x", [_trained(1, 0.5)]), tmp_path) == NO_PICTURE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.json", "sweep.md"]
