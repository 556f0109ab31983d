"""The query of stored executions: what is read of a row, and what of it never leaves the server.

A result of today keeps, for each extractor, the whole prompt and answer in `raw`, and all of it again in
`raw_response`: 1.2 MB a row, of which 33 kB are wanted. What is said of them (why an extractor did not run, where its
prompt was cut off) is taken out of them on the server.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.sql import Composed

EXECUTIONS = "agentic_workflow_executions"
SNAPSHOTS = "agentic_workflow_execution_snapshots"

# what the rows are, with nothing of their results: sizes are of what is stored, which nothing has to be unpacked for
LISTED = """
SELECT e.article_id, e.id, coalesce(pg_column_size(e.extraction_result), 0), e.xmin::text::bigint
FROM agentic_workflow_executions e
WHERE (%(statuses)s::text[] IS NULL OR e.status = ANY(%(statuses)s))
  AND (%(since)s::timestamp IS NULL OR coalesce(e.completed_at, e.started_at, e.created_at) >= %(since)s::timestamp)
"""

_QUERY = """
SELECT e.id, e.article_id, e.status, coalesce(e.completed_at, e.started_at, e.created_at)::text,
    CASE WHEN jsonb_typeof(r.result -> 'subresults') IS DISTINCT FROM 'object' THEN r.result
    ELSE r.result - ARRAY['raw_response', 'content', 'subresults', 'capability_skips'] || jsonb_build_object(
        'subresults', (SELECT coalesce(jsonb_object_agg(s.key, stripped.value), '{{}}')
            FROM jsonb_each(r.result -> 'subresults') s, LATERAL (
                SELECT CASE WHEN jsonb_typeof(s.value) = 'object' AND s.value ? 'raw'
                    THEN s.value - 'raw' || jsonb_build_object('raw', told.value) ELSE s.value END AS value
                FROM (SELECT s.value -> 'raw' AS raw) r, LATERAL (
                    SELECT CASE WHEN jsonb_typeof(raw) = 'object' THEN jsonb_strip_nulls(jsonb_build_object(
                        'status', raw -> 'status', 'reason_code', raw -> 'reason_code', 'error', raw -> 'error',
                        'infra_failed', raw -> 'infra_failed',
                        'context_length_exceeded', raw -> 'context_length_exceeded',
                        'cut_after', (SELECT right(split_part(m ->> 'content', %(truncated)s, 1), 200)
                            FROM jsonb_array_elements(CASE jsonb_typeof(raw -> '_llm_messages')
                                WHEN 'array' THEN raw -> '_llm_messages' ELSE '[]' END) m
                            WHERE strpos(m ->> 'content', %(truncated)s) > 0 LIMIT 1)
                    )) ELSE 'null' END AS value
                ) told
            ) stripped
        )) END::text,
    json_build_object('agent_models', c.value -> 'agent_models', 'eval_run', c.value -> 'eval_run',
        'subagent_eval', c.value -> 'subagent_eval')::text,
    {seen}
FROM agentic_workflow_executions e {snapshots},
    -- unpacked once, however often it is asked
    LATERAL (SELECT e.extraction_result #> '{{}}' AS result OFFSET 0) r,
    LATERAL (SELECT {configuration} AS value) c
WHERE e.id = ANY(%(ids)s)
"""
# where the application's filter took a part of the article away: the text that the extractors were given, "" where
# the row does not hold it
_SEEN = """
    CASE WHEN jsonb_path_exists(e.junk_filter_result::jsonb,
        '$ ? (@.chunks_removed > 0 || @.filtered_length < @.original_length)')
    THEN coalesce(jsonb_path_query_first(r.result,
        '$.subresults.*.raw."_llm_messages"[*] ? (@.role == "user").content') #>> '{}', '') END"""


def executions_query(columns: Collection[str], snapshots: str | None) -> "Composed":
    """Write the query of the executions of some ids: id, article, status, time, result, configuration, text seen.

    Args:
        columns: The columns that the table of executions has in this database.
        snapshots: The column of the snapshots' table that holds a configuration; None where there is no such table.

    Returns:
        SQL with the parameters `ids` and `truncated` (see `TRUNCATED`); what this database does not keep is null.
    """
    from psycopg2.sql import SQL, Composable, Identifier

    inline: Composable = SQL("e.config_snapshot::jsonb" if "config_snapshot" in columns else "NULL::jsonb")
    if not snapshots or "config_snapshot_id" not in columns:
        join: Composable = SQL("")
        configuration = inline
    else:
        join = SQL("LEFT JOIN {} k ON k.id = e.config_snapshot_id").format(Identifier(SNAPSHOTS))
        configuration = SQL("coalesce(k.{}::jsonb, {})").format(Identifier(snapshots), inline)
    seen = SQL(_SEEN if "junk_filter_result" in columns else "NULL::text")
    return SQL(_QUERY).format(seen=seen, snapshots=join, configuration=configuration)
