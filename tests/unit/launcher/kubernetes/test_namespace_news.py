"""What is said in a namespace comes to the work that it is about, once for a launcher, whenever that work began."""

from collections import Counter
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from ctiforge.launcher.kubernetes.namespace_news import NamespaceNews
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.watching import Changed, WatchFailed, WatchNews

WITHIN_S = 20
ONE, OTHER = "train-extract-000000000001", "train-extract-000000000002"


def event(name: str, about: str | None) -> dict[str, Any]:
    involved = {"involvedObject": {"name": about}} if about else {}
    return {"metadata": {"name": name, "resourceVersion": name}, "reason": "Pulled", **involved}


class Cluster:
    """Stands in for the API."""

    def __init__(self, *known: dict[str, Any], queues: bool = False) -> None:
        self.known = list(known)
        self.coming: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.asked: Counter[str] = Counter()
        self.queues = queues
        self.refuses = False

    def tells_of_queues(self) -> bool:
        return self.queues

    def list(self, kind: str, _selector: str | None) -> tuple[list[dict[str, Any]], str]:
        self.asked[kind] += 1
        return (self.known if kind == "events" else []), "1"

    def watch(self, kind: str, _selector: str | None, _version: str) -> Iterator[dict[str, Any]]:
        if self.refuses:
            raise ClusterError("cannot watch events: forbidden", 403)
        while kind == "events":
            yield self.coming.get()
        SimpleQueue[None]().get()


def names(changes: "SimpleQueue[WatchNews]", count: int) -> list[str]:
    found = [changes.get(timeout=WITHIN_S) for _ in range(count)]
    return [each.name for each in found if isinstance(each, Changed)]


def test_each_work_hears_of_its_own_alone_and_of_what_was_said_before() -> None:
    cluster = Cluster(event("a", f"{ONE}-1"), event("b", f"{OTHER}-1-x"), event("odd", None))
    news = NamespaceNews(cluster)  # type: ignore[arg-type]
    first, second = SimpleQueue[WatchNews](), SimpleQueue[WatchNews]()
    with news.told(ONE, first):
        assert names(first, 1) == ["a"]
        cluster.coming.put({"type": "ADDED", "object": event("c", f"{ONE}-2")})
        assert names(first, 1) == ["c"]
        with news.told(OTHER, second):
            assert names(second, 1) == ["b"]
            cluster.coming.put({"type": "ADDED", "object": event("d", f"{OTHER}-1")})
            cluster.coming.put({"type": "DELETED", "object": event("a", f"{ONE}-1")})
            assert names(second, 1) == ["d"]
            gone = first.get(timeout=WITHIN_S)
            assert gone == Changed("events", "a", None)
    assert first.empty()
    assert second.empty()
    assert cluster.asked == {"events": 1}, "once for both"
    news.close()


def test_what_has_ended_hears_no_more() -> None:
    cluster = Cluster()
    news = NamespaceNews(cluster)  # type: ignore[arg-type]
    ended, goes_on = SimpleQueue[WatchNews](), SimpleQueue[WatchNews]()
    with news.told(ONE, goes_on):
        with news.told(ONE, ended):
            pass
        cluster.coming.put({"type": "ADDED", "object": event("a", f"{ONE}-1")})
        assert names(goes_on, 1) == ["a"]
    assert ended.empty()


def test_a_watch_that_is_refused_is_told_to_all_also_to_those_who_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiforge.launcher.kubernetes.watching.FORGIVEN_REFUSALS", 0)
    cluster = Cluster()
    cluster.refuses = True
    news = NamespaceNews(cluster)  # type: ignore[arg-type]
    first, later = SimpleQueue[WatchNews](), SimpleQueue[WatchNews]()
    with news.told(ONE, first):
        assert isinstance(first.get(timeout=WITHIN_S), WatchFailed)
        with news.told(OTHER, later):
            assert isinstance(later.get(timeout=WITHIN_S), WatchFailed)


def test_queues_are_watched_where_the_cluster_tells_of_them() -> None:
    cluster = Cluster(event("a", f"{ONE}-1"), queues=True)
    changes = SimpleQueue[WatchNews]()
    with NamespaceNews(cluster).told(ONE, changes):  # type: ignore[arg-type]
        assert names(changes, 1) == ["a"]
    assert set(cluster.asked) <= {"events", "workloads"}
