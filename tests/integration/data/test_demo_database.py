import psycopg2
import pytest

from ctiforge.data.database import open_database
from ctiforge.data.near_duplicates import near_pairs_between
from ctiforge.demo.database import load_demo
from ctiforge.demo.os_articles import OsSizes, make_os_corpus
from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable

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


def test_os_articles_come_last_without_executions_and_change_nothing_before_them(database_url) -> None:
    corpus = make_os_corpus(5, find_evidence, OsSizes(training=6, test=6))
    connection = psycopg2.connect(database_url)
    load_demo(connection, make_records(30), seed=1)
    alone = dump(database_url)
    counts = load_demo(connection, make_records(30), 1, corpus)
    connection.close()

    with open_database(database_url) as database:
        best = list(database.articles_by_score(99.05, None))

    assert dump(database_url) == alone
    assert min(int(a.id) for a in best) > max(int(id_) for id_, *_ in alone)
    assert len(best) == counts.os_articles + counts.os_duplicates + counts.os_junk == 60 + 3 + 3
    assert {a.content for a in best} >= {r.content for r in (*corpus.training, *corpus.test)}
    # the rows that cost nothing but themselves
    assert sum(not (a.content or "").strip() for a in best) == 3


def test_copies_of_test_articles_lie_under_other_urls(database_url) -> None:
    corpus = make_os_corpus(5, find_evidence, OsSizes(training=6, test=6))
    connection = psycopg2.connect(database_url)
    load_demo(connection, [], 1, corpus)
    connection.close()

    with open_database(database_url) as database:
        best = [a for a in database.articles_by_score(99.05, None) if (a.content or "").strip()]
    own = {r.url for r in (*corpus.training, *corpus.test)}
    copies = [a.content for a in best if a.url not in own]

    assert len(copies) == 3
    assert len(near_pairs_between(copies, [r.content for r in corpus.test])) == 3
    assert near_pairs_between(copies, [r.content for r in corpus.training]) == {}
