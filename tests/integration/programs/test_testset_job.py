import json
import subprocess
from pathlib import Path

import pytest

from tests.in_process import run_here

ROOT = Path(__file__).parents[3]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_here("testset", *arguments, cwd=cwd)


@pytest.fixture
def review(tmp_path: Path) -> list[dict]:
    """The lines of a review file, made from articles that no harvest labeled, as prepare_os writes them."""
    rows = [
        {
            "id": str(n),
            "content": f"Report {n}: a value under the Run key.",
            "content_hash": f"{n:064x}",
            "label": "MacOS",
        }
        for n in range(4)
    ]
    (tmp_path / "articles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run("create", "--input", "articles.jsonl", "--size", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Windows, Linux, MacOS, multiple, Unknown" in done.stdout
    return [json.loads(line) for line in (tmp_path / "review.jsonl").read_text(encoding="utf-8").splitlines()]


def import_(rows: list[dict], folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "edited.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return run("import", "edited.jsonl", "--name", "os", "--store", "store", cwd=folder)


def test_a_reviewed_file_with_labels_of_operating_systems_becomes_a_test_set(
    tmp_path: Path, review: list[dict]
) -> None:
    # what some labeler thought of the article is not shown to the person
    assert {(row["os_label"], row["annotator"], "label" in row) for row in review} == {(None, "", False)}

    done = import_([row | {"os_label": "Windows", "annotator": "ann"} for row in review], tmp_path)
    listed = run("list", "--store", "store", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "3 articles, labeled: os_label 3" in done.stdout
    assert "os@1" in listed.stdout
    assert "os_label 3" in listed.stdout


def test_a_store_without_test_sets_says_what_to_do(tmp_path: Path) -> None:
    listed = run("list", "--store", "store", cwd=tmp_path)

    assert listed.returncode == 0, listed.stderr
    assert "no test sets yet: make one with `ctiforge testset create`" in listed.stdout


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"os_label": "Mac"}, "line 2: os_label is one of Windows, Linux, MacOS, multiple, Unknown"),
        ({"os_label": None}, "has neither labelled_types nor os_label"),
        ({"annotator": ""}, "names no annotator"),
    ],
)
def test_what_the_annotator_left_wrong_is_named(tmp_path: Path, review: list[dict], edit: dict, words: str) -> None:
    good = [row | {"os_label": "Windows", "annotator": "ann"} for row in review]

    done = import_([good[0], good[1] | edit, good[2]], tmp_path)

    assert done.returncode == 3
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_observables_that_stand_nowhere_are_imported_and_told(tmp_path: Path, review: list[dict]) -> None:
    values = [{"type": "cmdline", "value": f"whoami /{n}"} for n in range(5)]
    labels = {"annotator": "ann", "labelled_types": ["cmdline"], "observables": values}

    done = import_([review[0] | labels, review[1] | {"os_label": "Linux", "annotator": "ann"}], tmp_path)

    assert done.returncode == 0, done.stderr
    assert "2 articles, labeled: cmdline 1, os_label 1" in done.stdout
    first = f"{review[0]['id']}: cmdline 'whoami /0'; "
    assert f"warning: 5 observables stand nowhere in their article, and count all the same: {first}" in done.stderr
    assert done.stderr.endswith("'whoami /2'; …\n")


def test_the_real_articles_are_imported_as_they_are(tmp_path: Path, real_articles: Path) -> None:
    done = run("import", str(real_articles), "--name=real", "--annotator=ann", "--store=store", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "30 articles" in done.stdout
    assert "os_label 30" in done.stdout
