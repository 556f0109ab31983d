"""Promotion as people and runs start it: programs, a store, and what is refused."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ctiforge.data.identity import content_hash, fold
from ctiforge.data.testsets import import_testset
from ctiforge.evaluation.gate.looks import YEAR
from ctiforge.evaluation.scoring.articles import ArticleCase, score_article
from ctiforge.evaluation.scoring.classification import score_row
from ctiforge.evaluation.scoring.report import build_evaluation
from ctiforge.evaluation.statistics import INTERVALS
from ctiforge.records.article import ArticleRecord
from ctiforge.records.classification import Case, ClassifierEvaluation
from ctiforge.records.evaluation import Answers, Evaluation, ModelInfo, TestSetInfo
from ctiforge.records.observable import Observable
from ctiforge.records.registry import GateLook
from ctiforge.records.testset import TestSet
from ctiforge.store.artifacts import find_input
from ctiforge.store.looks import Looks
from ctiforge.store.models import Registry
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
from tests.in_process import run_here

JOBS = Path(__file__).parents[3] / "jobs"
ARTICLES = 100
LABELS = ("Windows", "Linux")


@dataclass
class Place:
    """A store with a test set, and programs that are run on it."""

    uri: str
    folder: Path
    test_sets: dict[str, TestSet] = field(default_factory=dict)

    @property
    def store(self) -> ObjectStore:
        return open_store(self.uri)

    def registry(self, line: str = "extract") -> Registry:
        return Registry(self.store, line)

    def import_test_set(self, name: str, seed: int) -> None:
        records = [
            ArticleRecord(
                id=f"{name}-{number}", content=prose(seed, number), content_hash="", labelled_types=("cmdline",),
                os_label=LABELS[number % 2], labelled_by="human", annotator="ann",
                observables=tuple(truth(number)),
            )
            for number in range(ARTICLES)
        ]  # fmt: skip
        self.test_sets[name] = import_testset(self.store, name, records)

    def train(self, name: str, leaks: str | None = None, line: str = "extract", left_out: bool | None = None) -> str:
        """A model whose lineage goes back to a harvest, which holds an article of the test set `leaks`.

        `left_out` says whether that article was left out of the examples; None: nothing says what they are made of.
        """
        harvest, files = ("harvest_extract", ["records.jsonl"])
        if line == "os-bert":
            harvest, files = "prepare_os", ["train.jsonl", "validation.jsonl"]
        contents = [prose(99, number) for number in range(20)] + ([prose(1, 5)] if leaks else [])
        lines = [
            ArticleRecord(id=f"h{number}", content=each, content_hash=content_hash(fold(each))).model_dump_json()
            for number, each in enumerate(contents)
        ]
        harvested = self.make(harvest, {}, dict.fromkeys(files, "\n".join(lines)), {})
        inputs = {"data": f"{harvested}/{files[0]}"}
        if left_out is not None:
            kept = lines[:-1] if left_out else lines
            articles = {"articles.jsonl": "\n".join(kept)}
            inputs = {"data": self.make("format_extract", {"records": inputs["data"]}, articles, {}, version=2)}
        return self.make("train_extract", inputs, {"weights": name}, {"name": name})

    def make(
        self, stage: str, inputs: dict[str, str], files: dict[str, str], params: dict[str, str], version: int = 1
    ) -> str:
        def work(dirs: StageDirs) -> dict[str, Any]:
            for name, text in files.items():
                (dirs.out / name).write_text(text)
            return {}

        flags = StageFlags(self.uri)
        params = {**params, **files}
        result = run_stage(Stage(stage, version), params=params, inputs=inputs, output=None, flags=flags, work=work)
        assert result.uri
        return result.uri

    def evaluate(self, model: str | None, share: float, name: str = "set", seed: int = 7) -> str:
        """The evaluation of a model (None: the rules) that finds such a share of what is expected."""
        found = np.random.default_rng(seed).random((ARTICLES, 3)) < share
        scores = [
            score_article(
                ArticleCase(
                    id=f"{name}-{number}", text=prose(1, number), expected=truth(number), labelled_types=("cmdline",),
                    predicted=[each for each, hit in zip(truth(number), found[number], strict=True) if hit],
                    answers=Answers(windows=3, json_parsed=3, schema_valid=3) if model else Answers(),
                )
            )
            for number in range(ARTICLES)
        ]  # fmt: skip
        test_set = self.test_sets[name]
        info = TestSetInfo(name=name, version="1", content_hash=test_set.sha256, articles=ARTICLES)
        evaluation = build_evaluation(
            scores, model=model_info(model), test_set=info, fingerprint="f" * 64, training_values_known=False
        )
        return self.write(f"{share}-{name}-{evaluation.model.version}.json", evaluation.model_dump_json())

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "CTIFORGE_SCRATCH": str(self.folder / "scratch"), "COLUMNS": "160"}
        return run_here(program, *arguments, "--store", self.uri, cwd=self.folder, environment=environment)

    def promote(self, model: str, evaluation: str | None, *more: str) -> "subprocess.CompletedProcess[str]":
        given = [f"--evaluation={evaluation}"] if evaluation else []
        return self.run("promote", "extract", f"--model={model}", *given, *more)


def prose(seed: int, number: int) -> str:
    letters = np.random.default_rng([seed, number]).integers(0, 26, size=(60, 7))
    return " ".join("".join(chr(97 + letter) for letter in word) for word in letters)


def truth(number: int) -> list[Observable]:
    return [Observable(type="cmdline", value=f"run-{number} /arg{index} x") for index in range(3)]


def model_info(model: str | None) -> ModelInfo:
    if model is None:
        return ModelInfo(name="regex", version="0.1.0")
    content = find_input(model).content[:12]
    return ModelInfo(name=f"agent-{content[:4]}", version=content)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("CTIFORGE_ACTOR", "ann")
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))
    made = Place(str(tmp_path / "store"), tmp_path)
    made.import_test_set("set", seed=1)
    return made


def test_versions_follow_one_another_and_an_earlier_one_is_put_back(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    floor = place.evaluate(None, 0.3)
    beaten = place.promote(first, place.evaluate(first, 0.6), f"--against={floor}")
    assert beaten.returncode == 0, beaten.stderr
    assert "the gate is passed" in beaten.stdout
    assert "looked at on this test set so far: 1" in beaten.stdout.replace("\n", " ")

    again = place.promote(first, place.evaluate(first, 0.6))
    assert (again.returncode, "version 1 is the champion already" in again.stdout) == (0, True)

    dry = place.promote(second, place.evaluate(second, 0.8), "--dry-run")
    assert (dry.returncode, "nothing was changed" in dry.stdout) == (0, True)
    assert [each.version for each in place.registry().versions()] == [1]

    with gzip.open(place.folder / "answers.jsonl.gz", "wt") as file:
        for number in range(2):
            window = {"article_id": f"set-{number}", "start": 0, "end": 9, "types": ["cmdline"], "raw": f"{{{number}"}
            file.write(json.dumps(window) + "\n")
    assert place.promote(second, place.evaluate(second, 0.8)).returncode == 0
    champion = place.registry().standing().champion
    assert champion is not None
    assert champion.version == 2
    assert champion.history[-1].why.startswith("micro-F1 0.")

    listed = place.run("models", "list").stdout
    assert "2 *" in listed
    assert "os-bert: nothing was promoted yet" in listed
    assert "set@1: 2 candidates looked at so far, of 365" in listed
    shown = place.run("models", "show", "extract", "2").stdout
    assert all(word in shown for word in ("train_extract", "harvest_extract", second, "micro-F1", "the champion"))

    assert "by ann: micro-F1 0." in shown
    assert "canary    none: the evaluation kept no answers" in place.run("models", "show", "extract", "1").stdout
    assert "canary    2 windows" in shown
    assert "not proven" not in shown

    back = place.run("models", "rollback", "extract", "--why", "too slow")
    assert (back.returncode, first in back.stdout) == (0, True)
    names = [each.name for each in place.registry().versions()]
    assert f"in use until now: version 2 ({names[1]})\nin use from now on: version 1 ({names[0]})" in back.stdout
    shown = place.run("models", "show", "extract", "1").stdout
    assert "rolled back: version 1 in use, 2 until then, by ann: too slow" in shown
    refused = place.promote(second, place.evaluate(second, 0.8))
    assert refused.returncode == 5
    assert "version 2 was rolled back" in refused.stderr
    assert "too slow" in refused.stderr


def test_a_verdict_is_derived_again_and_files_are_checked(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    assert place.promote(second, place.evaluate(second, 0.8)).returncode == 0
    for version in (1, 2):
        again = place.run("promote", "extract", f"--verify={version}")
        assert (again.returncode, "the same verdict, every figure to 1e-09" in again.stdout) == (0, True), again.stderr
    checked = place.run("models", "check", "models:extract@previous")
    assert (checked.returncode, "every file is as it was registered" in checked.stdout) == (0, True)
    without = place.run("models", "check", "models:extract@previous", "--canary")
    assert (without.returncode, "has no canary: its evaluation kept no answers" in without.stderr) == (3, True)

    for info in place.store.list("models/extract/evaluations"):
        place.store.delete(info.key)
    gone = place.run("promote", "extract", "--verify=2")
    assert (gone.returncode, "is gone" in gone.stderr) == (3, True)
    (weights,) = (place.folder / f"store/{place.registry().get(1).place}").rglob("weights")
    weights.write_text("other")
    for command in (("models", "check", "extract@1"), ("models", "rollback", "extract", "--why=x")):
        damaged = place.run(*command)
        assert (damaged.returncode, "weights is damaged" in damaged.stderr) == (3, True), damaged.stderr
    champion = place.registry().standing().champion
    assert champion is not None
    assert champion.version == 2


def test_a_damaged_version_is_put_back_from_a_copy(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    copy = place.folder / "copy"
    shutil.copytree(first, copy)
    assert place.promote(second, place.evaluate(second, 0.8)).returncode == 0
    shutil.rmtree(first)
    lost = place.run("models", "rollback", "extract", "--why=x")
    assert (lost.returncode, "models check extract@1 --put-back-from COPY" in " ".join(lost.stderr.split())) == (
        3,
        True,
    )
    other = place.run("models", "check", "extract@1", f"--put-back-from={second}")
    assert (other.returncode, "holds other files than version 1" in other.stderr) == (2, True)
    back = place.run("models", "check", "extract@1", f"--put-back-from={copy}")
    assert (back.returncode, "put back: weights" in back.stdout) == (0, True), back.stderr
    assert place.run("models", "rollback", "extract", "--why=x").returncode == 0


def test_an_evaluation_with_too_many_failed_windows_promotes_nothing(place: Place) -> None:
    model = place.train("one")
    made = json.loads(Path(place.evaluate(model, 0.9)).read_text())
    for article in made["articles"][:3]:
        article["answers"]["failed"] = 3
    failed = place.promote(
        model, place.write("failed.json", json.dumps(made)), f"--against={place.evaluate(None, 0.3)}"
    )
    assert (failed.returncode, "windows of its evaluation have no answer, more than 2%" in failed.stderr) == (5, True)


def test_a_decision_waits_for_a_person_where_that_is_required(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_PROMOTE_APPROVAL", "required")
    model = place.train("one")
    asked = place.promote(model, place.evaluate(model, 0.6), f"--against={place.evaluate(None, 0.3)}")
    assert (asked.returncode, "waits for a person: ctiforge approve extract 1" in asked.stdout) == (0, True)
    assert place.registry().standing().champion is None
    listed = place.run("models", "list", "extract").stdout
    assert "waits for approval" in listed
    assert "ctiforge approve extract 1 --why" in listed

    monkeypatch.setenv("CTIFORGE_ACTOR", "bob")
    done = place.run("models", "approve", "extract", "1", "--why=looked at it")
    assert (done.returncode, "in use from now on: version 1" in done.stdout) == (0, True), done.stderr
    champion = place.registry().standing().champion
    assert champion is not None
    assert (champion.version, champion.history[-1].actor) == (1, "bob")
    again = place.run("models", "approve", "extract", "1", "--why=once more")
    assert (again.returncode, "version 1 is in use already" in again.stderr) == (2, True)
    assert "waits" not in place.run("models", "list", "extract").stdout
    assert place.run("promote", "extract", "--verify=1").returncode == 0


def test_a_version_that_the_champion_overtook_is_promoted_again_by_its_name(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    floor = f"--against={place.evaluate(None, 0.3)}"
    assert place.promote(first, place.evaluate(first, 0.6), floor, "--approval=required").returncode == 0
    assert place.promote(second, place.evaluate(second, 0.8), floor, "--approval=required").returncode == 0
    assert place.run("models", "approve", "extract", "1", "--why=first").returncode == 0
    late = place.run("models", "approve", "extract", "2", "--why=late")
    assert (late.returncode, "--model models:extract@2" in late.stderr) == (5, True)
    assert "before the champion changed: promote it again" in place.run("models", "list", "extract").stdout

    again = place.promote("models:extract@2", place.evaluate(second, 0.8), "--approval=required")
    assert (again.returncode, "of version 1" in again.stdout or "version 1, " in again.stdout) == (0, True)
    assert place.run("models", "approve", "extract", "2", "--why=now").returncode == 0
    # the verdict that moved it is the one against version 1
    verified = place.run("promote", "extract", "--verify=2")
    assert (verified.returncode, "version 1, " in verified.stdout) == (0, True)


def test_a_model_that_is_not_better_is_refused_with_5_and_a_decision_to_read(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    refused = place.promote(second, place.evaluate(second, 0.5))

    assert refused.returncode == 5
    assert "is not promoted: micro-F1 0." in refused.stderr
    assert "of version 1, agent-" in refused.stderr
    made = next(json.loads(line) for line in refused.stderr.splitlines() if '"event": "artifact"' in line)
    decision = json.loads(place.store.read(next(_keys(place, made["fingerprint"], "decision.json"))))
    assert (decision["passed"], decision["looks"]) == (False, 2)
    assert [each.version for each in place.registry().versions()] == [1]


def test_a_tracker_is_told_of_the_decision_which_stays_the_same_artifact(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    floor = f"--against={place.evaluate(None, 0.3)}"
    assert place.promote(first, place.evaluate(first, 0.6), floor).returncode == 0
    evaluation = place.evaluate(second, 0.5)
    refused = place.promote(second, evaluation, "--report-to=tensorboard")
    again = place.promote(second, evaluation)
    assert (refused.returncode, again.returncode) == (5, 5)
    made, same = (
        next(json.loads(line) for line in done.stderr.splitlines() if '"event": "artifact"' in line)
        for done in (refused, again)
    )
    assert made["fingerprint"] == same["fingerprint"]
    (events,) = Path(made["uri"]).rglob("tensorboard")
    told = EventAccumulator(str(events)).Reload()
    (passed,) = told.Tensors("passed")
    texts = {name: told.Tensors(name)[0].tensor_proto.string_val[0].decode() for name in ("address", "decision")}
    assert passed.tensor_proto.float_val[0] == 0
    assert texts == {"address": second, "decision": "not passed"}


def test_an_equivalent_model_is_taken_where_a_person_asks(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    evaluation = place.evaluate(second, 0.6)
    assert "--accept-equivalent" in place.promote(second, evaluation).stderr
    taken = place.promote(second, evaluation, "--accept-equivalent")
    assert (taken.returncode, "passed as equivalent" in taken.stdout) == (0, True)


def test_what_does_not_belong_together_is_a_usage_error(place: Place) -> None:
    model, other = place.train("one"), place.train("two")
    evaluation = place.evaluate(model, 0.6)
    for arguments, words in (
        ((model, None), "nothing is promoted without an evaluation: run eval_extract"),
        ((other, evaluation), "evaluate the model that is to be promoted"),
        ((model, evaluation, f"--against={evaluation}"), "is of the model itself"),
        ((model, evaluation, f"--champion-evaluation={evaluation}"), "extract has no champion"),
        ((model, evaluation, "--margin=speed=1"), "no such figure"),
        ((model, evaluation, "--margin=macro_f1"), "write it as figure=number"),
    ):
        refused = place.promote(*arguments)
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr
    unknown = place.run("promote", "mistral", f"--model={model}", f"--evaluation={evaluation}")
    assert (unknown.returncode, "there is no line mistral" in unknown.stderr) == (2, True)


def test_a_first_version_needs_something_to_beat(place: Place) -> None:
    model = place.train("one")
    refused = place.promote(model, place.evaluate(model, 0.6))
    assert (refused.returncode, "name what its first version must beat with --against" in refused.stderr) == (5, True)


@pytest.mark.parametrize("left_out", [True, False])
def test_a_leak_is_judged_on_what_was_trained_on_and_not_on_what_was_harvested(place: Place, left_out: bool) -> None:
    model = place.train("one", leaks="set", left_out=left_out)
    done = place.promote(model, place.evaluate(model, 0.6), f"--against={place.evaluate(None, 0.3)}")
    assert (done.returncode, "are among those trained on" in done.stderr) == ((0, False) if left_out else (5, True))


def test_a_test_set_that_was_trained_on_is_refused(place: Place) -> None:
    model = place.train("one", leaks="set")
    refused = place.promote(model, place.evaluate(model, 0.9), f"--against={place.evaluate(None, 0.3)}")
    assert refused.returncode == 5
    assert (
        "1 of 100 test articles are among those trained on (set-5 is the same text or nearly as h20" in refused.stderr
    )


def test_a_lineage_that_cannot_be_followed_is_refused_until_a_person_gives_the_records(place: Place) -> None:
    model = place.folder / "bought"
    model.mkdir()
    (model / "weights").write_text("w")
    evaluation, floor = place.evaluate(str(model), 0.6), f"--against={place.evaluate(None, 0.3)}"
    refused = place.promote(str(model), evaluation, floor)
    assert (refused.returncode, "give its records with --training-data" in refused.stderr) == (5, True)

    text = prose(99, 1)
    record = ArticleRecord(id="h", content=text, content_hash=content_hash(fold(text))).model_dump_json()
    records = place.write("records.jsonl", record + "\n")
    empty = place.promote(str(model), evaluation, floor, f"--training-data={place.write('none.jsonl', '')}")
    assert (empty.returncode, "holds no article" in empty.stderr) == (5, True)
    assert place.promote(str(model), evaluation, floor, f"--training-data={records}").returncode == 0


def test_another_test_set_than_the_champions_is_refused_until_it_was_evaluated_there(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    place.import_test_set("newer", seed=2)
    evaluation = place.evaluate(second, 0.8, "newer")
    refused = place.promote(second, evaluation)
    assert refused.returncode == 5
    assert "the champion, was never evaluated on newer@1: evaluate models:extract@1 on it" in refused.stderr

    wrong = place.promote(second, evaluation, f"--champion-evaluation={place.evaluate(None, 0.5, 'newer')}")
    assert (wrong.returncode, "--champion-evaluation is of regex" in wrong.stderr) == (2, True)
    of_champion = place.evaluate(first, 0.6, "newer")
    assert place.promote(second, evaluation, f"--champion-evaluation={of_champion}").returncode == 0
    kept = place.registry().evaluation(1, place.test_sets["newer"].sha256, Evaluation.SCHEMA)
    assert kept == Path(of_champion).read_text()


def test_a_version_in_use_before_that_was_never_evaluated_on_the_test_set_is_named(place: Place) -> None:
    first, second, third = (place.train(name) for name in ("one", "two", "three"))
    assert place.promote(first, place.evaluate(first, 0.5), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    assert place.promote(second, place.evaluate(second, 0.7)).returncode == 0
    place.import_test_set("newer", seed=2)
    of_champion = f"--champion-evaluation={place.evaluate(second, 0.7, 'newer')}"
    promoted = place.promote(third, place.evaluate(third, 0.9, "newer"), of_champion)
    assert promoted.returncode == 0, promoted.stderr
    name = place.registry().get(1).name
    not_held = f"not held against version 1, {name}, in use before: it was never evaluated on these articles of newer@1"
    assert not_held in " ".join(promoted.stdout.split())
    assert "not held against version 2" not in promoted.stdout


def test_in_a_run_the_champions_evaluation_comes_as_the_model_in_use(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    place.import_test_set("newer", seed=2)
    in_use, floor = place.evaluate(first, 0.6, "newer"), place.evaluate(None, 0.3, "newer")
    passed = place.promote(second, place.evaluate(second, 0.8, "newer"), f"--against={in_use}", f"--against={floor}")
    assert passed.returncode == 0, passed.stderr
    assert "version 1, agent-" in passed.stdout


def test_a_test_set_that_the_store_does_not_have_must_be_given(place: Place) -> None:
    model = place.train("one")
    evaluation = json.loads(Path(place.evaluate(model, 0.6)).read_text())
    evaluation["test_set"]["name"] = "elsewhere"
    moved = place.write("moved.json", json.dumps(evaluation))
    floor = f"--against={place.evaluate(None, 0.3)}"
    refused = place.promote(model, moved, floor)
    assert (refused.returncode, "give its articles with --test-data" in refused.stderr) == (5, True)
    wrong = place.promote(model, moved, floor, f"--test-data={place.write('other.jsonl', 'x')}")
    assert (wrong.returncode, "is not what the model was evaluated on" in wrong.stderr) == (2, True)
    articles = place.write("same.jsonl", place.store.read(place.test_sets["set"].key).decode())
    assert place.promote(model, moved, floor, f"--test-data={articles}").returncode == 0


def test_of_two_programs_that_promote_at_once_one_wins(place: Place) -> None:
    models = [place.train(name) for name in ("one", "two")]
    floor = place.evaluate(None, 0.3)
    processes = [
        subprocess.Popen(
            [
                sys.executable, str(JOBS / "promote.py"), "extract", f"--model={model}", f"--store={place.uri}",
                f"--evaluation={place.evaluate(model, 0.6)}", f"--against={floor}",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place.folder,
        )
        for model in models
    ]  # fmt: skip
    said = [process.communicate(timeout=60)[1] for process in processes]
    champion = place.registry().standing().champion
    assert champion is not None
    winner = [process.returncode for process in processes].index(0)
    assert place.registry().get(champion.version).artifact == models[winner]
    # the other came too late, or in time to be compared with the winner
    assert processes[1 - winner].returncode == 5
    assert "promoted meanwhile" in said[1 - winner] or "of version 1" in said[1 - winner]


def test_the_other_lines_first_version_must_beat_the_best_floor_of_its_own_evaluation(place: Place) -> None:
    model = place.train("os", line="os-bert")
    truths = [LABELS[number % 2] for number in range(ARTICLES)]

    def rows(share: float, floor: float) -> ClassifierEvaluation:
        def row(name: str, kind: Any, right: float) -> Any:
            hit = np.random.default_rng(3).random(ARTICLES) < right
            guesses = [t if h else LABELS[1 - LABELS.index(t)] for t, h in zip(truths, hit, strict=True)]
            return score_row(name, kind, truths, guesses, LABELS)

        info = TestSetInfo(name="set", version="1", content_hash=place.test_sets["set"].sha256, articles=ARTICLES)
        return ClassifierEvaluation(
            intervals=INTERVALS,
            model=ModelInfo(name="os-bert-x", version=find_input(model).content[:12]), test_set=info,
            measure="accuracy", labels=LABELS, fingerprint="f" * 64,
            cases=tuple(Case(id=f"set-{number}", label=label) for number, label in enumerate(truths)),
            rows=(
                row("majority class", "floor", 0.5), row("keyword rule", "floor", floor),
                row("os-bert-x", "model", share),
            ),
        )  # fmt: skip

    def promote(evaluation: ClassifierEvaluation) -> "subprocess.CompletedProcess[str]":
        uri = place.write("os.json", evaluation.model_dump_json())
        return place.run("promote", "os-bert", f"--model={model}", f"--evaluation={uri}", f"--against={uri}")

    behind = promote(rows(0.7, 0.9))
    assert (behind.returncode, "keyword rule" in behind.stderr) == (5, True)
    agreement = promote(rows(0.9, 0.6).model_copy(update={"measure": "agreement"}))
    assert (agreement.returncode, "that is agreement" in agreement.stderr) == (3, True)
    ahead = promote(rows(0.9, 0.6))
    assert ahead.returncode == 0, ahead.stderr
    assert place.registry("os-bert").versions()[0].name == "os-bert-x"


def _keys(place: Place, fingerprint: str, name: str) -> Any:
    found = (info.key for info in place.store.list(f"artifacts/promote/{fingerprint}"))
    return (key for key in found if key.endswith(name))


def test_a_test_set_is_planned_from_the_champion_or_from_two_evaluations(place: Place) -> None:
    first = place.train("one")
    evaluation, floor = place.evaluate(first, 0.6), place.evaluate(None, 0.3)
    asked = place.run("testset", "plan", "set")
    assert (asked.returncode, "extract has no champion yet: give an evaluation" in asked.stderr) == (2, True)
    assert place.promote(first, evaluation, f"--against={floor}").returncode == 0

    alone = place.run("testset", "plan", "set", "--gain=0.08")
    assert (alone.returncode, "varied like its figure" in alone.stdout) == (0, True), alone.stderr
    assert "articles needed" in alone.stdout
    pair = place.run("testset", "plan", f"--evaluation={evaluation}", f"--evaluation={floor}")
    assert (pair.returncode, "as the two evaluations' gain varies" in pair.stdout) == (0, True), pair.stderr
    place.import_test_set("other", seed=2)
    elsewhere = place.run("testset", "plan", "other", f"--evaluation={evaluation}")
    assert (elsewhere.returncode, "was not evaluated on other@1" in elsewhere.stderr) == (2, True), elsewhere.stderr
    three = place.run("testset", "plan", *[f"--evaluation={evaluation}"] * 3)
    assert (three.returncode, "was given 3 times" in three.stderr) == (2, True)
    assert place.run("testset", "plan", "set", "--line=foo").returncode == 2
    wrong = place.run("testset", "plan", "set", "--gain=5")
    assert (wrong.returncode, "--gain 5: give a share" in wrong.stderr) == (2, True)


def test_looks_are_counted_by_candidate_and_spent_after_a_year(place: Place) -> None:
    first, second = place.train("one"), place.train("two")
    assert place.promote(first, place.evaluate(first, 0.6), f"--against={place.evaluate(None, 0.3)}").returncode == 0
    evaluation = place.evaluate(second, 0.5)
    # a dry run is a look; asking again is none
    for more in ("--dry-run", "--dry-run", ""):
        refused = place.promote(second, evaluation, *([more] if more else []))
        assert (refused.returncode, "test set so far: 2" in refused.stdout.replace("\n", " ")) == (5, True)
    test_set = place.test_sets["set"]
    info = TestSetInfo(name="set", version="1", content_hash=test_set.sha256, articles=ARTICLES)
    ids = [f"set-{number}" for number in range(ARTICLES)]
    for number in range(YEAR):
        seen = GateLook(candidate=f"other {number}", against="one", at=datetime(2026, 11, 1, tzinfo=UTC))
        Looks(place.registry().store, "extract").note(seen, f"content-{number}", info, ids)
    third = place.train("three")
    spent = place.promote(third, place.evaluate(third, 0.9))
    assert spent.returncode == 5
    assert "367 candidates were looked at on set@1" in spent.stderr
    assert "add newly labeled articles" in spent.stderr
