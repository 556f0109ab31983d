import json
from pathlib import Path

import pytest

from ctiforge.data.labels import save_label
from ctiforge.data.testsets import import_testset
from ctiforge.labels.page.reading import read_articles
from ctiforge.store.objects import open_store
from tests.in_process import run_here
from tests.labels import human_label
from tests.unit.extract.harvest.test_harvest import make_text

RAN = " The actor ran whoami /all and ipconfig /all."


def run(*arguments: str, cwd: Path):
    return run_here("label", *arguments, "--store", "store", cwd=cwd, environment={"PATH": "", "HOME": str(cwd)})


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Eight articles of a harvest; its model found nothing in any."""
    labels = [human_label(make_text(n) + RAN, {"cmdline": []}, id_=str(n)).article for n in range(8)]
    plain = [each.model_copy(update={"annotator": None, "labelled_by": "model"}) for each in labels]
    (tmp_path / "records.jsonl").write_text("".join(each.model_dump_json() + "\n" for each in plain), encoding="utf-8")
    return tmp_path / "records.jsonl"


def test_the_articles_most_worth_are_told_with_reasons_and_the_page_opens_them(tmp_path: Path, records: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    save_label(store, human_label(make_text(0) + RAN, {"cmdline": ["whoami /all"]}, id_="0"))
    import_testset(store, "held", [human_label(make_text(1) + RAN, {"cmdline": ["whoami /all"]}, id_="1").article])

    done = run("next", "--input", str(records), "--count", "3", "--output", "queue.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rules and the input disagree about 2 command lines" in " ".join(done.stdout.split())
    assert "left out: labeled already, or near to such an article: 1" in done.stderr
    assert "left out: in a test set, or near to one of its articles: 1" in done.stderr
    queue = read_articles(tmp_path / "queue.jsonl")
    assert len(queue) == 3
    assert not {each.id for each in queue} & {"0", "1"}
    lines = [json.loads(line) for line in (tmp_path / "queue.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("command line labeled so far" in line["why"] for line in lines)

    again = run("next", "--input", str(records), "--count", "3", cwd=tmp_path)
    assert again.stdout in done.stdout
    refused = run("next", "--input", str(records), "--output", "queue.jsonl", cwd=tmp_path)
    assert refused.returncode == 2
    assert "queue.jsonl exists" in refused.stderr


def test_without_a_store_everything_may_be_labeled(tmp_path: Path, records: Path) -> None:
    done = run("next", "--input", str(records), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rules and the input disagree") == 8
    assert not (tmp_path / "store").exists()


def test_candidates_of_other_articles_are_told(tmp_path: Path, records: Path) -> None:
    lines = [each.replace('"id":"', '"id":"other-') for each in records.read_text(encoding="utf-8").splitlines()]
    (tmp_path / "others.jsonl").write_text(lines[0].replace(RAN, " Nothing ran.") + "\n", encoding="utf-8")
    done = run("next", "--input", str(records), "--candidates", "others.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    assert "--candidates others.jsonl says nothing of any of these articles" in done.stderr


def test_where_all_is_labeled_that_is_said(tmp_path: Path, records: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    for n in range(8):
        save_label(store, human_label(make_text(n) + RAN, {"cmdline": []}, id_=str(n)))
    done = run("next", "--input", str(records), cwd=tmp_path)
    assert done.returncode == 0
    assert "nothing is left to label" in done.stdout


def test_the_page_without_articles_or_a_name_says_what_it_needs(tmp_path: Path, records: Path) -> None:
    for flags in ((), ("--input", str(records)), ("--annotator", "ann")):
        done = run(*flags, cwd=tmp_path)
        assert done.returncode == 2
        assert "give --input with articles and --annotator with a name" in done.stderr
