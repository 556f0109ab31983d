import json
import os
import signal
import subprocess
import sys

import psycopg2
import pytest

from ctiforge.data.database import DatabaseError, open_database, read_article
from ctiforge.errors import DataError, UsageError


def insert(url: str, rows: list[tuple[int, str | None, str, object]], metadata: str | None = None) -> None:
    """Rows of (article id, content, status, extraction_result)."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO sources VALUES (1, 's', 's', 's') ON CONFLICT DO NOTHING")
        for id_, content, status, result in rows:
            cursor.execute(
                "INSERT INTO articles (id, source_id, canonical_url, title, published_at, content, article_metadata) "
                "VALUES (%s, 1, %s, 'T', now(), %s, %s) ON CONFLICT DO NOTHING",
                (id_, f"https://x.invalid/{id_}", content, metadata),
            )
            cursor.execute(
                "INSERT INTO agentic_workflow_executions (article_id, status, extraction_result, completed_at) "
                "VALUES (%s, %s, %s, '2026-01-01')",
                (id_, status, json.dumps(result)),
            )
    connection.close()


WAITING = """
DO $$ BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'articles'::regclass);
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$
"""
"""Waits until somebody waits for the articles."""
RESULT = {"observables": [{"type": "cmdline", "value": "whoami"}]}


def test_articles_come_by_id_with_all_their_executions(database_url) -> None:
    insert(
        database_url, [(9, "nine", "completed", RESULT), (2, "two", "failed", None), (2, "two", "completed", RESULT)]
    )

    with open_database(database_url) as database:
        articles = list(database.articles())

    assert [(a.id, a.content, [e.status for e in a.executions]) for a in articles] == [
        ("2", "two", ["failed", "completed"]),
        ("9", "nine", ["completed"]),
    ]
    assert articles[1].executions[0].finished_at.startswith("2026-01-01")


def test_filters_are_the_databases_work(database_url) -> None:
    insert(database_url, [(1, "one", "completed", RESULT), (2, "two", "failed", RESULT)])

    with open_database(database_url) as database:
        assert [a.id for a in database.articles(["failed"])] == ["2"]
        assert [a.id for a in database.articles(since="2026-01-02")] == []
        assert [a.id for a in database.articles(["completed"], "2025-12-31")] == ["1"]
        assert [a.id for a in database.articles(["x'; DROP TABLE articles; --"])] == []


@pytest.mark.parametrize(
    ("metadata", "score"),
    [(None, None), ("[1]", None), ('{"threat_hunting_score": "high"}', None), ('{"threat_hunting_score": 88.5}', 88.5)],
)
def test_hunt_scores_of_a_json_column(database_url, metadata, score) -> None:
    insert(database_url, [(1, "one", "completed", RESULT)], metadata)

    with open_database(database_url) as database:
        assert next(database.articles()).hunt_score == score


def test_the_transaction_is_read_only(database_url) -> None:
    with (
        open_database(database_url) as database,
        database._connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.ReadOnlySqlTransaction),
    ):
        cursor.execute("DELETE FROM articles")


def test_a_lost_connection_is_one_line(database_url) -> None:
    insert(database_url, [(n, "x" * 20_000, "completed", RESULT) for n in range(200)])
    killer = psycopg2.connect(database_url)

    with open_database(database_url) as database:
        articles = database.articles()
        next(articles)
        with killer, killer.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ctiforge'")
        with pytest.raises(DatabaseError, match="the database stopped answering") as error:
            list(articles)
    killer.close()

    assert "\n" not in str(error.value)
    assert error.value.exit_code == 1


def test_no_password_is_ever_shown(database_url) -> None:
    url = database_url.replace("ctiforge:", "ctiforge:wrong-").replace("of_a_test", "other")
    password = url.split(":")[2].split("@")[0]

    for bad in (url, url.replace("127.0.0.1", "127.0.0.1:1").split("/other")[0], f"postgresql://u:{password}@[::bad/x"):
        with pytest.raises((DatabaseError, UsageError)) as error, open_database(bad):
            pass
        assert password not in str(error.value)
        assert "\n" not in str(error.value)


def test_other_tables_and_bad_dates_are_usage_errors(postgres_server, database_url) -> None:
    with open_database(postgres_server) as database, pytest.raises(UsageError, match="application's tables"):
        list(database.articles())
    with open_database(postgres_server) as database, pytest.raises(UsageError, match="application's tables"):
        list(database.articles_by_score(80, 200))
    with open_database(database_url) as database, pytest.raises(UsageError, match="--since"):
        list(database.articles(since="yesterdayish"))


def score(url: str, scores: dict[int, str | None]) -> None:
    """Articles with this text as metadata."""
    for id_, metadata in scores.items():
        insert(url, [(id_, f"text {id_}", "completed", RESULT)], metadata)


def test_articles_come_by_score_then_id(database_url) -> None:
    told = {1: "80", 2: '"85.5"', 3: "99", 4: '" 99.0 "', 5: "1e2", 6: "79.9", 7: "-90", 8: '"+81."'}
    score(database_url, {id_: f'{{"threat_hunting_score": {text}}}' for id_, text in told.items()})

    with open_database(database_url) as database:
        everything = list(database.articles_by_score(80, None))
        best = list(database.articles_by_score(80.0, 2))

    assert [(a.id, a.hunt_score) for a in everything] == [
        ("5", 100.0),
        ("3", 99.0),
        ("4", 99.0),
        ("2", 85.5),
        ("8", 81.0),
        ("1", 80.0),
    ]
    assert [(a.id, a.content, a.executions) for a in best] == [("5", "text 5", []), ("3", "text 3", [])]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "null",
        "[85]",
        "85",
        '"85"',
        "{}",
        *(
            f'{{"threat_hunting_score": {value}}}'
            for value in (
                "null",
                "true",
                '""',
                '"unknown"',
                '"NaN"',
                '"Infinity"',
                '"85,5"',
                '"0x55"',
                '"٨٥"',
                "1e999",
                "1e-999999999999",
                '"8\\u00005"',
                '"9" , "other": "x", "threat_hunting_score": "none"',
                "[90]",
                '{"threat_hunting_score": 90}',
                "9" * 400,
            )
        ),
    ],
)
def test_a_score_that_is_no_number_never_matches_and_never_raises(database_url, metadata: str | None) -> None:
    score(database_url, {1: metadata, 2: '{"threat_hunting_score": 90}'})

    with open_database(database_url) as database:
        assert [a.id for a in database.articles_by_score(-1e9, None)] == ["2"]


@pytest.mark.parametrize("other", [r"a\u0000b", r"\ud800", r"C:\\users\\u0041", r"\"", r"\ud83d\ude00"])
def test_a_score_is_read_whatever_else_the_metadata_holds(database_url, other: str) -> None:
    score(database_url, {1: f'{{"title": "{other}", "threat_hunting_score": 90}}'})

    with open_database(database_url) as database:
        assert [a.id for a in database.articles_by_score(80, None)] == ["1"]


@pytest.mark.parametrize("other", [r"a\u0000b", r"\ud800"])
def test_a_harvest_reads_an_article_whatever_its_metadata_holds(database_url, other: str) -> None:
    insert(
        database_url,
        [(1, "text", "completed", RESULT), (2, "text", "completed", RESULT)],
        f'{{"title": "{other}", "threat_hunting_score": 90}}',
    )

    with open_database(database_url) as database:
        assert [a.hunt_score for a in database.articles()] == [90, 90]
        assert database.articles_by_id([2])[2].hunt_score == 90


def test_one_article_by_id(database_url) -> None:
    insert(database_url, [(1, "text of it", "completed", RESULT), (2, None, "completed", RESULT)])

    assert read_article(database_url.replace("postgresql://", "postgresql+psycopg2://"), "1").content == "text of it"
    with pytest.raises(UsageError, match="no such article"):
        read_article(database_url, "99999999999999")
    with pytest.raises(UsageError, match="whole numbers"):
        read_article(database_url, "1 OR 1=1")
    with pytest.raises(UsageError, match="DATABASE_URL"):
        read_article(None, "1")
    with pytest.raises(DataError, match="no content"):
        read_article(database_url, "2")


@pytest.mark.parametrize("reading", ["articles()", "articles_by_score(80, None)"])
def test_memory_does_not_grow_with_long_articles(database_url, reading: str) -> None:
    rows = [(n, f"{n} " + "x" * 5_000_000, "completed", RESULT) for n in range(30)]
    insert(database_url, rows, '{"threat_hunting_score": 90}')
    program = (
        "import os, re\n"
        "from ctiforge.data.database import open_database\n"
        "with open_database(os.environ['URL']) as database:\n"
        f"    read = sum(len(article.content) for article in database.{reading})\n"
        # its own peak: getrusage would show that of the process it was forked from
        "print(read, int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"URL": database_url}, capture_output=True)
    read, megabytes = map(int, done.stdout.split())

    assert read > 150_000_000
    assert megabytes < 120


@pytest.mark.parametrize("reading", ["count_executions", "articles"])
def test_a_signal_is_heard_while_a_table_is_locked(database_url, reading: str) -> None:
    insert(database_url, [(1, "one", "completed", RESULT)])
    program = (
        "import os\nfrom ctiforge.data.database import open_database\nfrom ctiforge.pod.entry import exit_on_error\n"
        "def read():\n    with open_database(os.environ['URL']) as database:\n"
        f"        found = database.{reading}()\n        print(found if isinstance(found, int) else list(found))\n"
        "exit_on_error(read)\n"
    )
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE articles IN ACCESS EXCLUSIVE MODE")
        reader = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "URL": database_url})
        cursor.execute("SET statement_timeout = '30s'")
        cursor.execute(WAITING)
        reader.send_signal(signal.SIGTERM)
        assert reader.wait(timeout=30) == 75
    connection.close()
