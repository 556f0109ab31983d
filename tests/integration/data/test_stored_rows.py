"""Rows as large and as odd as the application's own, read through the database."""

import json
import random

import psycopg2
import pytest

from ctiforge.data.articles import Article
from ctiforge.data.database import EXECUTIONS, open_database
from ctiforge.data.execution_query import LISTED, executions_query
from ctiforge.data.generations import read_result
from ctiforge.data.states import TRUNCATED

AGENTS = (
    "cmdline",
    "process_lineage",
    "hunt_queries",
    "registry_artifacts",
    "windows_services",
    "scheduled_tasks",
    "network_indicators",
)
CONTENT = "The first line says whoami /all. The second says more.\nA third line follows here."


def stored(agents: tuple[str, ...] = AGENTS, content: str = CONTENT, **raws: object) -> dict[str, object]:
    """What the application stores: `raw` and `raw_response` hold prompts and answers once more."""
    items = {"cmdline": [{"value": "whoami /all", "model_version": "strong", "source_evidence": "says whoami"}]}
    messages = [{"role": "system", "content": "You extract. " * 50}, {"role": "user", "content": f"Text: {content}"}]
    sub_results: dict[str, dict[str, object]] = {}
    for name in agents:
        found = items.get(name, [])
        raw = {"items": found, "count": len(found), "_llm_messages": messages, "_llm_response": json.dumps(found)}
        sub_results[name] = {"items": found, "count": len(found), "raw": raws.get(name, raw)}
    observables = [
        {"type": "cmdline", "value": each["value"], "original_data": each, "source": "supervisor_aggregation"}
        for each in items["cmdline"]
    ]
    return {
        "observables": observables,
        "summary": {"count": 1, "platforms_detected": ["Windows"]},
        "subresults": sub_results,
        "content": "Extracted Cmdline: whoami /all",
        "raw_response": json.dumps(sub_results, indent=2),
    }


@pytest.fixture
def write(database_url):
    """Writes executions of article 1: keyword arguments are columns."""

    def go(*executions: dict[str, object], archived: bool = False, source: str = "blog") -> None:
        connection = psycopg2.connect(database_url)
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO sources VALUES (1, %s, 's', 's')", (source,))
            cursor.execute(
                "INSERT INTO articles (id, source_id, canonical_url, title, published_at, content, archived) "
                "VALUES (1, 1, 'https://x.invalid/1', 'T', now(), %s, %s)",
                (CONTENT, archived),
            )
            for columns in executions:
                row = {"status": "completed", "article_id": 1, "completed_at": "2026-06-01", **columns}
                values = [json.dumps(v) if isinstance(v, dict) else v for v in row.values()]
                marks = ", ".join(["%s"] * len(row))
                cursor.execute(
                    f"INSERT INTO agentic_workflow_executions ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                    values,
                )
        connection.close()

    return go


def read(url: str) -> Article:
    with open_database(url) as database:
        (article,) = database.articles()
    return article


def cut_off(content: str) -> dict[str, object]:
    return {"items": [], "_llm_messages": [{"role": "user", "content": f"Text: {content}\n{TRUNCATED}\nAnswer."}]}


@pytest.mark.parametrize(
    "result",
    [
        stored(),
        stored(registry_artifacts={"status": "skipped_for_eval"}, windows_services={"error": {"code": 1}}),
        stored(hunt_queries="text", scheduled_tasks=None, cmdline=[1]),
        stored(cmdline=cut_off("The first line says whoami /all.")),
        stored(cmdline={"_llm_messages": [7, "x", {"content": None}, {"content": {"a": 1}}]}),
        stored(cmdline={"_llm_messages": {"not": "a list"}, "status": 4}),
        {"observables": [{"type": "cmdline", "value": "a"}], "raw_response": "[]"},
        {"observables": [], "raw_response": "Sure! Here they are"},
        {"observables": [], "subresults": []},
        {"observables": [], "subresults": {"cmdline": None, "registry": 3, "services": {"items": "x"}}},
        {"behavioral_observables": {"commands": ["whoami"]}},
        {},
    ],
)
def test_what_the_server_leaves_out_changes_nothing_that_is_read(database_url, write, result) -> None:
    write({"extraction_result": result})

    assert read(database_url).executions[0].outcome == read_result(result)


