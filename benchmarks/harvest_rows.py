"""The rows that the harvest benchmark reads: distinct articles of 10 kB, each with one execution.

Small rows hold 0.7 kB of results. Real ones are as large as the application's own: seven sub-results, each with the
prompt and the answer in `raw`, and all of it once more as text in `raw_response`, 1.2 MB together.
"""

import random
import string
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ctiforge.demo.database import create_tables

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_COPY = "COPY articles (id, source_id, canonical_url, title, published_at, content, article_metadata) FROM STDIN"
# three observables each; one article in eight has none; G2 and G5 in turn
_EXECUTIONS = """
INSERT INTO agentic_workflow_executions (article_id, status, extraction_result, started_at, completed_at)
SELECT n, 'completed',
    CASE WHEN mod(n, 2) = 0 THEN jsonb_build_object(
        'observables', items, 'summary', jsonb_build_object('count', jsonb_array_length(items)),
        'discrete_huntables_count', jsonb_array_length(items),
        'raw_response', jsonb_build_object('observables', items)::text)
    ELSE jsonb_build_object(
        'observables', items, 'discrete_huntables_count', jsonb_array_length(items),
        'subresults', jsonb_build_object(
            'cmdline', jsonb_build_object('items', items, 'count', jsonb_array_length(items)),
            'process_lineage', jsonb_build_object('items', '[]'::jsonb, 'count', 0),
            'hunt_queries', jsonb_build_object('error', 'context length exceeded')))
    END, timestamp '2026-01-02', timestamp '2026-01-02' + n * interval '1 minute'
FROM (SELECT n, CASE WHEN mod(n, 8) = 0 THEN '[]'::jsonb ELSE jsonb_build_array(
    jsonb_build_object('type', 'cmdline', 'value', 'whoami /all /user:' || n, 'platform', 'Windows'),
    jsonb_build_object('type', 'cmdline', 'value', 'net group "Domain Admins" /domain:' || n, 'platform', 'Windows'),
    jsonb_build_object('type', 'cmdline', 'value', 'curl -s http://203.0.113.7/' || n, 'platform', 'Linux'))
    END AS items FROM generate_series(1, %(rows)s) n) t
"""


# what the articles' own text and answers would be: words that compress as text does, another part for each row
_REAL = """
WITH words AS (SELECT string_agg(substr(md5((n % 9000)::text), 1, 2 + n % 9), ' ' ORDER BY n) AS text
    FROM generate_series(1, 60000) n)
UPDATE agentic_workflow_executions e SET extraction_result = whole.result || jsonb_build_object(
    'subresults', whole.subs, 'raw_response', jsonb_pretty(whole.subs))
FROM (
    SELECT e.id, e.extraction_result AS result, (SELECT jsonb_object_agg(agent, jsonb_build_object(
        'items', items.items, 'count', jsonb_array_length(items.items), 'raw', jsonb_build_object('items', items.items,
            '_llm_messages', jsonb_build_array(
                jsonb_build_object('role', 'system', 'content', substr(w.text, 1, 30000)),
                jsonb_build_object('role', 'user', 'content', substr(w.text, 1 + (e.id * 97) % 100000, 45000))),
            '_llm_response', substr(w.text, 1 + (e.id * 31) % 100000, 3000))))
        FROM unnest(ARRAY['cmdline', 'process_lineage', 'hunt_queries', 'registry_artifacts', 'windows_services',
            'scheduled_tasks', 'network_indicators']) agent,
        LATERAL (SELECT CASE agent WHEN 'cmdline' THEN (
            SELECT coalesce(jsonb_agg(o || jsonb_build_object('source_evidence', substr(w.text, 1, 4000),
                'extraction_justification', substr(w.text, 5000, 1500), 'model_version', 'a-model')), '[]')
            FROM jsonb_array_elements(e.extraction_result -> 'observables') o) ELSE '[]'::jsonb END AS items) items
    ) AS subs
    FROM agentic_workflow_executions e, words w
) whole WHERE whole.id = e.id
"""


def fill(connection: "Connection", rows: int, size: str = "small") -> None:
    """Replace the team's tables by `rows` articles of about 10 kB, each with one completed execution, small or real."""
    create_tables(connection)
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE agentic_workflow_executions, articles, sources RESTART IDENTITY")
        cursor.execute("INSERT INTO sources (identifier, name, url) VALUES ('bench', 'Bench', 'https://bench.invalid')")
        cursor.copy_expert(_COPY, _Lines(_articles(rows)))
        cursor.execute(_EXECUTIONS, {"rows": rows})
        if size == "real":
            cursor.execute(_REAL)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE articles")
        cursor.execute("VACUUM ANALYZE agentic_workflow_executions")
    connection.autocommit = False


def _articles(rows: int) -> Iterator[bytes]:
    """COPY lines: 100 of 20,000 random sentences each; every hundredth is a near duplicate of the one before it."""
    rng = random.Random(0)
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 11))) for _ in range(5000)]
    sentences = [" ".join(rng.choices(words, k=14)).capitalize() for _ in range(20000)]
    content = ""
    for n in range(1, rows + 1):
        content = f"{content}. First published elsewhere" if n % 100 == 0 else ". ".join(rng.choices(sentences, k=100))
        metadata = f'{{"threat_hunting_score": {n % 101}}}'
        line = f"{n}\t1\thttps://bench.invalid/{n}\tArticle {n}\t2026-01-01\t{content}\t{metadata}\n"
        yield line.encode()


class _Lines:
    """A readable file over an iterator of lines."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def read(self, _size: int = -1) -> bytes:
        return next(self._lines, b"")
