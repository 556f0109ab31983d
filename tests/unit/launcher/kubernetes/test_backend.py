"""What the backend knows of other launchers: whether one may bring back a Job that is gone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ctiforge.errors import StoreError
from ctiforge.launcher.backend import Command
from ctiforge.launcher.kubernetes.backend import KubernetesBackend
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.store.launcher_note import heard_of
from ctiforge.store.objects import ObjectStore, open_store


class Clocked:
    """A cluster that tells the time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Any) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def test_a_launcher_is_alone_until_another_of_its_release_is_heard(store: ObjectStore) -> None:
    backend = KubernetesBackend(Clocked(), "t", store)  # type: ignore[arg-type]
    with heard_of(store, "mine", "t"):
        assert backend._is_alone()
        with heard_of(store, "another-team", "u"):
            assert backend._is_alone()
        # of the same run or another: both may follow the same work
        for run in ("mine", "theirs"):
            with heard_of(store, run, "t"):
                assert not backend._is_alone()
        assert backend._is_alone()


def test_where_the_store_does_not_say_a_launcher_is_not_taken_to_be_alone(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> Any:
        raise StoreError("nothing answers there")

    backend = KubernetesBackend(Clocked(), "t", store)  # type: ignore[arg-type]
    monkeypatch.setattr(type(store), "list", away)
    assert not backend._is_alone()


def test_memory_is_told_for_the_processes_that_the_chart_gives_the_pods(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = {"args": ["train_extract", "--nproc=2", "--nodes=2", "--first-node=a:1"], "name": "stage"}
    asked = []

    class WithTemplates(Clocked):
        def cron_job(self, name: str) -> Object:
            asked.append(name)
            if name == "t-train-os-bert":
                raise ClusterError("there is no such template")
            return {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [template]}}}}}}

    backend = KubernetesBackend(WithTemplates(), "t", store)  # type: ignore[arg-type]
    monkeypatch.setattr(backend._planner, "estimate", lambda commands: [each.arguments for each in commands.values()])
    commands = {name: Command(name, ("--fsdp",)) for name in ("train_extract", "train_os_bert")}

    assert backend.estimate(commands) == [("--fsdp", "--nproc=4"), ("--fsdp",)]
    backend.estimate({"train_extract": commands["train_extract"]})
    # points of a sweep have one template
    assert asked == ["t-train-extract", "t-train-os-bert"]
