"""The application's database at the size of life: what it stores of 500 executions, 1.2 MB each, of every kind."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ctiforge.demo.database import create_tables
from ctiforge.demo.executions import extraction_result
from ctiforge.records.article import ArticleRecord

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_DAY = datetime(2026, 11, 1)
# each agent keeps its prompt and its answer: 100 kB of instructions and article, as the application stores them
_INFLATE = """
WITH words AS (SELECT string_agg(substr(md5((n % 9000)::text), 1, 2 + n % 9), ' ' ORDER BY n) AS text
    FROM generate_series(1, 60000) n)
UPDATE agentic_workflow_executions e SET extraction_result = jsonb_set(e.extraction_result, '{subresults}', (
    SELECT jsonb_object_agg(s.key, CASE WHEN jsonb_typeof(s.value) <> 'object' THEN s.value
        ELSE s.value || jsonb_build_object('raw', coalesce(s.value -> 'raw', '{}') || jsonb_build_object(
            '_llm_messages', jsonb_build_array(
                jsonb_build_object('role', 'system', 'content', substr(w.text, 1, 30000)),
                jsonb_build_object('role', 'user', 'content', substr(w.text, 1 + (e.id * 97) % 100000, 90000))),
            '_llm_response', substr(w.text, 1 + (e.id * 31) % 100000, 40000)))
    END) FROM jsonb_each(e.extraction_result -> 'subresults') s))
FROM words w WHERE jsonb_typeof(e.extraction_result -> 'subresults') = 'object'
"""


def fill(connection: "Connection", records: Sequence[ArticleRecord]) -> dict[str, int]:
    """Write an article and an execution for each record, of the kinds that a year of the application leaves.

    Args:
        connection: The database's; its tables are made, and replaced.
        records: The articles, with what a model of the application found in them.

    Returns:
        Executions by kind.
    """
    create_tables(connection)
    kinds: dict[str, int] = {}
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE agentic_workflow_executions, articles, sources RESTART IDENTITY")
        cursor.execute("INSERT INTO sources (identifier, name, url) VALUES ('feeds', 'Feeds', 'https://feeds.invalid')")
        for number, record in enumerate(records):
            kind, status, result, configuration = _execution(number, record)
            kinds[kind] = kinds.get(kind, 0) + 1
            insert(cursor, record, status, result, configuration, number)
        cursor.execute(_INFLATE)
    return kinds


def insert(
    cursor: Any, record: ArticleRecord, status: str, result: Any, configuration: dict[str, Any], minutes: int
) -> None:
    """Write one article with its execution.

    Args:
        cursor: The database's.
        record: The article.
        status: The execution's.
        result: What was extracted, as JSON can hold it; None: nothing.
        configuration: What the application was set to.
        minutes: When, since the first of the month.
    """
    at = _DAY + timedelta(minutes=minutes)
    score = {"threat_hunting_score": record.hunt_score or 50.0}
    cursor.execute(
        "INSERT INTO articles (source_id, canonical_url, title, published_at, content, article_metadata, word_count) "
        "VALUES (1, %s, %s, %s, %s, %s, %s) RETURNING id",
        (record.url, record.title, at, record.content, json.dumps(score), len(record.content.split())),
    )
    (article,) = cursor.fetchone()
    cursor.execute(
        "INSERT INTO agentic_workflow_executions (article_id, status, current_step, extraction_result, "
        "config_snapshot, started_at, completed_at, created_at) VALUES (%s, %s, 'extract_agent', %s, %s, %s, %s, %s)",
        (article, status, json.dumps(result) if result is not None else None, json.dumps(configuration), at, at, at),
    )


def _execution(number: int, record: ArticleRecord) -> tuple[str, str, Any, dict[str, Any]]:
    """Choose an execution's kind by its number; give kind, status, result and configuration."""
    models = {"agent_models": {"ExtractAgent": "a-general-model"}}
    result = extraction_result(record, "G5", None)
    if number % 25 == 3:
        return "failed", "failed", None, models
    if number % 25 == 7:
        return "evaluation run", "completed", result, {**models, "eval_run": True}
    if number % 25 == 11:
        name = next(iter(result["subresults"]))
        result["subresults"][name] = {"items": [], "count": 0, "raw": {"status": "skipped", "reason_code": "disabled"}}
        return "an extractor skipped", "completed", result, models
    if number % 25 == 15:
        # the answer was cut off: its items are gone, and it looks like "nothing found" but for the flag
        name = next(iter(result["subresults"]))
        failed = {"items": [], "count": 0, "error": "context length exceeded", "context_length_exceeded": True}
        result["subresults"][name] = failed
        return "an extractor failed", "completed", result, models
    return "completed", "completed", result, models
