"""What was read of executions is kept in the store, and read again only where a row has changed."""

import json

import psycopg2
import pytest

from ctiforge.data import database as module
from ctiforge.data.articles import Article
from ctiforge.data.database import open_database
from ctiforge.store.objects import ObjectStore, open_store
from tests.integration.data.test_database import insert

RESULT = {
    "observables": [{"type": "cmdline", "value": "whoami", "platform": "Linux"}],
    "subresults": {"cmdline": {"items": [{"value": "whoami", "model_version": "m"}], "raw": {}}, "x": {"items": []}},
}


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """The executions whose results were asked of the server."""
    found: list[int] = []
    real = module.Database._read_batch

    def read(self, *arguments):
        batch = real(self, *arguments)
        found.extend(row[0] for row in batch.executions)
        return batch

    monkeypatch.setattr(module.Database, "_read_batch", read)
    return found


def read(url: str, store: ObjectStore | None) -> list[Article]:
    with open_database(url) as database:
        return list(database.articles(cache_in=store))


def change(url: str, result: str) -> None:
    """Write another result into execution 1."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE agentic_workflow_executions SET extraction_result = %s WHERE id = 1", (result,))
    connection.close()


def test_a_second_harvest_reads_what_is_new_and_gives_the_same(database_url, store, asked) -> None:
    insert(database_url, [(1, "one", "completed", RESULT), (1, "one", "failed", None), (1200, "two", "completed", {})])
    plain = read(database_url, None)
    asked.clear()

    assert read(database_url, store) == plain
    assert sorted(asked) == [1, 2, 3]
    asked.clear()
    assert read(database_url, store) == plain
    assert asked == []

    insert(database_url, [(1, "one", "completed", RESULT), (7, "new", "completed", RESULT)])
    assert read(database_url, store) == read(database_url, None)
    assert sorted(set(asked[:2])) == [4, 5]


def test_a_row_that_was_written_again_is_read_again(database_url, store, asked) -> None:
    insert(database_url, [(1, "one", "running", RESULT), (2, "two", "completed", RESULT)])
    read(database_url, store)
    asked.clear()
    change(database_url, json.dumps({"observables": [{"type": "cmdline", "value": "id"}]}))

    articles = read(database_url, store)

    assert asked == [1]
    assert [o.value for o in articles[0].executions[0].outcome.observables] == ["id"]


def test_a_damaged_part_and_another_reader_cost_time_alone(database_url, store, asked, monkeypatch) -> None:
    insert(database_url, [(1, "one", "completed", RESULT)])
    plain = read(database_url, store)
    (key,) = [each.key for each in store.list("outcomes/")]
    store.write(key, b"damaged")

    assert read(database_url, store) == plain
    monkeypatch.setattr("ctiforge.data.outcome_cache.READER", 99)
    asked.clear()
    assert read(database_url, store) == plain
    assert asked == [1]


def test_a_filter_reads_and_keeps_its_part(database_url, store, asked) -> None:
    insert(database_url, [(1, "one", "completed", RESULT), (2, "two", "failed", RESULT)])

    with open_database(database_url) as database:
        assert [a.id for a in database.articles(["failed"], cache_in=store)] == ["2"]
    read(database_url, store)

    assert asked == [2, 1]
