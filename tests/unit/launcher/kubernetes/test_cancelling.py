"""Cancelling a run: what ends, and what goes on because others follow it."""

import json
import os
import time
from pathlib import Path

import pytest

from ctiforge.errors import CannotGoOnError, ExitCode, InterruptedRunError, UsageError
from ctiforge.launcher.backend import Command, Task
from ctiforge.launcher.kubernetes import cancelling, stopping
from ctiforge.launcher.kubernetes.backend import KubernetesBackend
from ctiforge.launcher.kubernetes.cancelling import Cancelled, cancel
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.manifests import place_of
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.store.launcher_note import STALE_AFTER, heard_of
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import load_run
from tests.unit.launcher.kubernetes.small_cluster import PRINT, SmallCluster, key_of, put_run, store_in


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return store_in(tmp_path)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> SmallCluster:
    monkeypatch.setattr(cancelling, "LOOK_AGAIN_S", 0.01)
    return SmallCluster()


def test_a_scheduled_run_ends_with_its_launcher_first(cluster: SmallCluster, store: ObjectStore) -> None:
    put_run(store, "t-retrain-extract-29")
    launcher = cluster.put_launcher("t-retrain-extract-29")
    stage = cluster.put_stage(key_of(store), "t-retrain-extract-29")
    cluster.put_launcher("t-retrain-os-bert-29")
    assert cancel(cluster, store, "t", "t-retrain-extract-29") == Cancelled(2)
    assert cluster.deleted == [launcher, stage]
    assert list(cluster.found["pods"]) == ["t-retrain-os-bert-29-pod"]
    assert load_run(store, "t-retrain-extract-29").state == "cancelled"


def test_a_launcher_that_has_no_record_yet_ends(cluster: SmallCluster, store: ObjectStore) -> None:
    put_run(store, "nightly-2")
    stage = cluster.put_stage(key_of(store), "nightly-2")
    cluster.put_launcher("nightly")
    assert cancel(cluster, store, "t", "nightly") == Cancelled(1)
    assert list(cluster.found["jobs"]) == [stage], "a run whose id begins so is another one"


def test_a_jobs_name_is_no_run(cluster: SmallCluster, store: ObjectStore) -> None:
    stage = cluster.put_stage(key_of(store), "mine")
    cluster.pods_stay = True
    cluster.found["pods"].clear()
    with pytest.raises(UsageError, match=f"there is no run {stage}"):
        cancel(cluster, store, "t", stage)
    assert list(cluster.found["jobs"]) == [stage]


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_run_that_has_ended_keeps_its_end(cluster: SmallCluster, store: ObjectStore, state: str) -> None:
    before = put_run(store, "mine", state=state, reason="the disk was full", exit_code=4)
    left = cluster.put_stage(key_of(store), "mine")
    assert cancel(cluster, store, "t", "mine") == Cancelled(1)
    assert cluster.deleted == [left]
    assert load_run(store, "mine") == before


def test_work_that_others_follow_goes_on_and_they_are_named(cluster: SmallCluster, store: ObjectStore) -> None:
    put_run(store, "mine")
    put_run(store, "theirs")
    put_run(store, "nightly")
    put_run(store, "long-dead")
    shared = cluster.put_stage(key_of(store), "mine")
    own = cluster.put_stage("harvest-extract-aaa", "mine")
    cluster.put_launcher("nightly")
    with heard_of(store, "theirs", "t"):
        assert cancel(cluster, store, "t", "mine") == Cancelled(1, {shared: "runs nightly, theirs follow it"})
    assert cluster.deleted == [own]
    assert load_run(store, "mine").state == "cancelled"


def test_force_ends_it_for_all(cluster: SmallCluster, store: ObjectStore) -> None:
    put_run(store, "mine")
    put_run(store, "theirs")
    shared = cluster.put_stage(key_of(store), "mine")
    with heard_of(store, "theirs", "t"):
        assert cancel(cluster, store, "t", "mine", force=True) == Cancelled(1)
    assert cluster.deleted == [shared]


def test_a_run_whose_launcher_is_not_heard_of_any_more_follows_nothing(
    cluster: SmallCluster, store: ObjectStore
) -> None:
    put_run(store, "mine")
    put_run(store, "theirs")
    shared = cluster.put_stage(key_of(store), "mine")
    key = "runs/theirs/launchers/note.json"
    note = {"place": ["another machine"], "pid": 1, "begun": "1", "release": "t"}
    for age_s, ended in ((STALE_AFTER.total_seconds() - 60, []), (STALE_AFTER.total_seconds() + 60, [shared])):
        store.write(key, json.dumps(note).encode())
        then = time.time() - age_s
        os.utime(Path(store.uri) / key, (then, then))
        cancel(cluster, store, "t", "mine")
        assert cluster.deleted == ended


@pytest.mark.parametrize("state", ["done", "cancelled"])
def test_a_run_that_is_done_with_the_stage_follows_it_no_more(
    cluster: SmallCluster, store: ObjectStore, state: str
) -> None:
    put_run(store, "mine")
    theirs = put_run(store, "theirs")
    stages = [each.model_copy(update={"state": state}) for each in theirs.stages]
    put_run(store, "theirs", stages=stages)
    cluster.put_stage(key_of(store), "mine")
    with heard_of(store, "theirs", "t"):
        assert cancel(cluster, store, "t", "mine") == Cancelled(1)


