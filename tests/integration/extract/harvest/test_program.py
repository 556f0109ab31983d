import json
import os
import random
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from ctiforge.demo.database import load_demo
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.observable import TYPES, Observable
from ctiforge.store.objects import open_store
from tests.in_process import run_here

JOBS = Path(__file__).parents[4] / "jobs"


def run(program: str, *arguments: str, url: str | None = None, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"COLUMNS": "150", "CTIFORGE_SCRATCH": str(cwd / "scratch")} | ({"DATABASE_URL": url} if url else {})
    return run_here(program, *arguments, cwd=cwd, environment=environment)


def make_text(seed: int) -> str:
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(150)]
    return " ".join(words) + f". They ran whoami /user:{seed} on every host."


def make_records(count: int) -> list[ArticleRecord]:
    return [
        ArticleRecord(
            id=str(n),
            url=f"https://demo.invalid/{n}",
            title=f"Report {n}",
            content=make_text(n),
            content_hash="",
            observables=(Observable(type="cmdline", value=f"whoami /user:{n}", platform="Windows"),) if n % 4 else (),
            labelled_types=("cmdline", "registry"),
        )
        for n in range(count)
    ]


def fill(url: str, records: list[ArticleRecord]) -> None:
    connection = psycopg2.connect(url)
    load_demo(connection, records, seed=3)
    connection.close()


@pytest.fixture
def demo_url(database_url: str) -> str:
    fill(database_url, make_records(160))
    return database_url


