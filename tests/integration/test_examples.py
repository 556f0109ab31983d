"""What is in examples/ to be copied runs as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.records.article import ArticleRecord

ROOT = Path(__file__).parents[2]
FASTER = {"train_extract": {"max_steps": 2, "force": True}, "eval_extract": {"batch_size": 64}}
"""The script as it is, with a training of two steps."""


def run(command: list[str], cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run in a folder, without settings of the machine, `ctiforge` being the one that is tested."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CTIFORGE_", "DATABASE_URL"))}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    return subprocess.run(command, cwd=cwd, env=own | environment, capture_output=True, text=True, check=False)


def as_result(record: ArticleRecord) -> dict[str, object]:
    """An article as the third layout of result files has it."""
    return {
        "article_id": int(record.id),
        "url": record.url,
        "title": record.title,
        "content": record.content,
        "extraction_result": {"observables": [each.model_dump() for each in record.observables]},
    }


def test_the_example_of_a_result_file_is_harvested(tmp_path: Path) -> None:
    results = str(ROOT / "examples/results.json")
    done = run(["ctiforge", "harvest-extract", "--json-files", results, "--output", "records", "--force"], tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "records/report.json").read_text())
    assert (report["read"], report["positives"]) == (3, 1)
    assert report["excluded"]["no type labelled: every extraction failed or was skipped"] == 1


def test_labels_that_nobody_reviewed_are_not_imported(tmp_path: Path) -> None:
    ctiforge = tmp_path / "bin" / "ctiforge"
    ctiforge.parent.mkdir()
    ctiforge.write_text('#!/bin/sh\necho "$@" >> calls\n')
    ctiforge.chmod(0o755)
    path = f"{ctiforge.parent}{os.pathsep}{os.environ['PATH']}"
    script = str(ROOT / "examples/own_data.sh")
    done = run([script, "results.json"], tmp_path, EDITOR="", PATH=path)
    assert done.returncode == 2
    assert "run this again with EDITOR=" in done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["harvest-extract", "testset"]
    assert run([script, "results.json"], tmp_path, EDITOR="true", PATH=path).returncode == 0
    assert "testset import" in (tmp_path / "calls").read_text()


@pytest.mark.slow
def test_own_result_files_become_a_model_with_a_report(tmp_path: Path) -> None:
    articles = make_corpus(5, DemoSizes(training=150, training_long=0)).training
    (tmp_path / "results.json").write_text(json.dumps([as_result(each) for each in articles]))
    # the person who reviews: the first six articles are right, the others are left out
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nhead -6 "$1" > "$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    script = str(ROOT / "examples/own_data.sh")
    done = run([script, "results.json"], tmp_path, EDITOR=str(editor), CTIFORGE_STAGES=json.dumps(FASTER))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert len(list((tmp_path / "outputs/reports").glob("extract-*.html"))) == 1
    evaluations = [json.loads(path.read_text()) for path in (tmp_path / "outputs/evaluations").glob("eval_*.json")]
    assert {each["test_set"]["name"] for each in evaluations} == {"mine"}
    assert {each["test_set"]["articles"] for each in evaluations} == {6}
