"""Reports of runs in a store, as a person or `ctiforge report` makes them."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree

import pytest

from ctiforge.data.testsets import import_testset
from ctiforge.labels.importing import read_file
from ctiforge.labels.page.reading import read_articles
from ctiforge.records.evaluation import Evaluation
from ctiforge.reporting.reading import read_run
from ctiforge.reporting.since_section import since_section
from ctiforge.store.lineage import trace
from ctiforge.store.models import Registry
from ctiforge.store.objects import open_store
from ctiforge.store.runs import load_run
from tests import making as stored
from tests.in_process import run_here
from tests.unit.reporting import making

ROOT = Path(__file__).parents[3]
HOSTILE = "\x1b[31m \u202eevil </script><script>alert(1)</script>"


def report(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_here("report", *arguments, cwd=cwd, environment=environment())


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CTIFORGE_")}


def damage(store: str, stage: str, name: str) -> None:
    """Put something else in the place of a file of a stage's artifact."""
    (path,) = Path(store).glob(f"artifacts/{stage}/*/1/{name}")
    path.write_text("{}")


def test_everything_of_a_run_is_read_from_a_folder_and_from_s3(store_uri, tmp_path):
    store = open_store(store_uri)
    run = read_run(store, making.extract_run(store, tmp_path / "making"))
    assert run.problems == ()
    assert list(run.evaluations) == ["eval_base", "eval_regex", "eval_tuned"]
    assert (run.training.best_step, len(run.log), run.harvest.kept) == (100, len(making.LOG), 50)
    assert run.formatted.report.right_truncation.articles_with_answer == 43
    assert run.test_set.reference == "set@1"
    assert run.texts["a3"] == making.article(3).content


def test_the_newest_run_of_either_line_becomes_a_page(tmp_path):
    store = open_store(str(tmp_path / "store"))
    extract = making.extract_run(store, tmp_path / "extract", hostile=HOSTILE)
    os_bert = making.os_run(store, tmp_path / "os")
    newest = report("--store", store.uri, cwd=tmp_path)
    assert newest.returncode == 0, newest.stderr
    assert newest.stdout.splitlines()[-1] == f"-> outputs/reports/{os_bert}.html"
    page = (tmp_path / "outputs/reports" / f"{os_bert}.html").read_text(encoding="utf-8")
    assert "The new model is better than the majority floor" in page
    assert "taken for Windows" in page
    assert "speaks for Linux" in page

    other = report("extract", "--store", store.uri, "--output", "there/my.html", cwd=tmp_path)
    assert other.returncode == 0, other.stderr
    page = (tmp_path / "there/my.html").read_text(encoding="utf-8")
    assert extract in page
    assert "invented" in page
    assert page.count("<script>") == 1


