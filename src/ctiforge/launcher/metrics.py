"""Six metrics of runs, pushed by OTLP/HTTP when a run ends: its pod is gone before anyone could scrape it.

Where they go is said by OpenTelemetry's own variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and
their like. Counters are those of the store, which go on from run to run.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING

from ctiforge.launcher.failures import MEANINGS
from ctiforge.launcher.result import Result
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.records.run_counts import RunCounts
from ctiforge.settings import Settings
from ctiforge.store.objects import ObjectStore
from ctiforge.store.run_counts import add_counts

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData, NumberDataPoint

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
WITHIN_S = 5.0
"""A receiver that takes longer is given up."""
RUNS = ("done", "failed", "interrupted", "cancelled", "not-started")
DECISIONS = ("refused", "promoted", "waiting", "nothing-new", "trained")
NewCounts = dict[str, Counter[str]]
"""What is added to each kind of the store's counts."""


def is_wanted() -> bool:
    """Whether there is somewhere to push metrics to."""
    return any(os.environ.get(name) for name in ENDPOINTS)


def push_metrics(settings: Settings, result: Result, store: ObjectStore, before: Mapping[str, StageRecord]) -> bool:
    """Count the run in the store and push the metrics of its line.

    Args:
        settings: Name the release and its namespace.
        result: What came of the run.
        store: The store that keeps the run.
        before: Each stage as it stood before this launcher.

    Returns:
        False where the receiver did not take them in time, whyever. Nothing is pushed where the counts are too busy.

    Raises:
        ModuleNotFoundError: The exporter is not installed.
        StoreError: The store does not answer.
    """
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    now = datetime.now(UTC)
    counts = counts_of(result, before)
    totals = add_counts(store, result.run.line, counts, now, is_success=result.run.state == "done")
    if totals is None:
        return False
    data = metrics_data(settings, result.run, totals, now)
    # what it says of a receiver that is away may name its URL
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    exporter = OTLPMetricExporter(timeout=WITHIN_S)
    taken: list[str] = []
    push = Thread(target=lambda: taken.append(exporter.export(data).name), daemon=True)
    push.start()
    # the exporter counts from byte to byte: one that answers drop by drop would hold it
    push.join(1.2 * WITHIN_S)
    return taken == ["SUCCESS"]


def counts_of(result: Result, before: Mapping[str, StageRecord]) -> NewCounts:
    """Count a run's end, its attempts by what became of them, and its decision. Pure."""
    run = result.run
    attempts: Counter[str] = Counter()
    for stage in run.stages:
        then = before.get(stage.name, StageRecord(name=stage.name, program=stage.program))
        if stage.attempts > then.attempts:
            attempts += Counter(stage.interruptions) - Counter(then.interruptions)
            attempts[_cause(stage)] += 1
    decision = [result.kind] if result.kind in DECISIONS else []
    return {
        "runs": Counter([run.state if result.began else "not-started"]),
        "attempts": +attempts,
        "decisions": Counter(map(str, decision)),
    }


def metrics_data(settings: Settings, run: RunRecord, totals: RunCounts, now: datetime) -> "MetricsData":
    """Put the metrics of a run's line together as OpenTelemetry has them. Pure but for `OTEL_RESOURCE_ATTRIBUTES`.

    Args:
        settings: Name the release and its namespace.
        run: The run that ended.
        totals: The counts of its line, this run's included.
        now: The time of its end.

    Returns:
        What an exporter takes.
    """
    from opentelemetry.sdk.metrics import export
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    def sums(name: str, text: str, key: str, values: Mapping[str, int], unit: str) -> export.Metric:
        points = [_point({"line": run.line, key: each}, totals.since, now, value) for each, value in values.items()]
        cumulative = export.AggregationTemporality.CUMULATIVE
        return export.Metric(name, text, unit, export.Sum(points, cumulative, is_monotonic=True))

    def gauge(name: str, text: str, values: Iterator[tuple[dict[str, str], float]]) -> export.Metric:
        points = [_point({"line": run.line, **labels}, now, now, value) for labels, value in values]
        return export.Metric(name, text, "s", export.Gauge(points))

    # what never came to pass stands at 0: what changes from nothing to 1 is no increase
    runs = dict.fromkeys(RUNS, 0) | totals.runs
    decisions = dict.fromkeys(DECISIONS, 0) | totals.decisions
    metrics = [
        sums("ctiforge.runs", "Runs by how they ended", "state", runs, "{run}"),
        sums("ctiforge.attempts", "Starts of programs by what became of them", "cause", totals.attempts, "{attempt}"),
        sums("ctiforge.decisions", "What came of runs that were done", "decision", decisions, "{decision}"),
        gauge("ctiforge.stage.duration", "How long each stage of the last run took", _durations(run)),
        gauge("ctiforge.stage.waiting", "How long each stage of the last run waited for a place to run", _waits(run)),
        gauge("ctiforge.last_success.timestamp", "When the last run that was done ended", _successes(totals)),
    ]
    own = {"service.name": "ctiforge"}
    if settings.backend == "kubernetes":
        own |= {"service.instance.id": settings.release}
        own |= {"service.namespace": settings.namespace} if settings.namespace else {}
    resource = Resource(own).merge(OTELResourceDetector().detect())
    filled = [each for each in metrics if each.data.data_points]
    scope = export.ScopeMetrics(InstrumentationScope("ctiforge"), filled, "")
    return export.MetricsData([export.ResourceMetrics(resource, [scope], "")])


def _cause(stage: StageRecord) -> str:
    """Name what became of a stage's last attempt: the cluster's category, else its state, or why it failed."""
    if stage.cause:
        return stage.cause.category
    return stage.state if stage.state != "failed" else MEANINGS.get(stage.exit_code or 0, "crashed")


def _successes(totals: RunCounts) -> Iterator[tuple[dict[str, str], float]]:
    if totals.last_success:
        yield {}, totals.last_success.timestamp()


def _durations(run: RunRecord) -> Iterator[tuple[dict[str, str], float]]:
    for stage in _worked(run):
        if stage.started_at and stage.ended_at:
            yield {"stage": stage.name}, (stage.ended_at - stage.started_at).total_seconds()


def _waits(run: RunRecord) -> Iterator[tuple[dict[str, str], float]]:
    for stage in _worked(run):
        if stage.queued_s is not None:
            yield {"stage": stage.name}, stage.queued_s


def _worked(run: RunRecord) -> list[StageRecord]:
    return [stage for stage in run.stages if stage.state not in ("waiting", "cached", "skipped")]


def _point(labels: Mapping[str, str], since: datetime, now: datetime, value: float) -> "NumberDataPoint":
    from opentelemetry.sdk.metrics.export import NumberDataPoint

    return NumberDataPoint(labels, _nanoseconds(since), _nanoseconds(now), value)


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1e6) * 1000
