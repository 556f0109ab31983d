"""Kueue's words of a Job that its queue holds: its API is there, and the test plays its controller."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctiforge.launcher.kubernetes.client import Cluster
from tests.cluster.conftest import Place, kubectl, pods_of

CRDS = Path(os.environ.get("CTIFORGE_CRDS", Path(__file__).parents[3] / "shared/crds"))
WORKLOADS = CRDS / "kueue-workloads.yaml.gz"
NO_ROOM = "insufficient unused quota for nvidia.com/gpu in flavor default, 1 more needed"
BY_WHOM = "Preempted to accommodate a workload due to prioritization in the ClusterQueue"


@pytest.fixture
def kueue() -> Iterator[None]:
    """Kueue's Workload as the cluster's API knows it, until the test is over."""
    if not WORKLOADS.exists():
        pytest.skip(f"{WORKLOADS} is not there: set CTIFORGE_CRDS to a folder with Kueue's definitions")
    definitions = gzip.decompress(WORKLOADS.read_bytes()).decode()
    kubectl("apply", "--server-side", "-f", "-", given=definitions)
    # its conditions are not there at first, which a wait for one of them takes for an error
    known = "--for=jsonpath={.status.acceptedNames.kind}=Workload"
    kubectl("wait", "crd/workloads.kueue.x-k8s.io", known, "--timeout=60s")
    yield
    kubectl("delete", "-f", "-", given=definitions)


@pytest.mark.usefixtures("kueue")
def test_a_queue_holds_a_job_lets_it_in_and_takes_it_back(place: Place) -> None:
    place.install("stages.harvest_extract.labels.kueue\\.x-k8s\\.io/queue-name=gpus")
    with place.following("harvest_extract", "--from-database") as following:
        kubectl(
            "wait", "pod", "-l", pods_of("harvest_extract"), "--for=create", "--timeout=300s", namespace=place.namespace
        )
        (job,) = place.jobs()
        hold(place, job, held=True)
        make_workload(place, job)
        say(place, job, condition("QuotaReserved", "False", "Pending", NO_ROOM))
        place.wait_until_said("1 more needed")
        say(
            place,
            job,
            condition("QuotaReserved", "False", "Pending", NO_ROOM),
            condition("Evicted", "True", "Preempted", "Preempted"),
            condition("Preempted", "True", "InClusterQueue", BY_WHOM),
        )
        place.wait_until_said("made room for other work")
        hold(place, job, held=False)
        following.thread.join(300)
    outcome = following.wait()
    assert (outcome.exit_code, outcome.attempts) == (0, 1), outcome
    assert any("queue gpus" in line for line in place.said)


def hold(place: Place, job: str, *, held: bool) -> None:
    body = json.dumps({"spec": {"suspend": held}})
    kubectl("patch", "job", job, "--type=merge", "-p", body, namespace=place.namespace)


def make_workload(place: Place, job: str) -> None:
    """Make the Workload of the Job as Kueue does."""
    uid = kubectl("get", "job", job, "-o", "jsonpath={.metadata.uid}", namespace=place.namespace)
    container = {"name": "stage", "image": "none"}
    pod_set = {"name": "main", "count": 1, "template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid, "controller": True}
    workload = {
        "apiVersion": f"kueue.x-k8s.io/{version(place.cluster)}",
        "kind": "Workload",
        "metadata": {"name": f"job-{job}", "namespace": place.namespace, "ownerReferences": [owner]},
        "spec": {"queueName": "gpus", "podSets": [pod_set]},
    }
    kubectl("create", "-f", "-", namespace=place.namespace, given=json.dumps(workload))


def say(place: Place, job: str, *conditions: dict[str, str]) -> None:
    """Write what Kueue's controller would."""
    body = json.dumps({"status": {"conditions": conditions}})
    patch = ("patch", f"workloads.kueue.x-k8s.io/job-{job}", "--subresource=status", "--type=merge", "-p", body)
    kubectl(*patch, namespace=place.namespace)


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    since = "2026-03-01T12:00:00Z"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def version(cluster: Cluster) -> str:
    groups = json.loads(kubectl("get", "--raw", "/apis/kueue.x-k8s.io"))
    assert cluster.has_kueue()
    return str(groups["preferredVersion"]["version"])
