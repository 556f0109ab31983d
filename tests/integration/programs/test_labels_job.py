import json
import subprocess
from pathlib import Path

import psycopg2
import pytest

from ctiforge.data.labels import read_labels
from ctiforge.records.article import read_records
from ctiforge.store.objects import open_store
from tests.in_process import run_here

TEXT = "Report {n}: the actor ran whoami /all and set HKLM\\Software\\Run{n}, then moved on to host {n}."
_TABLES = """
CREATE TABLE article_annotations (
    id serial PRIMARY KEY, article_id integer NOT NULL, user_id integer, annotation_type varchar(20) NOT NULL,
    selected_text text NOT NULL, start_position integer NOT NULL, end_position integer NOT NULL,
    usage varchar(20) NOT NULL DEFAULT 'train', created_at timestamp NOT NULL DEFAULT now());
CREATE TABLE subagent_evaluations (
    id serial PRIMARY KEY, subagent_name varchar(50) NOT NULL, article_url text NOT NULL, article_id integer,
    expected_count integer NOT NULL, expected_items jsonb, actual_items jsonb, workflow_execution_id integer,
    status varchar(50));
"""


def text(n: int) -> str:
    return TEXT.format(n=n) + f" Detail {n} {'of nothing else ' * n}"


def run(
    *arguments: str, cwd: Path, url: str | None = None, program: str = "labels"
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "", "HOME": str(cwd)} | ({"DATABASE_URL": url} if url else {})
    store = ("--store", "store") if program != "harvest_extract" else ()
    return run_here(program, *arguments, *store, cwd=cwd, environment=environment)


def review_line(n: int, by: str = "ann", **changes) -> dict:
    found = [{"type": "cmdline", "value": "whoami /all"}]
    line = {"id": str(n), "content": text(n), "annotator": by, "labelled_types": ["cmdline"], "observables": found}
    return line | changes


def write(folder: Path, *lines: dict) -> str:
    (folder / "review.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return "review.jsonl"


@pytest.fixture
def application(database_url: str) -> str:
    """A database of three articles of which people said something; the second has changed since."""
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
        cursor.execute("INSERT INTO sources (identifier, name, url) VALUES ('s', 'S', 'https://s.invalid')")
        for n in (1, 2, 3):
            cursor.execute(
                "INSERT INTO articles (source_id, canonical_url, title, published_at, content) "
                "VALUES (1, %s, 'T', now(), %s)",
                (f"https://s.invalid/{n}", text(n)),
            )
        annotate = (
            "INSERT INTO article_annotations (article_id, user_id, annotation_type, selected_text, start_position, "
            "end_position, usage) VALUES (%s, %s, %s, %s, %s, %s, %s)"
        )
        cursor.execute(annotate, (1, 4, "cmd", "whoami /all", 0, 5, "train"))
        cursor.execute(annotate, (2, None, "reg", "HKLM\\Software\\Gone", 0, 5, "train"))
        cursor.execute(annotate, (3, 4, "process", "cmd.exe", 0, 5, "gold"))
        expect = (
            "INSERT INTO subagent_evaluations (subagent_name, article_url, article_id, expected_count, expected_items) "
            "VALUES (%s, %s, %s, %s, %s)"
        )
        cursor.execute(expect, ("CmdlineExtract", "https://s.invalid/2", 2, 1, '["whoami /all"]'))
        cursor.execute(expect, ("RegistryExtract", "https://s.invalid/3", None, 0, "[]"))
        cursor.execute(expect, ("RegistryExtract", "https://s.invalid/1", 1, 2, None))
    connection.close()
    return database_url


def test_what_people_said_in_the_application_reaches_the_registry(tmp_path: Path, application: str) -> None:
    done = run("import", "--from-database", cwd=tmp_path, url=application)

    assert done.returncode == 0, done.stderr
    assert "3 labels new" in done.stdout
    for reason in (
        "registry: annotations that stand nowhere in the text, which has changed since: 1",
        "annotations of type process: no type of ours: 1",
        "registry: expected items of which only a count is known: 1",
    ):
        assert f"left out: {reason}" in done.stderr
    labels = {each.article.id: each for each in read_labels(open_store(str(tmp_path / "store")))}
    assert [o.value for o in labels["1"].positives] == ["whoami /all"]
    assert {id_: labels[id_].article.labelled_types for id_ in "123"} == {
        "1": (),
        "2": ("cmdline",),
        "3": ("registry",),
    }
    assert "3 labels known already" in run("import", "--from-database", cwd=tmp_path, url=application).stdout


def test_an_application_without_such_tables_has_no_label(tmp_path: Path, database_url: str) -> None:
    done = run("import", "--from-database", cwd=tmp_path, url=database_url)

    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "no label of ours" in done.stderr


def test_a_harvest_learns_from_the_registry_and_from_no_drawn_article(tmp_path: Path) -> None:
    lines = [review_line(n) for n in range(6)]
    lines[5] |= {"observables": [], "labelled_types": ["cmdline", "registry"]}
    assert run("import", write(tmp_path, *lines), cwd=tmp_path).returncode == 0

    drawn = run("draw", "--name", "people", "--size", "2", cwd=tmp_path, program="testset")
    (tmp_path / "results.json").write_text("[]")
    harvested = run(
        *("--json-files", "results.json", "--output", "out", "--force", "--store", "store"),
        cwd=tmp_path,
        program="harvest_extract",
    )

    assert drawn.returncode == 0, drawn.stderr
    assert "people@1" in drawn.stdout
    assert harvested.returncode == 0, harvested.stderr
    records = read_records(tmp_path / "out")
    assert {each.labelled_by for each in records} == {"human"}
    (path,) = (tmp_path / "store" / "testsets" / "people" / "1").glob("testset.jsonl")
    test_ids = {each.id for each in read_records(path)}
    assert len(test_ids) == 2
    assert test_ids | {each.id for each in records} == set("012345")
    assert test_ids.isdisjoint(each.id for each in records)


def test_two_people_are_compared_with_the_items(tmp_path: Path) -> None:
    found = [{"type": "cmdline", "value": "whoami /all"}, {"type": "cmdline", "value": "net group"}]
    run("import", write(tmp_path, review_line(1), review_line(1, "bob", observables=found)), cwd=tmp_path)

    done = run("agreement", "ann", "Bob", cwd=tmp_path)
    listed = run("list", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "0.667" in done.stdout
    assert "net group" in done.stdout
    assert listed.returncode == 0, listed.stderr
    assert "people contradict each other: 1: cmdline" in listed.stdout


def test_an_export_of_label_studio_and_a_changed_text_are_told(tmp_path: Path) -> None:
    run("import", write(tmp_path, review_line(1, url="https://s.invalid/1")), cwd=tmp_path)
    span = {"type": "labels", "value": {"start": 0, "end": 1, "text": "whoami /all", "labels": ["cmdline"]}}
    task = {"id": 9, "data": {"text": text(2), "url": "https://s.invalid/1"}, "annotations": [{"result": [span]}]}
    (tmp_path / "export.json").write_text(json.dumps([task]), encoding="utf-8")

    done = run("import", "export.json", "--looked-at", "cmdline", "--annotator", "bob", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "labeled with another text before, both are kept: 9" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "give one of the two"),
        (("missing.jsonl",), 2, "there is no such file"),
        (("other.json",), 3, "no export of Label Studio"),
        (("foreign.json",), 3, "is it another project's"),
        (("broken.jsonl",), 3, "line 1: not JSON"),
        (("half.json",), 3, "half.json is no JSON that can be read"),
        (("pretty.json",), 3, "no export of Label Studio"),
        (("labels.csv",), 3, "is a table, which holds no texts"),
        (("foreign.json", "--looked-at", "commands"), 2, "there is no such type"),
    ],
)
def test_what_cannot_be_imported_is_one_line(tmp_path: Path, arguments, code, says) -> None:
    (tmp_path / "other.json").write_text('[{"id": 1, "content": "x"}]')
    foreign = [
        {"id": 1, "data": {"text": "x y"}, "annotations": [{"result": [{"value": {"text": "x", "labels": ["PER"]}}]}]}
    ]
    (tmp_path / "foreign.json").write_text(json.dumps(foreign))
    (tmp_path / "broken.jsonl").write_text("{")
    (tmp_path / "half.json").write_text('[{"annotations": [')
    (tmp_path / "pretty.json").write_text(json.dumps(review_line(1), indent=1))
    (tmp_path / "labels.csv").write_text("id,os_label,annotator\n1,Windows,ann\n")

    done = run("import", *arguments, cwd=tmp_path)

    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert says in done.stderr


