"""The Event on a launcher's Job, and an API that takes it, refuses it, or is away."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, get_args

import pytest
from kubernetes import client

from ctiforge.launcher.kubernetes import job_events
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.job_events import LONGEST, REASONS, event_of, note_on_job
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.result import Result
from ctiforge.records.run import RunRecord
from ctiforge.settings import RunResult, Settings
from ctiforge.store.runs import new_run
from tests.unit.chart.schemas import validate

JOB = {"metadata": {"name": "nightly", "namespace": "intel", "uid": "u-1"}}
NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def record(**changes: Any) -> RunRecord:
    return new_run("extract", [], "nightly").model_copy(update={"state": "done", **changes})


@contextmanager
def api(*answers: tuple[int, Any]) -> Iterator[tuple[Cluster, list[tuple[str, str, Any]]]]:
    """An API that gives these answers, one after the other: a cluster that asks it, and what was asked."""
    asked: list[tuple[str, str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked.append((self.command, self.path, json.loads(self.rfile.read(length)) if length else None))
            status, body = answers[len(asked) - 1]
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{server.server_port}"
        yield Cluster(configuration, "intel"), asked
        server.shutdown()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Cluster]:
    """The cluster that a launcher reaches."""
    clusters: list[Cluster] = []
    monkeypatch.setattr(job_events, "connect", lambda *_: clusters[0])
    return clusters


def test_it_is_an_event_that_kubernetes_takes() -> None:
    event = event_of(Result(record(reason="x" * 2000), "failed"), JOB, NOW, "pod-a")
    validate(event, "1.34")
    assert event["involvedObject"] == {"apiVersion": "batch/v1", "kind": "Job", **JOB["metadata"]}


@pytest.mark.parametrize("kind", get_args(RunResult))
def test_each_result_has_a_reason_and_failures_alone_are_warnings(kind: RunResult) -> None:
    event = event_of(Result(record(reason="x" * 2000), kind), JOB, NOW, "pod-a")
    assert event["type"] == ("Warning" if kind == "failed" else "Normal"), "a refusal alarms nobody"
    assert len(event["message"]) <= LONGEST
    assert event["reason"] == REASONS[kind]


def test_a_launcher_that_cannot_start_has_a_reason_of_its_own() -> None:
    event = event_of(Result(record(state="failed", reason="no chart"), "failed", began=False), JOB, NOW, "")
    assert (event["type"], event["reason"]) == ("Warning", "RunCannotStart")
    assert event["message"] == "nightly cannot start: no chart"


def test_it_is_created_on_the_job_of_the_runs_name(connected: list[Cluster]) -> None:
    with api((200, JOB), (201, {})) as (cluster, asked):
        connected.append(cluster)
        note_on_job(Settings(run_id="nightly"), Result(record(), "promoted"))
    assert [each[:2] for each in asked] == [
        ("GET", "/apis/batch/v1/namespaces/intel/jobs/nightly"),
        ("POST", "/api/v1/namespaces/intel/events"),
    ]
    assert asked[1][2]["reason"] == "ModelPromoted"


def test_a_run_without_a_job_has_none(connected: list[Cluster]) -> None:
    with api((404, {"message": "not found"})) as (cluster, asked):
        connected.append(cluster)
        note_on_job(Settings(run_id="nightly"), Result(record(), "promoted"))
    assert [each[0] for each in asked] == ["GET"]


def test_a_role_that_may_not_is_told_in_the_clusters_words(connected: list[Cluster]) -> None:
    forbidden = {"message": 'events is forbidden: cannot create resource "events"'}
    with api((200, JOB), (403, forbidden)) as (cluster, _):
        connected.append(cluster)
        with pytest.raises(ClusterError, match="cannot create an event in namespace intel: events is forbidden"):
            note_on_job(Settings(run_id="nightly"), Result(record(), "promoted"))
