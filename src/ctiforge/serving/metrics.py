"""Figures of the server for Prometheus; none of them holds a word of an article."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0)
_SPACE = "ctiforge_serve"
_COUNTERS = {
    "requests_total": ("Requests by agent (upstream, probe, none) and outcome.", ("agent", "outcome")),
    "articles_total": ("Articles that were asked for: read by the model, or known from the cache.", ("source",)),
    "windows_total": ("Windows by what came of them: answered, unread (no JSON), failed.", ("outcome",)),
    "rollouts_total": ("Versions that were taken into use, or could not be.", ("outcome",)),
}
_GAUGES = {
    "queue": "Articles that wait for the model.",
    "under_way": "Requests under way.",
    "ready": "1 while the server is ready.",
    "champion_version": "The registry's version that answers; 0: none, or a model of no registry.",
    "champion_wanted": "The registry's champion; another version answers during a rollout, and after one that failed.",
    "cache_bytes": "Bytes of extractions that are kept.",
}

# the time at which each series began doubles the page, and nobody asks for it
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counts what the server does."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._counters = {
            name: Counter(f"{_SPACE}_{name}", said, labels, registry=own) for name, (said, labels) in _COUNTERS.items()
        }
        self._gauges = {name: Gauge(f"{_SPACE}_{name}", said, registry=own) for name, said in _GAUGES.items()}
        asked = f"{_SPACE}_seconds", "How long requests took, by agent.", ("agent",)
        self._seconds = Histogram(*asked, buckets=_BUCKETS, registry=own)

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._counters[name].labels(**labels).inc(by)

    def took(self, agent: str, seconds: float) -> None:
        """Note how long a request took."""
        self._seconds.labels(agent).observe(seconds)

    def text(self, gauges: Mapping[str, float]) -> bytes:
        """Write all figures; `gauges` are those of now."""
        for name, value in gauges.items():
            self._gauges[name].set(value)
        return generate_latest(self._registry)
