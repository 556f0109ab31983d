"""What the cluster says of a run that its record takes to be under way."""

import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctiforge.launcher.kubernetes.standing import Living, as_the_cluster_has_it, ask, launcher_without_record
from ctiforge.launcher.kubernetes.states import WorkState
from ctiforge.records.run import RunRecord
from ctiforge.store.launcher_note import heard_of
from ctiforge.store.objects import ObjectStore
from tests.unit.launcher.kubernetes.cases import event
from tests.unit.launcher.kubernetes.small_cluster import SmallCluster, key_of, put_run, store_in

RUNNING, PENDING = WorkState.RUNNING, WorkState.PENDING


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return store_in(tmp_path)


def asked(cluster: SmallCluster, store: ObjectStore, run: RunRecord | None, run_id: str = "mine") -> Living:
    return ask(cluster, store, "t", run_id, run, datetime.now(UTC))


def test_a_killed_launcher_is_told_from_its_job_that_goes_on(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine")
    job = cluster.put_stage(key_of(store), "mine")
    standing = asked(cluster, store, run)
    assert standing == Living(jobs={job: RUNNING})
    told = as_the_cluster_has_it(run, standing)
    assert told.state == "running"
    assert told.reason == (
        f"its launcher is gone, job {job} goes on: the same command follows it again\n  job {job}: running"
    )


def test_a_job_that_a_cancelled_run_could_not_delete_is_told(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine", state="cancelled", reason="it was cancelled")
    job = cluster.put_stage(key_of(store), "mine")
    told = as_the_cluster_has_it(run, asked(cluster, store, run))
    assert (told.state, told.reason) == (
        "cancelled",
        f"it was cancelled\n  job {job}: running; the same command follows it again, `ctiforge cancel` ends it",
    )
    assert as_the_cluster_has_it(run, Living()) == run


def test_why_a_job_does_not_run_is_told(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine")
    job = cluster.put_stage(key_of(store), "mine")
    (pod,) = cluster.found["pods"].values()
    said = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes: No preemption victims"
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    cluster.put(pod, "Pending", {})
    cluster.found["pods"][f"{job}-pod"]["status"]["conditions"] = [waits]
    cluster.found["pods"][f"{job}-pod"]["spec"]["containers"] = [{"name": "stage"}]
    with heard_of(store, "mine", "t"):
        told = as_the_cluster_has_it(run, asked(cluster, store, run)).reason
    assert told == f"job {job}: pending (pod {job}-pod: no node has free enough of cpu)"


@pytest.mark.parametrize("end", ["Complete", "Failed", None])
def test_a_run_of_which_nothing_lives_is_interrupted(store: ObjectStore, end: str | None) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine")
    if end:
        cluster.end(cluster.put_stage(key_of(store), "mine"), end)
        cluster.end(cluster.put_launcher("mine"), "Failed")
    assert asked(cluster, store, run) == Living()
    told = as_the_cluster_has_it(run, Living())
    assert (told.state, [each.state for each in told.stages]) == ("interrupted", ["done", "interrupted"])
    assert (
        told.reason == "its launcher is gone, and nothing of it runs in the cluster: the same command goes on with it"
    )


def test_a_launcher_elsewhere_is_heard(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine")
    with heard_of(store, "mine", "t"):
        standing = asked(cluster, store, run)
        assert standing == Living(is_heard=True)
        assert as_the_cluster_has_it(run, standing) == run
    assert asked(cluster, store, run) == Living()


def test_a_launcher_in_the_cluster_is_asked_of_its_job(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine")
    cluster.put_launcher("mine")
    assert asked(cluster, store, None) == Living(RUNNING)
    assert as_the_cluster_has_it(run, Living(RUNNING)) == run
    (pod,) = cluster.found["pods"].values()
    cluster.put(pod, "Pending", {})
    assert asked(cluster, store, run) == Living(PENDING)
    assert as_the_cluster_has_it(run, Living(PENDING)).reason == "its launcher, job mine: pending"


def test_a_launcher_in_the_cluster_whose_pod_is_replaced_goes_on_by_itself(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine", state="interrupted", reason="stopped by SIGTERM")
    job = cluster.put_stage(key_of(store), "mine")
    cluster.put_launcher("mine")
    del cluster.found["pods"]["mine-pod"]
    told = as_the_cluster_has_it(run, asked(cluster, store, run))
    assert told.reason == (
        f"stopped by SIGTERM\n  its launcher, job mine: between pods; it goes on by itself\n  job {job}: running"
    )


def test_a_run_whose_launcher_failed_says_what_goes_on(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine", state="failed", reason="nothing answers", exit_code=1)
    run.stages[1].state = "interrupted"
    job = cluster.put_stage(key_of(store), "mine")
    told = as_the_cluster_has_it(run, asked(cluster, store, run))
    assert (told.state, told.exit_code) == ("failed", 1)
    assert told.reason == (
        f"nothing answers\n  job {job}: running; the same command follows it again, `ctiforge cancel` ends it"
    )
    cluster.end(job)
    assert as_the_cluster_has_it(run, asked(cluster, store, run)) == run


def test_a_launcher_that_has_not_begun_says_what_it_waits_for() -> None:
    cluster = SmallCluster()
    assert launcher_without_record(cluster, "mine") is None
    cluster.put_launcher("mine")
    assert launcher_without_record(cluster, "mine") == "mine  not begun\n  its launcher, job mine: running"
    cluster.found["pods"].clear()
    # the template of SmallCluster's Jobs is everybody's
    job = copy.deepcopy(cluster.found["jobs"]["mine"])
    job["spec"]["template"]["metadata"] = {}
    cluster.put_job(job)
    said = 'pods "mine-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5'
    cluster.found["events"]["e"] = event("FailedCreate", said, about="mine")
    told = launcher_without_record(cluster, "mine")
    assert told
    assert "job mine: between pods" in told
    assert "quota small leaves no room for pods=1" in told
    assert "describe resourcequota small" in told


def test_a_job_that_another_run_has_made_is_the_runs_too(store: ObjectStore) -> None:
    cluster, run = SmallCluster(), put_run(store, "mine", state="interrupted", reason="stopped by Ctrl-C")
    job = cluster.put_stage(key_of(store), "owner")
    cluster.put_stage(key_of(store, "prod"), "owner")
    standing = asked(cluster, store, run)
    assert standing == Living(jobs={job: RUNNING})
    told = as_the_cluster_has_it(run, standing)
    assert (told.state, told.reason) == (
        "interrupted",
        f"stopped by Ctrl-C\n  job {job}: running; the same command follows it again, `ctiforge cancel` ends it",
    )
    assert as_the_cluster_has_it(run, Living()) == run
