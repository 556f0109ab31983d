"""Brings the demo up: server, corpus, test set; what is there already is left as it is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ctiforge.data.testsets import find_testset, import_testset
from ctiforge.demo.articles import ANNOTATOR, DemoCorpus, make_corpus
from ctiforge.demo.database import load_demo
from ctiforge.demo.postgres import start_postgres
from ctiforge.store.objects import open_store

TEST_SET = "demo"
SEED = 0


@dataclass(frozen=True)
class Demo:
    """A running demo: where its articles are, and the test set to evaluate on."""

    database_url: str
    test_set: str


def start_demo(folder: Path, store_uri: str) -> Demo:
    """Start the server in `folder`, load the corpus where it is not loaded, register the test set in the store.

    The corpus is the same for one version of this package; another version's is replaced.
    """
    url = start_postgres(folder)
    corpus: DemoCorpus | None = None
    version, marker = corpus_version(), folder / "corpus"
    if not marker.is_file() or marker.read_text() != version:
        corpus = make_corpus(SEED)
        _load(url, corpus)
        marker.write_text(version)
    store = open_store(store_uri)
    test_set = find_testset(store, TEST_SET, note=version)
    if test_set is None:
        articles = (corpus or make_corpus(SEED)).test
        test_set = import_testset(store, TEST_SET, articles, ANNOTATOR, note=version)
    return Demo(url, f"{TEST_SET}@{test_set.version}")


def corpus_version() -> str:
    """Changes when the source that makes the corpus does."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()


def _load(url: str, corpus: DemoCorpus) -> None:
    import psycopg2

    connection = psycopg2.connect(url)
    try:
        load_demo(connection, [*corpus.training, *corpus.test], SEED)
    finally:
        connection.close()
