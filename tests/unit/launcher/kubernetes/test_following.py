"""A run's pods are followed as they come, each line once, until the run ends."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ctiforge.launcher.kubernetes import following, watching
from ctiforge.launcher.kubernetes.following import Following
from ctiforge.launcher.kubernetes.runs import live_logs
from ctiforge.store.objects import ObjectStore
from tests.unit.launcher.kubernetes.small_cluster import SmallCluster, key_of, put_run, store_in

PROGRESS = '{"event": "progress", "stage": "x", "done": 1, "total": 2, "eta_s": 1.0, "metrics": {}}'


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(watching, "PAUSE_S", 0.01)
    return store_in(tmp_path)


def followed(
    cluster: SmallCluster, store: ObjectStore, then: dict[str, Callable[[], object]], stage: str | None = None
) -> list[str]:
    """What is said of the run `mine`, where lines are followed by something that happens."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        then.get(line, lambda: None)()

    Following(cluster, store, "t", "mine", stage, say).follow()
    return said


def test_next_pods_and_next_stages_are_followed_to_the_runs_end(store: ObjectStore) -> None:
    cluster = SmallCluster()
    put_run(store, "mine")
    harvest, train = "harvest-extract-a", key_of(store)
    cluster.logs = {
        f"{harvest}-1-pod": ["one", PROGRESS, PROGRESS, "two"],
        f"{train}-1-pod": ["three"],
        f"{train}-2-pod": ["three again", "four"],
        "train-extract-x-1-pod": ["of others"],
    }
    cluster.put_stage("train-extract-x", "theirs")
    cluster.put_stage(harvest, "mine", stage="harvest-extract")

    def trains() -> None:
        cluster.end(f"{harvest}-1")
        cluster.put_stage(train, "mine")

    def begins_again() -> None:
        cluster.end(f"{train}-1", "Failed")
        cluster.put_stage(train, "mine", 2)

    def is_done() -> None:
        cluster.end(f"{train}-2")
        put_run(store, "mine", state="done")

    said = followed(cluster, store, {"two": trains, "three": begins_again, "four": is_done})
    assert said == [
        f"--- {harvest}-1-pod", "one", "1/2 eta 0:01", "two",
        f"--- {train}-1-pod", "three",
        f"--- {train}-2-pod", "three again", "four",
    ]  # fmt: skip


def test_one_stage_alone_is_followed(store: ObjectStore) -> None:
    cluster = SmallCluster()
    put_run(store, "mine", state="done")
    for name, stage in (("harvest-extract-a", "harvest-extract"), ("train-extract-b", "train-extract")):
        cluster.logs[f"{name}-1-pod"] = [f"of {stage}"]
        cluster.end(cluster.put_stage(name, "mine", stage=stage))
    assert followed(cluster, store, {}, "train_extract") == ["--- train-extract-b-1-pod", "of train-extract"]


def test_work_that_another_run_has_begun_is_the_runs_too_and_ends_with_it(store: ObjectStore) -> None:
    cluster = SmallCluster()
    put_run(store, "mine")
    shared = cluster.put_stage(key_of(store), "owner", stage="train-otherwise-called")
    cluster.logs[f"{shared}-pod"] = ["shared"]
    # its launcher was killed: the run ends when its Job does
    said = followed(cluster, store, {"shared": lambda: cluster.end(shared)}, "train_extract")
    assert said == [f"--- {shared}-pod", "shared"]


def test_a_launcher_that_has_not_begun_is_waited_for(store: ObjectStore) -> None:
    cluster = SmallCluster()
    cluster.put_launcher("mine")
    looks: list[str] = []
    list_, job = cluster.list, "harvest-extract-a-1"
    cluster.logs[f"{job}-pod"] = ["first"]

    def begin_later(kind: str, selector: str | None = None) -> object:
        looks.append(kind)
        if len(looks) == 20:
            cluster.put_stage("harvest-extract-a", "mine")
        return list_(kind, selector)

    cluster.list = begin_later  # type: ignore[method-assign, assignment]

    def ends() -> None:
        cluster.end(job)
        cluster.end("mine", "Failed")

    assert followed(cluster, store, {"first": ends}) == [f"--- {job}-pod", "first"]


def test_a_launcher_in_the_cluster_is_followed_where_it_is_asked_for(store: ObjectStore) -> None:
    cluster = SmallCluster()
    cluster.put_launcher("mine")
    cluster.put_launcher("other")
    cluster.end(cluster.put_stage("harvest-extract-a", "mine"))
    cluster.logs = {"mine-pod": ["harvest_extract: started"], "other-pod": ["x"], "harvest-extract-a-1-pod": ["y"]}
    said = followed(cluster, store, {"harvest_extract: started": lambda: cluster.end("mine")}, "launcher")
    assert said == ["--- mine-pod", "harvest_extract: started"]


@pytest.mark.parametrize(
    ("stage", "pods"),
    [
        (None, ["harvest-extract-a-1-pod", "mine-pod"]),
        ("launcher", ["mine-pod"]),
        ("harvest_extract", ["harvest-extract-a-1-pod"]),
    ],
)
def test_logs_of_pods_that_are_there_have_a_scheduled_launchers_among_them(stage: str | None, pods: list[str]) -> None:
    cluster = SmallCluster()
    cluster.put_launcher("mine")
    cluster.put_launcher("other")
    cluster.put_stage("harvest-extract-a", "mine", stage="harvest-extract")
    cluster.logs = {"mine-pod": ["harvests"]}
    found = {name: list(lines) for name, lines in live_logs(cluster, "mine", stage)}
    assert sorted(found) == pods
    assert found.get("mine-pod", ["harvests"]) == ["harvests"]