def test_likely_label_gaps_are_a_review_file_that_the_labeling_page_and_the_registry_read(tmp_path):
    store = open_store(str(tmp_path / "store"))
    run = making.extract_run(store, tmp_path / "making")
    done = report("--store", store.uri, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = f"outputs/reports/{run}-label-gaps.jsonl"
    assert f"ctiforge label --input {file} --annotator NAME" in done.stdout
    assert (
        f"ctiforge label --input {file} --annotator NAME" in (tmp_path / "outputs/reports" / f"{run}.html").read_text()
    )

    articles = read_articles(tmp_path / file)
    assert len(articles) == 30
    assert articles[0].content == making.article(0).content
    assert [(each.type, each.value) for each in articles[0].observables] == [
        ("cmdline", "decoy0.exe"),
        ("cmdline", "whoami /all /fo 0"),
        ("services", "Service0"),
    ]
    assert len(read_file(tmp_path / file, (), "somebody").labels) == 30
    assert import_testset(store, "corrected", articles, annotator="somebody").articles == 30


def test_a_review_file_that_somebody_may_have_corrected_is_kept(tmp_path):
    store = open_store(str(tmp_path / "store"))
    run = making.extract_run(store, tmp_path / "making")
    file = tmp_path / f"{run}-label-gaps.jsonl"
    file.write_text("corrected")
    done = report("--store", store.uri, "--output", "my.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{file.name} is kept as it is" in done.stdout
    assert file.read_text() == "corrected"


def promote(store, lineage_of: str) -> None:
    """Register the model that a run trained as the version in use."""
    made_by = [stage.artifact for stage in load_run(store, lineage_of).stages if not stage.name.startswith("eval")]
    steps = [trace(store, artifact, ()).steps[0] for artifact in reversed(made_by)]
    registry = Registry(store, "extract")
    made = stored.candidate("1", lineage=tuple(steps))
    registry.promote(registry.register(made).version, registry.standing(), "first")


def test_what_is_new_since_the_version_in_use_is_set_beside_it(tmp_path):
    store = open_store(str(tmp_path / "store"))
    promote(store, making.extract_run(store, tmp_path / "old"))
    later = making.Store(store, tmp_path / "new", "extract")
    later.run.id, later.run.started_at = "extract-later", datetime.now(UTC) + timedelta(days=1)
    later.stage("harvest_extract", {"report.json": stored.harvest(read=70), "records.jsonl": "1"}, unlike="later")
    run = read_run(store, later.save())
    assert (run.promoted.version, run.promoted.problem) == (1, "")
    assert (run.promoted.harvest.read, run.promoted.formatted.report.items) == (60, 500)
    assert since_section(run).blocks[0].rows[0][1].text == "+10"

    (harvest,) = Path(store.uri).glob(f"artifacts/harvest_extract/{run.promoted.fingerprint}")
    rmtree(harvest)
    run = read_run(store, "extract-later")
    assert run.promoted.harvest is None
    assert "its harvest cannot be read" in since_section(run).blocks[0].lines[0]


def test_a_version_promoted_after_a_run_began_was_not_in_use(tmp_path):
    store = open_store(str(tmp_path / "store"))
    first = making.extract_run(store, tmp_path / "old")
    promote(store, first)
    assert read_run(store, first).promoted is None


def test_a_damaged_file_is_told_and_the_rest_is_shown(tmp_path):
    store = open_store(str(tmp_path / "store"))
    making.extract_run(store, tmp_path / "making")
    damage(store.uri, "train_extract", "training_metadata.json")
    damage(store.uri, "eval_base", "evaluation.json")
    done = report("--store", store.uri, "--output", "r.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("is damaged (not the content that manifest.json names)") == 2
    assert "The new model is" in page or "Too little data to tell" in page


def test_an_evaluation_of_another_age_is_told(tmp_path):
    store = open_store(str(tmp_path / "store"))
    making_store = making.Store(store, tmp_path / "making", "extract")
    old = (
        making.evaluation(making.articles(3), "old").to_json().replace(f'"schema": {Evaluation.SCHEMA}', '"schema": 1')
    )
    making_store.stage("eval_base", {"evaluation.json": old}, {"model": "base"})
    run = read_run(store, making_store.save())
    assert run.evaluations == {}
    assert "follows schema 1 of evaluation.json" in run.problems[0]


def test_without_the_test_set_errors_come_without_their_text(tmp_path):
    store = open_store(str(tmp_path / "store"))
    making_store = making.Store(store, tmp_path / "making", "extract")
    found = making.evaluation(making.articles(3), "base")
    making_store.stage("eval_base", {"evaluation.json": found.model_dump_json()}, {"model": "base"})
    run = read_run(store, making_store.save())
    assert (run.texts, run.test_set) == ({}, None)
    assert run.problems == ("the articles of set@1 are not in the store: errors come without their text",)


def test_a_run_that_failed_early_is_a_page_that_says_so(tmp_path):
    store = open_store(str(tmp_path / "store"))
    making_store = making.Store(store, tmp_path / "making", "extract")
    making_store.unfinished("harvest_extract", "failed", exit_code=3, last_lines=["error: nothing to read"])
    making_store.unfinished("format_extract", "waiting")
    making_store.save("failed")
    done = report("--store", store.uri, "--output", "r.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "There is no verdict" in done.stdout
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "harvest_extract: failed with exit code 3; it said last: error: nothing to read" in page
    assert "format_extract: never started" in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing-like-this",), "there is no run nothing-like-this"),
        (("--output", "file/in/it.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(arguments, told, tmp_path):
    store = open_store(str(tmp_path / "store"))
    making.os_run(store, tmp_path / "making")
    (tmp_path / "file").write_text("")
    done = report(*arguments, "--store", store.uri, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) <= 2
