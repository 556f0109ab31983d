import psycopg2
import pytest

from ctiforge.data.database import open_database
from ctiforge.data.records import ArticleRecord
from ctiforge.demo.database import load_demo
from ctiforge.observables import Observable

TYPES = ("cmdline", "registry")


def make_records(count: int) -> list[ArticleRecord]:
    return [
        ArticleRecord(
            id=str(n),
            url=f"https://demo.invalid/{n}",
            content=f"Report {n}: they ran whoami /user:{n}",
            content_hash="",
            observables=(Observable(type="cmdline", value=f"whoami /user:{n}"),),
            labelled_types=TYPES,
        )
        for n in range(count)
    ]


def dump(url: str) -> list[tuple]:
    with open_database(url) as database:
        return [
            (a.id, a.url, a.title, a.content, [(e.status, e.outcome) for e in a.executions])
            for a in database.articles()
        ]


def test_every_record_is_there_in_one_of_five_generations(database_url) -> None:
    connection = psycopg2.connect(database_url)
    counts = load_demo(connection, make_records(100), seed=1)
    connection.close()

    articles = dump(database_url)
    found = {o.value for a in articles for _, outcome in a[4] for o in outcome.observables}
    generations = {outcome.generation for a in articles for _, outcome in a[4]}

    assert found == {f"whoami /user:{n}" for n in range(100)}
    assert generations == {"G1", "G2", "G3", "G4", "G5", None}
    assert counts.articles == len(articles) == 100 + counts.duplicates + counts.junk
    assert min(counts.retried, counts.failed_sub_results, counts.parse_failures, counts.duplicates) > 0


@pytest.mark.parametrize("seed", [0, 7])
def test_loading_again_gives_the_same_rows(database_url, seed: int) -> None:
    connection = psycopg2.connect(database_url)
    load_demo(connection, make_records(30), seed)
    first = dump(database_url)
    load_demo(connection, make_records(30), seed)
    connection.close()

    assert dump(database_url) == first
