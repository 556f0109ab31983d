"""The six metrics, as a receiver of OTLP over HTTP decodes them; and a receiver that is away."""

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult

from ctiforge.launcher import metrics
from ctiforge.launcher.metrics import counts_of, is_wanted, push_metrics
from ctiforge.launcher.result import Result
from ctiforge.records.run import Cause, RunRecord, StageRecord
from ctiforge.settings import Settings
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import new_run
from tests.otlp import Receiver, receiving

BEGAN = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
SETTINGS = Settings(backend="kubernetes", release="agent", namespace="intel")
CAUSE = Cause(category="out of memory", summary="it took too much", detail="", remedy="give it more")

STOPPED = {"evicted": 1, "out of memory": 1}
BEFORE = {
    "train_extract": StageRecord(name="train_extract", program="train_extract", attempts=3, interruptions=STOPPED)
}
"""How the stage stood before a launcher that found it trained."""


def record(state: str = "done", exit_code: int = 0) -> RunRecord:
    ended = BEGAN + timedelta(seconds=90)
    worked: dict[str, Any] = {"started_at": BEGAN, "ended_at": ended, "queued_s": 30.0, "interruptions": STOPPED}
    bad: dict[str, Any] = {"state": "failed", "exit_code": 4, "cause": CAUSE} if state == "failed" else {}
    stages = [
        StageRecord(name="harvest_extract", program="harvest_extract", state="cached"),
        StageRecord(name="train_extract", program="train_extract", attempts=3, **{"state": "done", **worked, **bad}),
        StageRecord(name="promote_extract", program="promote", state="done", attempts=1, exit_code=exit_code),
    ]
    return new_run("extract", stages, "nightly").model_copy(update={"state": state, "exit_code": exit_code})


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
        "ctiforge.attempts": {"done": 2, "out of memory": 1, "evicted": 1},
        "ctiforge.decisions": {"promoted": 1, "refused": 0, "waiting": 0, "nothing-new": 0, "trained": 0},
        "ctiforge.stage.duration": {"train_extract": 90},
        "ctiforge.stage.waiting": {"train_extract": 30},
    }
    success = first["ctiforge.last_success.timestamp"][""]
    assert time.time() - 60 < success <= time.time()

    assert push_metrics(SETTINGS, Result(record(exit_code=5), "refused"), store, BEFORE)
    assert push_metrics(SETTINGS, Result(record("failed"), "failed"), store, BEFORE)
    assert push_metrics(SETTINGS, Result(new_run("extract", [], "x"), "failed", began=False), store, {})
    last = receiver.last()
    assert last["ctiforge.runs"] == {"done": 2, "failed": 1, "interrupted": 0, "cancelled": 0, "not-started": 1}
    assert (last["ctiforge.decisions"]["refused"], last["ctiforge.decisions"]["promoted"]) == (1, 1)
    assert last["ctiforge.attempts"] == {"done": 4, "out of memory": 1, "evicted": 1}, (
        "those of before are counted already"
    )
    assert success <= last["ctiforge.last_success.timestamp"][""] <= time.time(), "also told by a run that failed"
    assert {point.start_time_unix_nano for each in receiver.sums() for point in each.data_points} == since
    assert all(each.is_monotonic and each.aggregation_temporality == 2 for each in receiver.sums())


def test_attempts_are_counted_by_what_became_of_them() -> None:
    counts = counts_of(Result(record("failed"), "failed"), {})
    assert counts["attempts"] == Counter({"evicted": 1, "out of memory": 2, "done": 1})
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


@pytest.mark.parametrize("runs", [1, 2])
def test_launchers_that_end_at_once_lose_no_count(
    receiver: Receiver, store: ObjectStore, monkeypatch: pytest.MonkeyPatch, runs: int
) -> None:
    for _ in range(runs - 1):
        assert push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    plain = ObjectStore.read_with_tag

    def overtaken(self: ObjectStore, key: str) -> tuple[bytes, str]:
        """Another launcher writes between this one's reading and writing."""
        monkeypatch.setattr(ObjectStore, "read_with_tag", plain)
        try:
            return self.read_with_tag(key)
        finally:
            assert push_metrics(SETTINGS, Result(record(), "promoted"), store, {})

    monkeypatch.setattr(ObjectStore, "read_with_tag", overtaken)
    assert push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    assert receiver.last()["ctiforge.runs"]["done"] == runs + 1


@pytest.mark.parametrize("status", [400, 401])
def test_a_receiver_that_refuses_is_told_of(
    receiver: Receiver, store: ObjectStore, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    logging.getLogger("opentelemetry").setLevel(logging.NOTSET)
    receiver.status = status
    assert not push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    assert not caplog.records, "the exporter's own words may name the URL"


def test_a_receiver_that_does_not_answer_is_given_up(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # a port that takes connections and says nothing
    monkeypatch.setattr(metrics, "WITHIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/token")
        began = time.monotonic()
        assert not push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
        assert time.monotonic() - began < 3


def test_a_receiver_that_answers_drop_by_drop_is_given_up(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(metrics, "WITHIN_S", 0.05)
    monkeypatch.setattr(OTLPMetricExporter, "export", lambda *_: MetricExportResult(int(released.wait(20))))
    began = time.monotonic()
    assert not push_metrics(SETTINGS, Result(record(), "promoted"), store, {})
    assert time.monotonic() - began < 3
    released.set()


def test_nothing_is_wanted_where_no_receiver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in metrics.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert not is_wanted()
