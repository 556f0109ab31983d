"""Cancelling a run, on a cluster that does what no real one does on demand."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from ctiforge.errors import CannotGoOnError
from ctiforge.launcher.kubernetes import runs
from ctiforge.launcher.kubernetes.client import Object, ResourceKind


@dataclass
class FakeCluster:
    """Its pods vanish between two questions, and no watch ever tells of it."""

    pods: list[list[str]]
    """What each further question about pods finds; the last one for ever."""
    deleted: list[str] = field(default_factory=list)

    def list(self, kind: ResourceKind, selector: str | None = None) -> tuple[list[Object], str]:
        if kind == "jobs":
            return ([] if self.deleted or "!" in (selector or "") else [{"metadata": {"name": "job"}}]), "1"
        now = self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]
        return [{"metadata": {"name": name, "resourceVersion": "1"}} for name in now], "1"

    def watch(self, kind: ResourceKind, selector: str | None, version: str) -> Iterator[Object]:
        return iter(())

    def delete_job(self, name: str) -> None:
        self.deleted.append(name)


def test_pods_that_vanish_before_the_watch_begins_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(runs, "GONE_WITHIN_S", 30)
    cluster = FakeCluster([["a", "b"], ["a"], []])
    assert runs.cancel(cluster, "mine") == 1
    assert cluster.deleted == ["job"]


def test_pods_that_stay_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(runs, "GONE_WITHIN_S", 0.05)
    with pytest.raises(CannotGoOnError, match=r"still there after 0\.05 s: stays"):
        runs.cancel(FakeCluster([["stays"]]), "mine")
