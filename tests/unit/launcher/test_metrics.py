"""The six metrics, as a receiver of OTLP over HTTP decodes them; and a receiver that is away."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ctiforge.launcher import metrics
from ctiforge.launcher.metrics import counts_of, is_wanted, push_metrics
from ctiforge.launcher.result import Result
from ctiforge.records.run import Cause, RunRecord, StageRecord
from ctiforge.settings import Settings
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import new_run

BEGAN = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
SETTINGS = Settings(backend="kubernetes", release="agent", namespace="intel")
CAUSE = Cause(category="out of memory", summary="it took too much", detail="", remedy="give it more")


def record(state: str = "done", exit_code: int = 0) -> RunRecord:
    ended = BEGAN + timedelta(seconds=90)
    worked: dict[str, Any] = {"started_at": BEGAN, "ended_at": ended, "queued_s": 30.0}
    bad: dict[str, Any] = {"state": "failed", "exit_code": 4, "cause": CAUSE} if state == "failed" else {}
    stages = [
        StageRecord(name="harvest_extract", program="harvest_extract", state="cached"),
        StageRecord(name="train_extract", program="train_extract", attempts=3, **{"state": "done", **worked, **bad}),
        StageRecord(name="promote_extract", program="promote", state="done", attempts=1, exit_code=exit_code),
    ]
    return new_run("extract", stages, "nightly").model_copy(update={"state": state, "exit_code": exit_code})


class Receiver:
    """Takes OTLP over HTTP, and tells what Prometheus would call what it got."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], ExportMetricsServiceRequest]] = []
        self.url = ""
        self.status = 200

    def last(self) -> dict[str, dict[str, float]]:
        """Values of the last push by metric, and by what tells its points apart."""
        found: dict[str, dict[str, float]] = {}
        for metric in self._metrics():
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                labels = {each.key: each.value.string_value for each in point.attributes}
                assert labels.pop("line") == "extract"
                value = point.as_double if point.WhichOneof("value") == "as_double" else point.as_int
                found.setdefault(metric.name, {})[next(iter(labels.values()), "")] = value
        return found

    def _metrics(self) -> list[Any]:
        (resource,) = self.asked[-1][2].resource_metrics
        (scope,) = resource.scope_metrics
        return list(scope.metrics)

    def sums(self) -> list[Any]:
        return [metric.sum for metric in self._metrics() if metric.WhichOneof("data") == "sum"]

    def resource(self) -> dict[str, str]:
        (found,) = self.asked[-1][2].resource_metrics
        return {each.key: each.value.string_value for each in found.resource.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.asked.append((self.path, headers, ExportMetricsServiceRequest.FromString(body)))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        yield receiver
        server.shutdown()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20of-the-team")
        yield found


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def test_all_six_are_pushed_and_counters_go_on_from_run_to_run(receiver: Receiver, store: ObjectStore) -> None:
    assert is_wanted()
    ran = record()
    assert push_metrics(SETTINGS, Result(ran, "promoted"), store, {})
    path, headers, _ = receiver.asked[0]
    assert (path, headers["authorization"]) == ("/v1/metrics", "Bearer of-the-team")
    assert receiver.resource() == {
        "service.name": "ctiforge",
        "service.instance.id": "agent",
        "service.namespace": "intel",
    }
    first = receiver.last()
    since = {point.start_time_unix_nano for each in receiver.sums() for point in each.data_points}
    assert {name: values for name, values in first.items() if "last_success" not in name} == {
        "ctiforge.runs": {"done": 1, "failed": 0, "interrupted": 0, "cancelled": 0, "not-started": 0},
        "ctiforge.attempts": {"done": 2, "replaced": 2},
        "ctiforge.decisions": {"promoted": 1, "refused": 0, "waiting": 0, "nothing-new": 0, "trained": 0},
        "ctiforge.stage.duration": {"train_extract": 90},
        "ctiforge.stage.waiting": {"train_extract": 30},
    }
    success = first["ctiforge.last_success.timestamp"][""]
    assert time.time() - 60 < success <= time.time()

    assert push_metrics(SETTINGS, Result(record(exit_code=5), "refused"), store, {"train_extract": 3})
    assert push_metrics(SETTINGS, Result(record("failed"), "failed"), store, {"train_extract": 3})
    assert push_metrics(SETTINGS, Result(new_run("extract", [], "x"), "failed", began=False), store, {})
    last = receiver.last()
    assert last["ctiforge.runs"] == {"done": 2, "failed": 1, "interrupted": 0, "cancelled": 0, "not-started": 1}
    assert (last["ctiforge.decisions"]["refused"], last["ctiforge.decisions"]["promoted"]) == (1, 1)
    assert last["ctiforge.attempts"] == {"done": 4, "replaced": 2}, "those of before are counted already"
    assert success <= last["ctiforge.last_success.timestamp"][""] <= time.time(), "also told by a run that failed"
    assert {point.start_time_unix_nano for each in receiver.sums() for point in each.data_points} == since
    assert all(each.is_monotonic and each.aggregation_temporality == 2 for each in receiver.sums())


def test_attempts_are_counted_by_what_became_of_them() -> None:
    counts = counts_of(Result(record("failed"), "failed"), {})
    assert counts["attempts"] == Counter({"replaced": 2, "out of memory": 1, "done": 1})
    assert counts["decisions"] == Counter(), "a run that failed decided nothing"
    assert counts_of(Result(record("interrupted"), None), {})["runs"] == Counter(["interrupted"])


def test_resource_attributes_of_the_team_are_theirs(
    receiver: Receiver, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
    assert push_metrics(Settings(), Result(record(), "trained"), store, {})
    assert receiver.resource() == {"service.name": "ctiforge", "deployment.environment.name": "prod"}


def test_damaged_counts_begin_anew(receiver: Receiver, store: ObjectStore) -> None:
    store.write("counts/extract.json", b"{garbage")
    assert push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    assert receiver.last()["ctiforge.runs"]["done"] == 1


def test_launchers_that_end_at_once_lose_no_count(
    receiver: Receiver, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ObjectStore.write_new

    def overtaken(self: ObjectStore, key: str, data: bytes) -> bool:
        monkeypatch.setattr(ObjectStore, "write_new", plain)
        assert push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
        return self.write_new(key, data)

    monkeypatch.setattr(ObjectStore, "write_new", overtaken)
    assert push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    assert receiver.last()["ctiforge.runs"]["done"] == 2


@pytest.mark.parametrize("status", [400, 401])
def test_a_receiver_that_refuses_is_told_of(
    receiver: Receiver, store: ObjectStore, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    receiver.status = status
    assert not push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    assert "".join(capfd.readouterr()) == "", "the exporter's own words may name the URL"


def test_a_receiver_that_does_not_answer_is_given_up(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # a port that takes connections and says nothing
    import socket

    monkeypatch.setattr(metrics, "WITHIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/token")
        began = time.monotonic()
        assert not push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
        assert time.monotonic() - began < 3


def test_nothing_is_wanted_where_no_receiver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in metrics.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert not is_wanted()
