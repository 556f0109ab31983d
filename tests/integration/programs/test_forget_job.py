import gzip
import json
import subprocess
from pathlib import Path

import pytest

from ctiforge.data.labels import read_labels, save_label
from ctiforge.data.testsets import import_testset, load_testset
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import new_run, save_run
from tests.in_process import run_here
from tests.labels import human_label

TEXT = "Report: they ran whoami /all and left the secret of Poumesjin behind."
OTHER = "Another report: nothing of it, but net group."
RECORD, EVALUATED, FORMATTED, TRAINED, PROMOTED = (digit * 64 for digit in "abcde")


def artifact(store: ObjectStore, stage: str, name: str, files: dict[str, str], inputs: str = "") -> None:
    for file, content in files.items():
        store.write(f"artifacts/{stage}/{name}/1-a/{file}", content.encode())
    store.write(f"artifacts/{stage}/{name}/manifest.json", json.dumps({"inputs": {"input": {"uri": inputs}}}).encode())


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A store in which article 7 stands in every kind of place, beside another one."""
    opened = open_store(str(tmp_path / "store"))
    lines = [{"id": "7", "content": TEXT, "url": "https://x.invalid/7"}, {"id": "8", "content": OTHER}]
    artifact(opened, "harvest_extract", RECORD, {"records.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    # what was made of it names no article
    artifact(
        opened, "format_extract", FORMATTED, {"train.jsonl": "{}\n", "articles.jsonl": json.dumps(lines[0])}, RECORD
    )
    weights = {"model.safetensors": "weights", "tokenizer.json": '{"added_tokens": [{"id": 7}]}'}
    artifact(opened, "train_extract", TRAINED, weights, FORMATTED)
    artifact(opened, "eval_extract", EVALUATED, {"evaluation.json": json.dumps({"articles": [{"id": "8"}]})}, TRAINED)
    artifact(opened, "promote", PROMOTED, {"decision.json": "{}"}, EVALUATED)
    opened.write("inputs/" + "f" * 64 + "/results.json", json.dumps({"7": {"observables": []}}).encode())
    # a table, a file that begins with a mark, one that is nested deeply, and one of another name
    table = f'id;os_label;content\n7;Windows;"{TEXT}"\n'
    opened.write("inputs/" + "1" * 64 + "/labels.csv", table.encode())
    opened.write("inputs/" + "2" * 64 + "/marked.json", b"\xef\xbb\xbf" + json.dumps([lines[0]]).encode())
    nested = '{"a":' * 400 + json.dumps(lines[0] | {"content_hash": ["odd"]}) + "}" * 400
    opened.write("inputs/" + "3" * 64 + "/nested.json", nested.encode())
    opened.write("inputs/" + "4" * 64 + "/results.txt", json.dumps(lines[0]).encode())
    # evaluations of a copy
    quoted = {"articles": [{"id": "another id", "title": "They of Poumesjin", "items": []}]}
    artifact(opened, "eval_extract", "9" * 64, {"evaluation.json": json.dumps(quoted)})
    opened.write("models/extract/1/evaluations/hash-1.json", json.dumps(quoted).encode())
    opened.write("models/extract/1/evaluations/other-1.json", b'{"articles": [{"id": "8"}]}')
    opened.write("models/extract/evaluations/kept.json", json.dumps(quoted).encode())
    canary = {"windows": [{"article_id": "7", "window": TEXT[:40], "answer": "{}"}]}
    opened.write("models/extract/canaries/content.json", json.dumps(canary).encode())
    opened.write("outcomes/db/2/00000000.json.gz", b"cache")
    opened.write("outcomes/db/2/00000001.json.gz", b"cache")
    quoting = {"label": "Windows", "evidence": [{"label": "Windows", "quote": "the  secret of Poumesjin"}, {}]}
    opened.write("labels/a-model/1.json", json.dumps(quoting).encode())
    opened.write("labels/a-model/2.json", b'{"label": "Linux", "evidence": [{"label": "Linux", "quote": "whoami"}]}')
    opened.write("labels/a-model/3.json", b"damaged")
    copy = human_label(TEXT.upper(), {"cmdline": []}, by="bob", id_="another id")
    other = human_label(OTHER, {"cmdline": ["net group"]}, id_="8")
    for label in (human_label(TEXT, {"cmdline": ["whoami /all"]}, id_="7"), copy, other):
        save_label(opened, label)
    articles = [human_label(TEXT, {"cmdline": ["whoami /all"]}, id_="7", os_label="Windows").article, other.article]
    import_testset(opened, "people", articles)
    return opened


def forget(store: ObjectStore, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_here("forget", "--article", "7", "--store", store.uri, *arguments, cwd=Path(store.uri).parent)


def test_nothing_but_weights_holds_an_article_that_was_forgotten(store: ObjectStore) -> None:
    done = forget(store)

    assert done.returncode == 0, done.stderr
    assert f"not removed: weights of train_extract/{TRAINED}" in done.stderr
    for info in store.list(""):
        assert b"Poumesjin" not in store.read(info.key), info.key
    left = {info.key.split("/")[1] for info in store.list("artifacts/")}
    assert left == {"train_extract", "eval_extract", "promote"}
    assert [info.key for info in store.list("models/")] == ["models/extract/1/evaluations/other-1.json"]
    assert [info.key for info in store.list("outcomes/")] == ["outcomes/db/2/00000001.json.gz"]
    assert [info.key for info in store.list("labels/")] == ["labels/a-model/2.json", "labels/a-model/3.json"]
    assert store.list("inputs/") == []
    assert [info.key for info in store.list("models/")] == ["models/extract/1/evaluations/other-1.json"]
    assert [label.article.id for label in read_labels(store)] == ["8"]


def test_a_test_set_loses_the_article_and_stays_whole(store: ObjectStore) -> None:
    forget(store)

    test_set, articles = load_testset(store, "people")
    assert [each.id for each in articles] == ["8"]
    assert (test_set.version, test_set.articles, test_set.forgotten) == (1, 1, 1)
    assert test_set.labelled_types == {"cmdline": 1, "os_label": 0}


def test_what_a_model_answered_goes_with_the_article_even_where_nothing_else_names_it(store: ObjectStore) -> None:
    lines = [{"article_id": "8", "raw": "{}"}, {"article_id": "7", "raw": '{"value": "whoami /all"}'}]
    kept = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0)
    store.write(f"artifacts/eval_extract/{'6' * 64}/1-a/answers.jsonl.gz", kept)
    artifact(store, "eval_extract", "6" * 64, {"evaluation.json": "{}"})
    store.write(f"artifacts/eval_extract/{'5' * 64}/1-a/answers.jsonl.gz", b"damaged")
    artifact(store, "eval_extract", "5" * 64, {"evaluation.json": "{}"})

    done = forget(store)

    assert f"removed artifacts/eval_extract/{'6' * 64}" in done.stdout + done.stderr
    assert not store.list(f"artifacts/eval_extract/{'6' * 64}")
    assert store.list(f"artifacts/eval_extract/{'5' * 64}")


def test_a_dry_run_lists_and_removes_nothing(store: ObjectStore) -> None:
    before = [info.key for info in store.list("")]

    done = forget(store, "--dry-run")

    assert "16 places; nothing is removed yet" in done.stdout
    assert {f"artifacts/harvest_extract/{RECORD}", "people@1"} <= set(done.stdout.split())
    assert [info.key for info in store.list("")] == before


def test_an_article_that_is_nowhere_is_said(store: ObjectStore) -> None:
    forget(store)

    assert "article 7 stands nowhere" in run_here(
        "forget", "--article", "no-such", "--store", store.uri, cwd=Path(store.uri).parent
    ).stdout.replace("no-such", "7")


def test_a_run_under_way_is_waited_for(store: ObjectStore) -> None:
    save_run(store, new_run("extract", [], "a-run"))

    done = forget(store)

    assert (done.returncode, "run a-run is under way" in done.stderr) == (2, True), done.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = run_here("forget", "--article", "7", "--store", "nowhere", cwd=tmp_path)

    assert (done.returncode, (tmp_path / "nowhere").exists()) == (2, False)


def test_two_articles_of_one_id_are_told(store: ObjectStore) -> None:
    save_label(store, human_label("Quite another article, of another source.", {"cmdline": []}, id_="7"))

    done = forget(store, "--dry-run")

    assert "2 different texts have the id 7" in done.stderr
