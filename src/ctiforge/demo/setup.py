"""Brings the demo up: server, corpus, test set; what is there already is left as it is."""

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctiforge.data.testsets import find_testset, import_testset
from ctiforge.demo.articles import ANNOTATOR, DemoCorpus, make_corpus
from ctiforge.demo.database import load_demo
from ctiforge.demo.postgres import start_postgres
from ctiforge.errors import UsageError
from ctiforge.store.objects import open_store

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

TEST_SET = "demo"
SEED = 0
MARK = "ctiforge demo "
"""Begins the comment on the demo's table of articles: tables without it are somebody's own."""


@dataclass(frozen=True)
class Demo:
    """A running demo: where its articles are, and the test set to evaluate on."""

    database_url: str
    test_set: str


def start_demo(folder: Path, store_uri: str) -> Demo:
    """Start the server in `folder` and bring the demo into it; see `load_demo_into`."""
    return load_demo_into(start_postgres(folder), store_uri)


def load_demo_into(database_url: str, store_uri: str) -> Demo:
    """Load the corpus into the database where it is not loaded, and register its test set in the store.

    The corpus is the same for one version of this package; another version's is replaced. Raises
    UsageError for a database whose tables hold something else.
    """
    corpus: DemoCorpus | None = None
    version = corpus_version()
    if _loaded_version(database_url) != version:
        corpus = make_corpus(SEED)
        _load(database_url, corpus, version)
    store = open_store(store_uri)
    test_set = find_testset(store, TEST_SET, note=version)
    if test_set is None:
        articles = (corpus or make_corpus(SEED)).test
        test_set = import_testset(store, TEST_SET, articles, ANNOTATOR, note=version)
    return Demo(database_url, f"{TEST_SET}@{test_set.version}")


def corpus_version() -> str:
    """Changes when the source that makes the corpus does."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()


def _loaded_version(database_url: str) -> str | None:
    """The version of the corpus that the tables hold; None where there are no tables."""
    with closing(_connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('articles') IS NOT NULL, obj_description(to_regclass('articles'))")
        there, comment = cursor.fetchone() or (False, None)
        if not there:
            return None
        if not (comment or "").startswith(MARK):
            raise UsageError("this database holds articles that are not the demo's: name another in DATABASE_URL")
        return str(comment).removeprefix(MARK)


def _load(database_url: str, corpus: DemoCorpus, version: str) -> None:
    with closing(_connect(database_url)) as connection:
        load_demo(connection, [*corpus.training, *corpus.test], SEED)
        with connection, connection.cursor() as cursor:
            cursor.execute("COMMENT ON TABLE articles IS %s", (MARK + version,))


def _connect(database_url: str) -> "Connection":
    import psycopg2

    try:
        return psycopg2.connect(database_url)
    except psycopg2.OperationalError as error:
        raise UsageError(f"the database does not answer: {str(error).splitlines()[0]}; check DATABASE_URL") from None