def test_another_release_has_work_of_its_own(cluster: SmallCluster, store: ObjectStore) -> None:
    put_run(store, "mine")
    put_run(store, "theirs")
    shared = cluster.put_stage(key_of(store), "mine")
    other = cluster.put_stage(key_of(store, "prod"), "theirs")
    with heard_of(store, "theirs", "prod"):
        assert cancel(cluster, store, "t", "mine") == Cancelled(1)
    assert (cluster.deleted, list(cluster.found["jobs"])) == ([shared], [other])


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_run_that_follows_anothers_job_leaves_it_alone(cluster: SmallCluster, store: ObjectStore, state: str) -> None:
    put_run(store, "owner", state=state)
    put_run(store, "mine")
    shared = cluster.put_stage(key_of(store), "owner")
    assert cancel(cluster, store, "t", "mine") == Cancelled(0, {shared: "it is run owner's"})
    assert cluster.deleted == []
    assert cancel(cluster, store, "t", "mine", force=True) == Cancelled(1)


def test_the_last_run_that_follows_a_job_of_a_cancelled_run_ends_it(cluster: SmallCluster, store: ObjectStore) -> None:
    for run in ("owner", "mine", "third"):
        put_run(store, run)
    shared = cluster.put_stage(key_of(store), "owner")
    with heard_of(store, "mine", "t"):
        with heard_of(store, "third", "t"):
            cancel(cluster, store, "t", "owner")
            assert cancel(cluster, store, "t", "mine") == Cancelled(0, {shared: "run third follows it"})
        assert cluster.deleted == []
    assert cancel(cluster, store, "t", "third") == Cancelled(1)
    assert (cluster.deleted, cluster.found["pods"]) == ([shared], {})


def test_the_run_that_goes_on_follows_to_the_end(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "LOOK_AGAIN_S", 0.01)
    put_run(store, "mine")
    put_run(store, "theirs")
    shared = f"{key_of(store)}-1"
    done: list[Cancelled] = []

    def cancel_mine(cluster: SmallCluster) -> None:
        done.append(cancel(cluster, store, "t", "mine"))

    cluster = SmallCluster(5.0, cancel_mine, 120.0, lambda cluster: cluster.end(shared))
    cluster.put_stage(key_of(store), "mine")
    with heard_of(store, "theirs", "t"):
        outcome = cluster.follow(run="theirs", place=place_of("t", store.uri))
    assert done == [Cancelled(0, {shared: "run theirs follows it"})]
    assert (outcome.exit_code, outcome.attempts) == (0, 1)
    assert (cluster.calls, cluster.deleted) == ([], [])


def test_a_launcher_elsewhere_stops_following_when_its_run_is_cancelled(
    cluster: SmallCluster, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY_S", 0.01)
    put_run(store, "mine", state="cancelled")
    shared = cluster.put_stage(key_of(store), "mine")
    task = Task("mine", "train_extract", PRINT)
    with pytest.raises(InterruptedRunError, match="the run was cancelled"):
        KubernetesBackend(cluster, "t", store).run(Command("train_extract", task=task), lambda event: None)
    assert list(cluster.found["jobs"]) == [shared]


def test_pods_that_vanish_before_the_watch_begins_are_not_waited_for(
    cluster: SmallCluster, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "GONE_WITHIN_S", 30)
    left = [["a", "b"], ["a"]]

    def pods(*_: object) -> tuple[list[Object], str]:
        now = left.pop(0) if left else []
        metadata = {"resourceVersion": "1", "ownerReferences": [{"uid": "uid-train-extract-a-1"}]}
        return [{"metadata": {**metadata, "name": name}} for name in now], "1"

    listed = cluster.list
    monkeypatch.setattr(cluster, "list", lambda kind, *by: pods() if kind == "pods" else listed(kind, *by))
    cluster.put_stage("train-extract-a", "mine")
    assert cancel(cluster, store, "t", "mine") == Cancelled(1)


def test_pods_that_stay_are_named(cluster: SmallCluster, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "GONE_WITHIN_S", 0.05)
    cluster.pods_stay = True
    stage = cluster.put_stage("train-extract-a", "mine")
    with pytest.raises(CannotGoOnError, match=rf"still there after 0\.05 s: {stage}-pod"):
        cancel(cluster, store, "t", "mine")


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_a_pod_that_was_left_without_its_job_is_named_at_once_while_it_runs(
    cluster: SmallCluster, store: ObjectStore, phase: str
) -> None:
    """`kubectl delete job --cascade=orphan` takes a pod's owner away: nothing deletes it, then or later."""
    put_run(store, "mine")
    cluster.pods_stay = True
    stage = cluster.put_stage(key_of(store), "mine")
    del cluster.found["jobs"][stage]
    pod = cluster.found["pods"][f"{stage}-pod"]
    pod["metadata"].pop("ownerReferences")
    pod["status"]["phase"] = phase
    if phase != "Running":
        assert cancel(cluster, store, "t", "mine") == Cancelled(0)
        return
    with pytest.raises(CannotGoOnError, match=rf"it runs on; to end it: kubectl -n \S+ delete pod {stage}-pod"):
        cancel(cluster, store, "t", "mine")


def test_a_job_that_may_not_be_deleted_is_said_to_go_on(
    cluster: SmallCluster, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(store, "mine")
    stage = cluster.put_stage(key_of(store), "mine")

    def refuse(_: str) -> None:
        raise ClusterError("the policy no-deletes refuses it", 422)

    monkeypatch.setattr(cluster, "delete_job", refuse)
    with pytest.raises(ClusterError, match=f"no-deletes refuses it\njob {stage} goes on") as refused:
        cancel(cluster, store, "t", "mine")
    assert refused.value.exit_code == ExitCode.USAGE