@pytest.mark.parametrize("result", ["[1, 2]", "3", '"text"', "null", None])
def test_a_result_that_is_no_object(database_url, write, result) -> None:
    write({"extraction_result": result})

    assert read(database_url).executions[0].outcome.labelled_types == ()


def test_prompts_and_answers_never_leave_the_server(database_url, write) -> None:
    noise = "".join(random.Random(0).choices("abcdefgh ", k=150_000))
    whole = stored(content=noise)
    write({"extraction_result": whole}, {"extraction_result": stored(cmdline=cut_off("whoami /all."))})

    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(executions_query((), None), {"ids": [1, 2], "truncated": TRUNCATED})
        rows = cursor.fetchall()
    connection.close()

    assert len(json.dumps(whole)) > 1_000_000
    assert all(len(row[4]) < 4_000 for row in rows)
    assert "You extract" not in rows[0][4]


def test_c1_who_labeled_and_whether_it_was_an_evaluation(database_url, write) -> None:
    models = {"CmdlineExtract_model": "strong", "ExtractAgent": "weak", "ExtractAgent_provider": "lmstudio"}
    write(
        {"extraction_result": stored(), "config_snapshot": {"agent_models": models, "agent_prompts": {"a": "b"}}},
        {"extraction_result": stored(), "config_snapshot": {"eval_run": True, "subagent_eval": "cmdline"}},
        {"extraction_result": stored(), "config_snapshot": "[1]"},
        {"extraction_result": stored()},
    )

    executions = read(database_url).executions

    assert [each.evaluation for each in executions] == [False, True, False, False]
    assert [each.model_of("registry") for each in executions] == ["weak", None, None, None]
    assert executions[0].model_of("cmdline") == "strong"


def test_c1_a_configuration_that_the_application_keeps_apart(database_url, write) -> None:
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE agentic_workflow_execution_snapshots (id serial PRIMARY KEY, payload jsonb)")
        cursor.execute("ALTER TABLE agentic_workflow_executions ADD config_snapshot_id integer")
        kept = json.dumps({"agent_models": {"ExtractAgent": "apart"}, "eval_run": True})
        cursor.execute("INSERT INTO agentic_workflow_execution_snapshots (payload) VALUES (%s)", (kept,))
    connection.close()
    write({"extraction_result": stored(), "config_snapshot": {"snapshot_id": 1}, "config_snapshot_id": 1})

    (execution,) = read(database_url).executions

    assert (execution.evaluation, execution.model_of("registry")) == (True, "apart")


def test_c2_what_a_filter_left_of_the_article(database_url, write) -> None:
    removed = {"is_huntable": True, "original_length": 90, "filtered_length": 50, "chunks_removed": 1}
    whole = {"original_length": 90, "filtered_length": 90, "chunks_removed": 0}
    write(
        {"extraction_result": stored(content="A third line follows here."), "junk_filter_result": removed},
        {"extraction_result": stored(), "junk_filter_result": whole},
        {"extraction_result": {"observables": []}, "junk_filter_result": removed},
    )

    executions = read(database_url).executions

    assert [each.seen_text for each in executions] == ["Text: A third line follows here.", None, ""]


@pytest.mark.parametrize(
    ("archived", "source", "kept_out"),
    [(False, "blog", None), (True, "blog", "archived"), (False, "eval_articles", "eval_articles")],
)
def test_c3_articles_that_the_application_keeps_apart(database_url, write, archived, source, kept_out) -> None:
    write({"extraction_result": stored()}, archived=archived, source=source)

    assert read(database_url).kept_out == kept_out


def test_the_server_sorts_nothing_and_writes_no_temporary_file(database_url, write) -> None:
    noise = "".join(random.Random(0).choices("abcdefgh ", k=20_000))
    write(*[{"extraction_result": stored(content=noise)} for _ in range(60)])

    with open_database(database_url) as database:
        assert len(next(iter(database.articles())).executions) == 60
        query = executions_query(database._columns(EXECUTIONS), None)
        with database._connection.cursor() as cursor:
            for statement, parameters in (
                (LISTED, {"statuses": None, "since": None}),
                (query, {"ids": list(range(60)), "truncated": TRUNCATED}),
            ):
                cursor.execute(b"EXPLAIN " + cursor.mogrify(statement, parameters))
                plan = "\n".join(row[0] for row in cursor.fetchall())
                assert "Sort" not in plan
                assert "Materialize" not in plan
            cursor.execute("SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")
            assert cursor.fetchone() == (0,)