def test_a_database_is_harvested_into_records_and_a_report(demo_url, tmp_path) -> None:
    done = run("harvest_extract", "--from-database", "--output", "out", url=demo_url, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    records = read_records(tmp_path / "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["kept"] == len(records)
    assert report["read"] == report["kept"] + sum(report["excluded"].values())
    assert report["positives"] == 120
    assert set(report["generations"]) == {"G1", "G2", "G3", "G4", "G5"}
    for reason in ("no content", "duplicate of another article", "extraction_result is a string"):
        assert report["excluded"][reason] > 0
        assert reason in done.stdout
    assert "are recommended" in done.stdout


def test_insertion_order_changes_no_byte(database_url, tmp_path) -> None:
    fill(database_url, make_records(130))
    first = run("harvest_extract", "--from-database", "--output", "a", url=database_url, cwd=tmp_path)
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        # the same rows, physically in another order
        cursor.execute(
            "CREATE TEMP TABLE a AS SELECT * FROM articles;"
            "CREATE TEMP TABLE e AS SELECT * FROM agentic_workflow_executions;"
            "TRUNCATE articles, agentic_workflow_executions;"
            "INSERT INTO articles SELECT * FROM a ORDER BY md5(id::text);"
            "INSERT INTO agentic_workflow_executions SELECT * FROM e ORDER BY md5(id::text)"
        )
    connection.close()
    second = run("harvest_extract", "--from-database", "--output", "b", url=database_url, cwd=tmp_path)

    assert (first.returncode, second.returncode) == (0, 0)
    for name in ("records.jsonl", "report.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_fingerprint_is_that_of_the_output(demo_url, tmp_path) -> None:
    flags = ("--from-database", "--store", "store")
    first, second = (run("harvest_extract", *flags, url=demo_url, cwd=tmp_path) for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0)
    assert len(list((tmp_path / "store/artifacts/harvest_extract").iterdir())) == 1


def test_files_get_their_contents_from_the_database(demo_url, tmp_path) -> None:
    # every type is labeled, so that of the two copies of the article the file's is the better
    found = {"registry": {"items": ["HKLM\\A"]}}
    result = {"observables": [], "subresults": {t: {"items": [], "raw": {}} for t in TYPES} | found}
    newest = result | {"completed_at": "2030"}
    (tmp_path / "lmstudio_extract_x.json").write_text(json.dumps({"1": [newest], "99999": [result]}))
    (tmp_path / "cut.json").write_text('{"1":')
    flags = ("--from-database", "--auto-find-json", "--json-files", "cut.json", "--output", "out", "--force")

    done = run("harvest_extract", *flags, url=demo_url, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert list(report["files_set_aside"].values()) == ["not JSON, or cut off"]
    first = next(r for r in read_records(tmp_path / "out") if r.id == "1")
    assert [o.value for o in first.observables] == ["HKLM\\A"]
    assert first.content == make_text(0)


def test_files_alone_get_their_contents_from_the_database_that_is_named(demo_url, tmp_path) -> None:
    result = {"observables": [{"type": "registry", "value": "HKLM\\A"}], "raw_response": "{}"}
    (tmp_path / "x.json").write_text(json.dumps({"1": [result]}))

    done = run("harvest_extract", "--json-files=x.json", "--output=out", "--force", url=demo_url, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert [r.content for r in read_records(tmp_path / "out")] == [make_text(0)]


def test_a_file_in_the_store_is_harvested_like_one_on_this_machine(s3_server, s3_bucket, tmp_path, monkeypatch) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    result = {"observables": [{"type": "registry", "value": "HKLM\\A"}], "raw_response": "{}"}
    entry = {"article_id": 7, "content": make_text(7), "extraction_result": result}
    (tmp_path / "good.json").write_text(json.dumps([entry]))
    (tmp_path / "cut.json").write_text('{"1":')
    store = open_store(s3_bucket)
    for name in ("good.json", "cut.json"):
        store.upload(tmp_path / name, f"inputs/{name}")
    for output, place in (("here", "."), ("there", f"{s3_bucket}/inputs")):
        flags = (f"--json-files={place}/good.json", f"--json-files={place}/cut.json", f"--output={output}", "--force")
        done = run("harvest_extract", *flags, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    assert (tmp_path / "here/records.jsonl").read_bytes() == (tmp_path / "there/records.jsonl").read_bytes()
    report = json.loads((tmp_path / "there/report.json").read_text())
    assert report["files_set_aside"] == {f"{s3_bucket}/inputs/cut.json": "not JSON, or cut off"}


@pytest.mark.parametrize("flags", [("--store=.ctiforge/store",), ()], ids=["a store is named", "none is"])
def test_test_sets_and_their_near_duplicates_are_left_out(demo_url, tmp_path, flags: tuple[str, ...]) -> None:
    rows = [
        {"id": f"t{n}", "content": make_text(n) + " A tail.", "labelled_types": ["cmdline"], "truth": {"cmdline": []}}
        for n in range(1, 11)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    imported = run("testset", "import", "t.jsonl", "--name=real", "--annotator=ann", cwd=tmp_path)

    done = run("harvest_extract", "--from-database", *flags, "--output=out", url=demo_url, cwd=tmp_path)

    assert (imported.returncode, done.returncode) == (0, 0), imported.stderr + done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["excluded"]["in test set real@1, or near to it"] >= 10
    assert {make_text(n) for n in range(1, 11)}.isdisjoint(r.content for r in read_records(tmp_path / "out"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "nothing to read"),
        (("--from-database",), 2, "set DATABASE_URL"),
        (("--check",), 2, "set DATABASE_URL to postgresql://"),
        (("--json-files=missing.json",), 2, "no such file"),
        (("--json-files=empty.json",), 3, "0 articles kept, 100 are the minimum"),
        (("--auto-find-json",), 2, "found none"),
        (("--json-files=empty.json", "--exclude-urls=missing"), 2, "--exclude-urls missing"),
        (("--json-files=empty.json", "--test-set=x"), 2, "no test set x: the store .ctiforge/store is not there"),
        (("--json-files=empty.json", "--negative-ratio=1"), 2, ""),
    ],
)
def test_wrong_use_is_said_in_one_line(tmp_path, arguments, code: int, words: str) -> None:
    (tmp_path / "empty.json").write_text("[]")

    done = run("harvest_extract", "--output=out", *arguments, cwd=tmp_path)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_database_gone_mid_harvest_leaves_nothing_half_written(demo_url, tmp_path) -> None:
    # the moment the program reads, its connection is ended by the server
    (tmp_path / "sitecustomize.py").write_text(
        "import ctiforge.data.database as d, psycopg2, os\n"
        "read = d.Database.articles\n"
        "def articles(self, *args):\n"
        "    for number, article in enumerate(read(self, *args)):\n"
        "        yield article\n"
        "        if number == 3:\n"
        "            other = psycopg2.connect(os.environ['DATABASE_URL'])\n"
        "            other.autocommit = True\n"
        "            other.cursor().execute('SELECT pg_terminate_backend(pid) FROM pg_stat_activity '\n"
        "                \"WHERE application_name = 'ctiforge'\")\n"
        "d.Database.articles = articles\n"
    )
    environment = os.environ | {
        "DATABASE_URL": demo_url,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])),
        "CTIFORGE_SCRATCH": str(tmp_path / "s"),
    }
    command = [sys.executable, str(JOBS / "harvest_extract.py"), "--from-database", "--output=out", "--store=store"]

    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert done.returncode == 1
    assert "error: the database stopped answering" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "store").rglob("*.json"))


def test_a_review_file_becomes_a_test_set(demo_url, tmp_path) -> None:
    made = run("testset", "create", "--output=review.jsonl", "--size=20", url=demo_url, cwd=tmp_path)
    again = run("testset", "create", "--output=review.jsonl", url=demo_url, cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "review.jsonl").read_text().splitlines()]
    unsigned = run("testset", "import", "review.jsonl", "--name=real", "--store=store", cwd=tmp_path)
    (tmp_path / "review.jsonl").write_text("".join(json.dumps(row | {"annotator": "ann"}) + "\n" for row in rows))
    signed = run("testset", "import", "review.jsonl", "--name=real", "--store=store", cwd=tmp_path)
    listed = run("testset", "list", "--store=store", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    assert len(rows) == 20
    items = [item for row in rows for item in row["observables"]]
    assert items
    assert all(item["value"] in item["evidence"] for item in items)
    assert all(row["annotator"] == "" and row["labelled_types"] for row in rows)
    assert (again.returncode, unsigned.returncode, signed.returncode) == (2, 3, 0)
    assert "names no annotator" in unsigned.stderr
    assert "real@1" in listed.stdout
    assert "ann" in listed.stdout


def test_a_models_harvest_is_never_truth(demo_url, tmp_path) -> None:
    harvested = run("harvest_extract", "--from-database", "--output=out", url=demo_url, cwd=tmp_path)
    done = run("testset", "import", "out/records.jsonl", "--name=real", "--annotator=a", "--store=s", cwd=tmp_path)

    assert (harvested.returncode, done.returncode) == (0, 3)
    assert "labeled by a model" in done.stderr