def test_a_registry_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    assert "ctiforge labels import" in run("list", cwd=tmp_path).stdout
    assert not (tmp_path / "store").exists()
    assert "there are: nobody yet" in run("agreement", "ann", "bob", cwd=tmp_path).stderr


def test_a_line_with_types_that_there_are_not_spoils_no_test_set(tmp_path: Path) -> None:
    odd = review_line(1, labelled_types=["Command Lines", "bogus", "services"])
    odd["observables"] = [
        {"type": "command_line", "value": "whoami /all"},
        {"type": "bogus", "value": "x"},
        {"type": "services", "value": " "},
    ]

    done = run("import", write(tmp_path, odd, review_line(2)), cwd=tmp_path)
    drawn = run("draw", "--name", "people", cwd=tmp_path, program="testset")

    assert done.returncode == 0, done.stderr
    for reason in (
        "labelled_types that are none of ours (bogus): 1",
        "items of no type of ours (bogus): 1",
        "services: items without a value: 1",
    ):
        assert f"left out: {reason}" in done.stderr
    assert drawn.returncode == 0, drawn.stderr
    labels = {each.article.id: each for each in read_labels(open_store(str(tmp_path / "store")))}
    # a service that somebody began to write is not "there is none"
    assert labels["1"].article.labelled_types == ("cmdline",)
    assert [o.type for o in labels["1"].article.observables] == ["cmdline"]
    assert labels["1"].positives == ()


def test_importing_again_changes_nothing_also_where_one_person_speaks_twice(tmp_path: Path) -> None:
    lines = (review_line(1, observables=[]), review_line(1))
    first = run("import", write(tmp_path, *lines), "--usage", "eval", cwd=tmp_path)
    again = run("import", "review.jsonl", cwd=tmp_path)
    # what was labeled for evaluation once is never learnt from
    later = run("import", "review.jsonl", "--usage", "train", cwd=tmp_path)

    assert "1 labels new" in first.stdout
    for done in (again, later):
        assert done.stdout.endswith(": 1 labels known already\n"), done.stdout
    (label,) = read_labels(open_store(str(tmp_path / "store")))
    assert (label.usage, len(label.article.observables)) == ("eval", 1)


def test_an_export_of_one_task_is_read(tmp_path: Path) -> None:
    span = {"type": "labels", "value": {"text": "whoami /all", "labels": ["cmdline"]}}
    task = {"id": 9, "data": {"text": text(2)}, "annotations": [{"result": [span]}]}
    (tmp_path / "one.json").write_text(json.dumps(task, indent=1), encoding="utf-8")

    assert "1 labels new" in run("import", "one.json", cwd=tmp_path).stdout
