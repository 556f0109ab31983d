"""eval_extract and compare as a person or the launcher runs them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ctiforge.data.testsets import import_testset
from ctiforge.extract.answering.extraction import Extraction
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.extract.evaluate import evaluate_extractor
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from ctiforge.records.observable import Observable
from ctiforge.store.objects import open_store
from tests.in_process import run_here
from tests.integration.endpoint import Asked, Endpoint, Reply, completion

ROOT = Path(__file__).parents[3]


def run(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_here(program, *arguments, cwd=cwd)


def articles(count: int = 12) -> list[ArticleRecord]:
    return [
        ArticleRecord(
            id=f"a{number}",
            title=f"Report {number}",
            content=f"On host {number} the actor ran whoami /all and then hid command-{number}.",
            content_hash=str(number),
            observables=(
                Observable(type="cmdline", value="whoami /all"),
                Observable(type="cmdline", value=f"command-{number}"),
            ),
            labelled_types=("cmdline",),
            labelled_by="human",
            annotator="tester",
        )
        for number in range(count)
    ]


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    file = tmp_path / "articles.jsonl"
    file.write_text("".join(article.model_dump_json() + "\n" for article in articles()), encoding="utf-8")
    return file


def test_evaluate_a_file_and_compare(tmp_path: Path, test_file: Path) -> None:
    done = run("eval_extract", "--model=regex", f"--test-data={test_file}", "--output=out/floor.json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "12 articles scored" in done.stdout
    body = json.loads((tmp_path / "out" / "floor.json").read_text())
    assert body == json.loads((tmp_path / "out" / "floor" / "evaluation.json").read_text())
    assert (body["model"]["name"], body["test_set"]["name"]) == ("regex", "articles")
    assert body["metrics"]["recall"]["value"] == 0.5

    # one evaluation may have two roles in a run
    compared = run("compare", "out/floor.json", "out/floor", "out/floor", "--output=cmp", cwd=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert "F1, length: normal" in compared.stdout
    assert "equal" in (tmp_path / "cmp" / "comparison.md").read_text()
    assert json.loads((tmp_path / "cmp" / "comparison.json").read_text())["baseline"]["name"] == "regex"


def test_evaluate_a_test_set_of_the_store_once(tmp_path: Path) -> None:
    import_testset(open_store(str(tmp_path / "store")), "demo", articles(), "tester")
    line = ("--model=regex", "--test-data=testset:demo", f"--store={tmp_path / 'store'}")

    planned = run("eval_extract", *line, "--plan", cwd=tmp_path)
    first, second = run("eval_extract", *line, cwd=tmp_path), run("eval_extract", *line, cwd=tmp_path)

    assert json.loads(planned.stdout)["cached"] is False
    assert "regex (0.1.0) on demo 1" in first.stdout
    assert second.stdout.startswith("cached: eval_extract")
    assert "regex (0.1.0) on demo 1" in second.stdout


def test_a_tracker_is_told_and_changes_no_fingerprint(tmp_path: Path, test_file: Path) -> None:
    line = ("--model=regex", f"--test-data={test_file}", f"--store={tmp_path / 'store'}")
    planned = json.loads(run("eval_extract", *line, "--plan", cwd=tmp_path).stdout)
    done = run("eval_extract", *line, "--report-to=tensorboard", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = next(json.loads(text) for text in done.stderr.splitlines() if '"event": "artifact"' in text)
    assert made["fingerprint"] == planned["fingerprint"]
    (events,) = Path(made["uri"]).rglob("tensorboard")
    told = EventAccumulator(str(events)).Reload()
    (recall,), (address,) = told.Tensors("recall"), told.Tensors("address")
    assert (recall.tensor_proto.float_val[0], address.tensor_proto.string_val[0]) == (0.5, b"regex")
    assert run("eval_extract", *line, cwd=tmp_path).stdout.startswith("cached: eval_extract")


def test_a_tracker_that_cannot_work_is_refused_before_anything_is_scored(tmp_path: Path, test_file: Path) -> None:
    line = ("--model=regex", f"--test-data={test_file}", "--output=out")
    unknown = run("eval_extract", *line, "--report-to=wandb", cwd=tmp_path)
    assert (unknown.returncode, "choose among none, tensorboard, mlflow" in unknown.stderr) == (2, True)
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    no_server = run_here("eval_extract", *line, "--report-to=mlflow", cwd=tmp_path, environment=environment)
    assert (no_server.returncode, "in MLFLOW_TRACKING_URI" in no_server.stderr) == (2, True)
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_one_article_is_shown_for_reading(tmp_path: Path, test_file: Path) -> None:
    shown = run("eval_extract", "--model=regex", f"--test-data={test_file}", "--article-id=a3", cwd=tmp_path)
    missing = run("eval_extract", "--model=regex", f"--test-data={test_file}", "--article-id=zz", cwd=tmp_path)

    assert "cmdline: 1 found, 1 missed, 0 wrong" in shown.stdout
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)


def test_a_test_set_is_found_in_the_store_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_testset(open_store(str(tmp_path / "mine")), "demo", articles(), "tester")
    monkeypatch.setenv("CTIFORGE_STORE", "mine")

    done = run("eval_extract", "--model=regex", "--test-data=testset:demo", "--output=out", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "regex (0.1.0) on demo 1" in done.stdout
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["testsets"]


def bad_line(kind: str, tmp_path: Path, test_file: Path) -> tuple[str, ...]:
    unlabeled = tmp_path / "unlabeled.jsonl"
    unlabeled.write_text(articles(1)[0].model_copy(update={"labelled_types": (), "observables": ()}).model_dump_json())
    return {
        "no test data": ("--model=regex",),
        "no such file": ("--model=regex", "--test-data=missing.jsonl"),
        "no such test set": ("--model=regex", "--test-data=testset:no", f"--store={tmp_path / 'store'}"),
        "no labels": ("--model=regex", f"--test-data={unlabeled}"),
        "not json": ("--model=regex", f"--test-data={Path(__file__)}"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "code"),
    [("no test data", 2), ("no such file", 2), ("no such test set", 2), ("no labels", 3), ("not json", 3)],
)
def test_bad_input_ends_with_one_line_and_its_code(kind: str, code: int, tmp_path: Path, test_file: Path) -> None:
    done = run("eval_extract", *bad_line(kind, tmp_path, test_file), cwd=tmp_path)

    assert done.returncode == code, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == done.stderr.splitlines()[-1:]
    assert "Traceback" not in done.stderr


class Failing(RegexFloor):
    """The rules on a device that fails, or that cannot read one article."""

    def __init__(self, error: Exception, article: str) -> None:
        self.error, self.article = error, article

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        if self.article in text:
            raise self.error
        return super().extract(text, types, source_url=source_url)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "the device failed"),
        (ValueError("odd"), "failed on 1 of 12 windows, more than 2%; the first time with: ValueError: odd"),
    ],
)
def test_an_evaluation_that_failed_is_not_published(
    error: Exception, words: str, tmp_path: Path, test_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiforge.extract.evaluate.open_extractor", lambda *_, **__: Failing(error, "On host 3 "))
    store = tmp_path / "store"

    done = run("eval_extract", "--model=regex", f"--test-data={test_file}", f"--store={store}", cwd=tmp_path)

    assert done.returncode == 4, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert not list(store.rglob("manifest.json"))
    assert not list(store.rglob("evaluation.json"))


def write_evaluation(file: Path, count: int) -> None:
    info = TestSetInfo(name=file.stem, version="1", content_hash=file.stem, articles=0)
    made = evaluate_extractor(
        RegexFloor(), articles(count), model=ModelInfo(name=file.stem, version="1"), test_set=info
    )
    file.write_text(made.model_dump_json(), encoding="utf-8")


def test_comparisons_of_different_test_sets_are_refused(tmp_path: Path, test_file: Path) -> None:
    for name, count in (("a", 12), ("b", 3)):
        write_evaluation(tmp_path / f"{name}.json", count)

    refused = run("compare", "a.json", "b.json", cwd=tmp_path)
    broken = run("compare", "a.json", str(test_file), cwd=tmp_path)
    alone = run("compare", "a.json", cwd=tmp_path)
    twice = run("compare", "a.json", "a.json", cwd=tmp_path)

    assert (refused.returncode, "evaluate both on one test set" in refused.stderr) == (2, True)
    assert (broken.returncode, "is no evaluation" in broken.stderr) == (3, True)
    assert alone.returncode == 2
    assert (twice.returncode, "a.json is given twice" in twice.stderr) == (2, True)


@pytest.mark.usefixtures("real_articles")
def test_the_real_articles_are_scored(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "eval_real.py"), f"--store={tmp_path}", f"--output={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)

    assert done.returncode == 0, done.stderr
    assert "26 articles scored" in done.stdout


def test_without_the_real_articles_their_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTIFORGE_REAL_DATA", raising=False)
    command = [sys.executable, str(ROOT / "benchmarks" / "eval_real.py"), f"--store={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)

    assert done.returncode == 2
    assert done.stderr.startswith("error: CTIFORGE_REAL_DATA is not set")
    assert "Traceback" not in done.stderr


def test_a_served_model_is_evaluated_anew_each_time_and_as_it_is_served(tmp_path: Path, test_file: Path) -> None:
    def respond(asked: Asked) -> Reply:
        value = "whoami /all" if "whoami /all" in asked.text else "nothing"
        return completion(json.dumps({"observables": [{"type": "cmdline", "value": value}]}))

    (tmp_path / "prompt.txt").write_text("Extract: {content}")
    with Endpoint(respond) as endpoint:
        flags = (f"--endpoint={endpoint.url}", "--model=m", f"--test-data={test_file}", "--store=store")
        windowed = run("eval_extract", *flags, "--output=windowed.json", "--served-version=abc123", cwd=tmp_path)
        again = run("eval_extract", *flags, cwd=tmp_path)
        whole = run("eval_extract", *flags, "--as-served=prompt.txt", "--output=whole.json", cwd=tmp_path)

    assert (windowed.returncode, again.returncode, whole.returncode) == (0, 0, 0), windowed.stderr + whole.stderr
    assert "cached" not in again.stdout
    bodies = [json.loads((tmp_path / name).read_text()) for name in ("windowed.json", "whole.json")]
    assert [body["model"] for body in bodies] == [
        {"name": "m, served", "version": "abc123"},
        {"name": "m, as served", "version": "m"},
    ]
    assert [body["metrics"]["recall"]["value"] for body in bodies] == [0.5, 0.5]
    assert sum("Extract: On host" in asked.text for asked in endpoint.asked) == 12


def test_flags_of_a_served_model_need_its_endpoint(tmp_path: Path, test_file: Path) -> None:
    done = run("eval_extract", "--model=m", f"--test-data={test_file}", "--as-served=p.txt", cwd=tmp_path)

    assert done.returncode == 2
    assert "give its --endpoint" in done.stderr
    assert "Traceback" not in done.stderr
