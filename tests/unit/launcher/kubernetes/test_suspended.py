"""Who holds a suspended Job: a person, or Kueue, in the words of its Workload."""

from typing import Any

import pytest

from ctiforge.launcher.kubernetes.diagnosis import Category, diagnose
from tests.unit.launcher.kubernetes.cases import JOB, Object, after, condition, job

NO_ROOM = (
    "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor default, "
    "1 more needed"
)
BY_WHOM = "Preempted to accommodate a workload (UID: 3a, JobUID: 9) due to prioritization in the ClusterQueue"


def held(labels: dict[str, str] | None = None) -> Object:
    found = job(condition("Suspended", message="Job suspended", since=3))
    found["spec"]["suspend"] = True
    found["metadata"] |= {"uid": "u", "labels": {**found["metadata"]["labels"], **(labels or {})}}
    return found


def workload(*conditions: Object, active: bool | None = None, **status: Any) -> Object:
    spec = {"queueName": "gpus", **({} if active is None else {"active": active})}
    metadata = {"name": f"job-{JOB}-1a2b3", "namespace": "ml", "ownerReferences": [{"uid": "u"}]}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions), **status}}


def reserved(status: str, reason: str, message: str = "") -> Object:
    return condition("QuotaReserved", status, reason, message, since=7)


@pytest.mark.parametrize(
    ("found", "summary", "told", "remedy"),
    [
        (workload(), "queue gpus and has not been looked at there yet", "", "not counted"),
        (workload(reserved("False", "Pending", NO_ROOM)), "until there is room", "1 more needed", "not counted"),
        (
            workload(reserved("False", "Inadmissible", "LocalQueue gpus doesn't exist")),
            "cannot let it in",
            "doesn't exist",
            "mend what it names",
        ),
        (
            workload(
                reserved("False", "Pending", NO_ROOM),
                condition("Evicted", "True", "Preempted", "Preempted"),
                condition("Preempted", "True", "InClusterQueue", BY_WHOM),
            ),
            "it made room for other work",
            "due to prioritization",
            "last checkpoint",
        ),
        (
            workload(reserved("False", "Pending"), condition("Evicted", "True", "PodsReadyTimeout", "Exceeded 5m")),
            "was not ready in the time",
            "Exceeded 5m",
            "last checkpoint",
        ),
        (
            workload(reserved("False", "Pending"), condition("Evicted", "True", "ClusterQueueStopped", "stopped")),
            "its cluster queue was stopped",
            "stopped",
            "wait",
        ),
        (
            workload(reserved("False", "Pending"), condition("Evicted", "True", "OfTomorrow", "new words")),
            "it was evicted (OfTomorrow)",
            "new words",
            "wait",
        ),
        (
            workload(condition("Evicted", "True", "DeactivatedDueToRequeuingLimitExceeded", "limit"), active=False),
            "was taken out of it",
            "limit",
            '"active":true',
        ),
        (
            workload(
                reserved("True", "QuotaReserved"), admissionChecks=[{"name": "provision-gpu", "state": "Pending"}]
            ),
            "waits for provision-gpu",
            "",
            "describe workload",
        ),
        # let in again: what it was evicted for is past
        (
            workload(reserved("True", "QuotaReserved"), condition("Evicted", "False", "QuotaReserved")),
            "waits to be started",
            "",
            "describe workload",
        ),
    ],
)
def test_a_queue_says_why_it_holds_a_job(found: Object, summary: str, told: str, remedy: str) -> None:
    diagnosis = diagnose(held(), [], [], after(9), workload=found)
    assert diagnosis
    assert diagnosis.category is Category.SUSPENDED
    assert not diagnosis.category.is_fatal
    assert summary in diagnosis.summary
    assert told in diagnosis.detail
    assert remedy in diagnosis.remedy


def test_without_a_workload_the_label_names_the_queue() -> None:
    diagnosis = diagnose(held({"kueue.x-k8s.io/queue-name": "gpus"}), [], [], after(9))
    assert diagnosis
    assert "it waits in the queue gpus" in diagnosis.summary
    assert "patch job" not in diagnosis.remedy


def test_a_job_that_a_person_holds_is_told_how_to_go_on() -> None:
    diagnosis = diagnose(held(), [], [], after(9))
    assert diagnosis
    assert "it is suspended" in diagnosis.summary
    assert '{"spec":{"suspend":false}}' in diagnosis.remedy
