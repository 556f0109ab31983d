"""A pod's log and its end, as a cluster that is slow to tell of either gives them."""

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event
from typing import Any

from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded, Logged, WatchFailed, Watching

WITHIN_S = 20


def pod(state: str, version: int) -> dict[str, Any]:
    statuses = [{"name": "stage", "state": {state: {"exitCode": 0} if state == "terminated" else {}}}]
    return {
        "metadata": {"name": "p", "resourceVersion": str(version)},
        "status": {"phase": "Running", "containerStatuses": statuses},
    }


class Cluster:
    """Stands in for the API: what it knows of one pod, and the pieces that its log comes in."""

    def __init__(self, *pieces: list[str]) -> None:
        self.known = pod("running", 1)
        self.events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.pieces = iter(pieces)
        self.was_asked = Event()

    def list(self, _kind: str, _selector: str | None) -> tuple[list[dict[str, Any]], str]:
        return [self.known], "1"

    def watch(self, _kind: str, _selector: str | None, _version: str) -> Iterator[dict[str, Any]]:
        while True:
            yield self.events.get()

    def pod(self, _name: str) -> dict[str, Any]:
        known = self.known
        self.was_asked.set()
        return known

    def log(self, _pod: str, _container: str, *, follow: bool, since: str | None) -> Iterator[str]:
        assert follow
        yield from next(self.pieces)

    def end(self) -> None:
        self.known = pod("terminated", 2)
        self.events.put({"type": "MODIFIED", "object": self.known})


def test_a_log_that_ends_before_its_pod_is_read_to_the_last_line_each_once() -> None:
    cluster = Cluster(["2026-01-01T00:00:01Z one"], ["2026-01-01T00:00:01Z one", "2026-01-01T00:00:02Z two"])
    with Watching(cluster, {"pods": None}) as watching:
        assert isinstance(watching.changes.get(timeout=WITHIN_S), Changed)
        watching.follow("p")
        assert watching.changes.get(timeout=WITHIN_S) == Logged("p", "one")
        assert cluster.was_asked.wait(WITHIN_S)
        cluster.end()
        left = [watching.changes.get(timeout=WITHIN_S) for _ in range(3)]
    assert [each for each in left if not isinstance(each, Changed)] == [Logged("p", "two"), LogEnded("p")]


def test_a_log_that_cannot_be_had_has_ended() -> None:
    class Gone(Cluster):
        def log(self, *_: object, **__: object) -> Iterator[str]:
            raise ClusterError("no such pod", 404)
            yield

    with Watching(Gone(), {"pods": None}) as watching:
        watching.changes.get(timeout=WITHIN_S)
        watching.follow("p")
        assert watching.changes.get(timeout=WITHIN_S) == LogEnded("p")


def test_a_log_that_may_not_be_read_says_so() -> None:
    class Closed(Cluster):
        def log(self, *_: object, **__: object) -> Iterator[str]:
            raise ClusterError("cannot read the log of pod p: ask for the launcher's role", 403)
            yield

    with Watching(Closed(), {"pods": None}) as watching:
        watching.changes.get(timeout=WITHIN_S)
        watching.follow("p")
        told = watching.changes.get(timeout=WITHIN_S)
    assert told == LogEnded("p", "cannot read the log of pod p: ask for the launcher's role")


def test_a_cluster_that_keeps_refusing_is_told() -> None:
    class Closed(Cluster):
        def list(self, *_: object) -> tuple[list[dict[str, Any]], str]:
            raise ClusterError("forbidden", 403)

    watching = Watching(Closed(), {"pods": None})
    watching._stop.wait = lambda _s: False
    with watching:
        found = watching.changes.get(timeout=WITHIN_S)
    assert isinstance(found, WatchFailed)
    assert found.error.status == 403
