"""What no stage writes, but the launcher and the store: written by their own code, held against its model, read again.

What stages write is held in tests/golden.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from ctiforge.cli import app
from ctiforge.data.labels import read_labels, save_label
from ctiforge.launcher.sweep_report import make_sweep, write_sweep
from ctiforge.pod.entry import exit_on_error
from ctiforge.records.answer import ItemProbability, KeptAnswer
from ctiforge.records.checkpoint import Attempt, Checkpoint
from ctiforge.records.evaluation import Answers, ArticleScore
from ctiforge.records.evaluation_part import EvaluationPart, ScoredArticle
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.run import Cause, RunRecord, StageRecord
from ctiforge.records.sweep import Sweep, Trained
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.store.runs import load_run, new_run, note_cancelled, save_run
from tests.golden.written import hold
from tests.in_process import captured, exit_code
from tests.labels import commands, human_label

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def said(verb: str, store: Path) -> str:
    """What a verb prints of this store."""
    with captured() as (output, _), patch.dict(os.environ, {"CTIFORGE_STORE": str(store)}):
        assert exit_code(lambda: exit_on_error(lambda: app([verb]))) == 0
    return output.getvalue()


def test_a_run_is_written_as_its_model_and_read_by_whoever_shows_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    cause = Cause(category="quota", summary="no room", detail="0/1 nodes", remedy="wait", since=NOW, told_at=NOW)
    stages = [
        StageRecord(name="train", program="train_extract", state="running", attempts=2, started_at=NOW),
        StageRecord(name="eval", program="eval_extract", state="failed", exit_code=3, cause=cause, last_lines=["why"]),
    ]
    made = new_run("extract", stages, "a-run")
    save_run(store, made)
    hold(RunRecord, (tmp_path / "runs/a-run/run.json").read_text(encoding="utf-8"))
    assert load_run(store, "a-run") == made
    assert all("a-run" in said(verb, tmp_path) for verb in ("runs", "status"))
    note_cancelled(store, "a-run")
    hold(RunRecord, (tmp_path / "runs/a-run/run.json").read_text(encoding="utf-8"))
    assert [stage.state for stage in load_run(store).stages] == ["cancelled", "failed"]


def test_a_sweep_is_written_as_its_model(tmp_path: Path) -> None:
    points = [
        Trained(stage="train.1", parameters={"epochs": "1"}, state="done", validation_loss=float("nan"), seconds=1.0),
        Trained(stage="train.2", parameters={"epochs": "2"}, state="done", validation_loss=0.5, best_step=3),
        Trained(stage="train.3", parameters={"epochs": "3"}, state="failed", problem="out of memory"),
    ]
    made = make_sweep("a-sweep", "extract", "train_extract", points)
    write_sweep(made, tmp_path)
    hold(Sweep, (tmp_path / "sweep.json").read_text(encoding="utf-8"))
    read = Sweep.load(tmp_path)
    assert read == made
    assert read.best
    assert read.best.stage == "train.2"


def test_attempts_and_checkpoints_are_written_as_their_models_and_gone_on_from(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    for step in (0, 3):
        (tmp_path / "weights").write_text(f"after {step}", encoding="utf-8")
        checkpoints = Checkpoints(store, "checkpoints/train/f")
        assert checkpoints.begin(tmp_path / "into", "cpu") == step
        assert checkpoints.save(step + 3, {"weights": tmp_path / "weights"})
    folder = tmp_path / "store/checkpoints/train/f"
    attempts = sorted((folder / "attempts").glob("*.json"))
    manifests = sorted(folder.glob("*/*/manifest.json"))
    assert [len(attempts), len(manifests)] == [2, 2]
    for kind, files in ((Attempt, attempts), (Checkpoint, manifests)):
        for file in files:
            hold(kind, file.read_text(encoding="utf-8"))
            assert kind.load(file)


def test_a_label_of_the_registry_is_written_as_its_model_and_read_again(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    label = human_label(
        "They ran whoami.", {"cmdline": ["whoami"]}, positives=commands("x"), rejected=commands("y"), usage="gold"
    )
    save_label(store, label.model_copy(update={"sources": ("review file",)}))
    (path,) = tmp_path.glob("human-labels/*/*.json")
    hold(HumanLabel, path.read_text(encoding="utf-8"))
    assert [each.positives for each in read_labels(store)] == [label.positives]


def test_a_part_of_an_evaluation_is_written_as_its_model(tmp_path: Path) -> None:
    answer = KeptAnswer(
        article_id="a", start=0, end=9, types=("cmdline",), raw="{}", leaning=1 / 3,
        items=(ItemProbability(start=0, end=2, mean=-0.1, least=float("-inf")),),
    )  # fmt: skip
    score = ArticleScore(
        id="a", counts={}, items=(), expected_observables=0, predicted_observables=0, answers=Answers(seconds=0.1)
    )
    made = EvaluationPart(
        shard=1, shards=2, model="demo", articles=(ScoredArticle(place=3, score=score, answers=(answer,)),)
    )
    hold(EvaluationPart, made.to_json())
    # what an evaluation is made of comes back to the last bit, a probability of nothing too
    assert EvaluationPart.parse(made.to_json(), "here") == made
