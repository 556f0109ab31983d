"""Figures of the server in Prometheus' text format; none of them holds a word of an article."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0)
_COUNTERS = {
    "requests_total": "Requests by agent (upstream, probe, none) and outcome.",
    "articles_total": "Articles that were asked for: read by the model, or known from the cache.",
    "windows_total": "Windows by what came of them: answered, unread (no JSON), failed.",
    "rollouts_total": "Versions that were taken into use, or could not be.",
}
_GAUGES = {
    "queue": "Articles that wait for the model.",
    "under_way": "Requests under way.",
    "ready": "1 while the server is ready.",
    "champion_version": "The registry's version that answers; 0: none, or a model of no registry.",
    "champion_wanted": "The registry's champion; another version answers during a rollout, and after one that failed.",
    "cache_bytes": "Bytes of extractions that are kept.",
}


class Metrics:
    """Counts what the server does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, dict[tuple[tuple[str, str], ...], float]] = {name: {} for name in _COUNTERS}
        self._seconds: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BUCKETS) + 1))
        self._sums: dict[str, float] = defaultdict(float)

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._counters[name][key] = self._counters[name].get(key, 0) + by

    def took(self, agent: str, seconds: float) -> None:
        """Note how long a request took."""
        place = next((number for number, most in enumerate(_BUCKETS) if seconds <= most), len(_BUCKETS))
        with self._lock:
            self._seconds[agent][place] += 1
            self._sums[agent] += seconds

    def text(self, gauges: Mapping[str, float]) -> str:
        """Write all figures; `gauges` are those of now."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines(gauges))

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        for name, said in _COUNTERS.items():
            yield from _head(name, said, "counter")
            for key, value in sorted(self._counters[name].items()):
                yield f"ctiforge_serve_{name}{_labels(key)} {value:g}"
        for name, said in _GAUGES.items():
            yield from _head(name, said, "gauge")
            yield f"ctiforge_serve_{name} {gauges.get(name, 0):g}"
        yield from _head("seconds", "How long requests took, by agent.", "histogram")
        for agent, counts in sorted(self._seconds.items()):
            total = 0
            for most, count in zip((*map(str, _BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield f"ctiforge_serve_seconds_bucket{_labels((('agent', agent), ('le', most)))} {total}"
            yield f"ctiforge_serve_seconds_sum{_labels((('agent', agent),))} {self._sums[agent]:.6f}"
            yield f"ctiforge_serve_seconds_count{_labels((('agent', agent),))} {total}"


def _head(name: str, said: str, kind: str) -> Iterator[str]:
    yield f"# HELP ctiforge_serve_{name} {said}"
    yield f"# TYPE ctiforge_serve_{name} {kind}"


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    def plain(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    found = ",".join(f'{name}="{plain(value)}"' for name, value in pairs)
    return f"{{{found}}}" if found else ""
