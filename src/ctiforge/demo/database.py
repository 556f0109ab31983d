"""The team's tables, filled with demo articles the way their application would have left them."""

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ctiforge.demo.executions import GENERATIONS, extraction_result, parse_failure
from ctiforge.demo.os_articles import OsCorpus
from ctiforge.records.article import ArticleRecord

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    id serial PRIMARY KEY, identifier varchar(255) UNIQUE NOT NULL, name varchar(500) NOT NULL, url text NOT NULL);
CREATE TABLE IF NOT EXISTS articles (
    id serial PRIMARY KEY, source_id integer NOT NULL REFERENCES sources(id), canonical_url text NOT NULL,
    title text NOT NULL, published_at timestamp NOT NULL, content text, content_hash varchar(64),
    article_metadata json, archived boolean NOT NULL DEFAULT false, word_count integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS agentic_workflow_executions (
    id serial PRIMARY KEY, article_id integer NOT NULL REFERENCES articles(id), status varchar(50) NOT NULL,
    current_step varchar(50), junk_filter_result jsonb, extraction_result jsonb, error_message text, error_log jsonb,
    retry_count integer NOT NULL DEFAULT 0, config_snapshot jsonb, started_at timestamp, completed_at timestamp,
    created_at timestamp NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS ix_agentic_workflow_executions_article_id ON agentic_workflow_executions (article_id);
"""
_FIRST_DAY = datetime(2026, 1, 1)
_EMPTY_CONTENTS = (None, "", "   \n\t ")
_EVERY_COPIED = 12


@dataclass
class DemoCounts:
    """What was written: rows of each kind."""

    articles: int = 0
    executions: int = 0
    retried: int = 0
    failed_sub_results: int = 0
    parse_failures: int = 0
    duplicates: int = 0
    junk: int = 0
    os_articles: int = 0
    os_duplicates: int = 0
    os_junk: int = 0


def create_tables(connection: "Connection") -> None:
    """Create the team's tables where they are missing (sources, articles, executions)."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_SCHEMA)


def load_demo(
    connection: "Connection", articles: Iterable[ArticleRecord], seed: int, os_corpus: OsCorpus | None = None
) -> DemoCounts:
    """Replace the content of the team's tables by `articles` and `os_corpus`, in one transaction.

    Each record becomes an article with a completed execution, in the five generations in turn.
    Mixed in, always the same for one seed: earlier failed attempts at the same article, single
    failed sub-results, parse failures that look like "nothing found", copies under other URLs,
    and rows without usable content or result. The articles of `os_corpus` come last, without
    executions, with higher scores and MITRE's platforms as the application's verdict; copies of some of its
    test articles and empty rows follow them.
    """
    create_tables(connection)
    counts = DemoCounts()
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE agentic_workflow_executions, articles, sources RESTART IDENTITY")
        cursor.execute(
            "INSERT INTO sources (identifier, name, url) VALUES ('demo', 'Demo reports', 'https://demo.invalid')"
        )
        writer = _TableWriter(cursor, random.Random(seed), counts)
        for position, record in enumerate(articles):
            writer.write_record(position, record)
        writer.write_junk()
        if os_corpus:
            writer.write_os_corpus(os_corpus)
    return counts


class _TableWriter:
    """Writes articles and executions in order, a minute apart."""

    def __init__(self, cursor: "Cursor", random: random.Random, counts: DemoCounts) -> None:
        self._cursor = cursor
        self._random = random
        self._counts = counts
        self._now = _FIRST_DAY

    def write_record(self, position: int, record: ArticleRecord) -> None:
        generation = GENERATIONS[position % len(GENERATIONS)]
        article = self._article(record.url or f"https://demo.invalid/{record.id}", record)
        if self._random.random() < 0.10:
            self._counts.retried += 1
            self._execution(article, "failed", None, error="LM Studio did not answer in 300 s")
        if self._random.random() < 0.05:
            self._counts.parse_failures += 1
            self._execution(article, "completed", parse_failure(record))
        failed = None
        empty_types = [t for t in record.labelled_types if all(o.type != t for o in record.observables)]
        if generation in ("G3", "G4", "G5") and empty_types and self._random.random() < 0.15:
            self._counts.failed_sub_results += 1
            failed = self._random.choice(empty_types)
        self._execution(article, "completed", extraction_result(record, generation, failed))
        if self._random.random() < 0.04:
            self._duplicate(record, generation)

    def write_junk(self) -> None:
        """Write one article for each kind of row that must cost nothing but itself."""
        text = "A row that holds nothing to learn from, number {}. It is here because real tables have such rows."
        results: list[Any] = [
            None,
            {},
            "not an object",
            ["a", "list"],
            {"observables": {"type": 7}},
            {"observables": 3},
        ]
        for content in _EMPTY_CONTENTS:
            article = self._junk_article(content)
            self._execution(article, "completed", {"observables": [], "summary": {"count": 0}, "raw_response": "{}"})
        for number, result in enumerate(results):
            self._execution(self._junk_article(text.format(number)), "completed", result)
        for status in ("pending", "running", "failed"):
            self._execution(self._junk_article(text.format(status)), status, None)

    def write_os_corpus(self, corpus: OsCorpus) -> None:
        """Write articles whose score is a number or, as often happens, a text that holds one."""
        for position, record in enumerate((*corpus.training, *corpus.test)):
            self._counts.os_articles += 1
            self._os_article(record.url, record, as_text=position % 7 == 0)
        for position, record in enumerate(corpus.test[::_EVERY_COPIED]):
            self._counts.os_duplicates += 1
            ending = "" if position % 2 else "\n\nFirst published elsewhere."
            copy = record.model_copy(update={"content": record.content + ending})
            self._os_article(f"https://copies.invalid/{record.id}", copy, as_text=False)
        for content in _EMPTY_CONTENTS:
            self._counts.os_junk += 1
            url = f"https://demo.invalid/os-junk/{self._counts.os_junk}"
            self._insert_article(url, "Junk", content, {"threat_hunting_score": 99.5})

    def _os_article(self, url: str | None, record: ArticleRecord, *, as_text: bool) -> None:
        score = str(record.hunt_score) if as_text else record.hunt_score
        url = url or f"https://demo.invalid/{record.id}"
        verdict = {"operating_system": record.os_label, "method": "MITRE ATT&CK", "confidence": "high"}
        metadata = {"threat_hunting_score": score, "os_classification": verdict}
        self._insert_article(url, record.title, record.content, metadata)

    def _duplicate(self, record: ArticleRecord, generation: str) -> None:
        self._counts.duplicates += 1
        url = record.url or f"https://demo.invalid/{record.id}"
        if self._random.random() < 0.5:
            copy, url = record, f"{url}?utm_source=newsletter"
        else:
            copy = record.model_copy(update={"content": record.content + "\n\nFirst published elsewhere."})
            url = f"https://copies.invalid/{record.id}"
        self._execution(self._article(url, copy), "completed", extraction_result(record, generation, None))

    def _junk_article(self, content: str | None) -> int:
        self._counts.junk += 1
        url = f"https://demo.invalid/junk/{self._counts.junk}"
        return self._insert_article(url, "Junk", content, {"threat_hunting_score": "unknown"})

    def _article(self, url: str, record: ArticleRecord) -> int:
        score = record.hunt_score if record.hunt_score is not None else round(self._random.uniform(40, 100), 1)
        return self._insert_article(url, record.title, record.content, {"threat_hunting_score": score})

    def _insert_article(self, url: str, title: str, content: str | None, metadata: dict[str, Any]) -> int:
        self._now += timedelta(minutes=1)
        self._counts.articles += 1
        self._cursor.execute(
            "INSERT INTO articles "
            "(source_id, canonical_url, title, published_at, content, article_metadata, word_count) "
            "VALUES (1, %s, %s, %s, %s, %s, %s) RETURNING id",
            (url, title, self._now, content, json.dumps(metadata), len((content or "").split())),
        )
        row = self._cursor.fetchone()
        assert row is not None
        return int(row[0])

    def _execution(self, article: int, status: str, result: Any, error: str | None = None) -> None:
        self._now += timedelta(minutes=1)
        self._counts.executions += 1
        self._cursor.execute(
            "INSERT INTO agentic_workflow_executions "
            "(article_id, status, current_step, extraction_result, error_message, started_at, completed_at, "
            "created_at) "
            "VALUES (%s, %s, 'extract_agent', %s, %s, %s, %s, %s)",
            (
                article,
                status,
                None if result is None else json.dumps(result),
                error,
                self._now,
                self._now if status in ("completed", "failed") else None,
                self._now,
            ),
        )


def as_dict(counts: DemoCounts) -> dict[str, int]:
    """Return the counts as a JSON-able dict."""
    return asdict(counts)
