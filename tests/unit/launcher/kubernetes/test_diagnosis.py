"""The Job as a whole: which of its pods speaks, and who tries again."""

import pytest

from ctiforge.errors import ExitCode
from ctiforge.launcher.kubernetes.diagnosis import Category, diagnose
from tests.unit.launcher.kubernetes.cases import (
    JOB,
    POD,
    Object,
    after,
    condition,
    ended,
    event,
    expect,
    job,
    member,
    of_two,
    pod,
    running,
    unscheduled,
    waiting,
)

READY = (condition("Ready"), condition("ContainersReady"))
GIVEN_UP = condition("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit", 60)
TOO_LATE = condition("Failed", "True", "DeadlineExceeded", "Job was active longer than specified deadline", 60)
SUCCEEDED = pod("Succeeded", {"terminated": {"exitCode": 0, "reason": "Completed"}}, condition("Ready", "False"))


def by_policy(code: int, kind: str = "Failed") -> Object:
    said = f"Container stage for pod ml/{POD} failed with exit code {code} matching FailJob rule at index 0"
    return condition(kind, "True", "PodFailurePolicy", said, 60)


@pytest.mark.parametrize(
    ("its_job", "pods"),
    [
        (job(), []),
        (job(), [running(*READY)]),
        (job(), [running(condition("Ready", "False"), condition("ContainersReady", "False"))]),
        (job(), [SUCCEEDED]),
        (job(condition("Complete")), []),
        (job(condition("Complete"), failed=1), [ended(1), SUCCEEDED]),
        (job(condition("Suspended")), []),
        (job(failed=1), [ended(1, name="first"), running(*READY, created=70)]),
    ],
)
def test_nothing_is_wrong(its_job: Object, pods: list[Object]) -> None:
    assert diagnose(its_job, pods, [], after(100)) is None


def test_the_newest_pod_speaks() -> None:
    crashed = ended(1, name="first")
    stuck = unscheduled("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: …")
    stuck["metadata"]["creationTimestamp"] = "2026-03-01T12:01:00Z"
    expect(diagnose(job(failed=1), [stuck, crashed], [], after(70)), Category.NO_CPU, POD, "cpu")
    again = ended(3, name="second", created=60)
    expect(diagnose(job(failed=1), [again, crashed], [], after(120)), Category.DATA_ERROR, "pod second", "")


def test_a_job_that_was_given_up_tells_the_newest_cause() -> None:
    pods = [ended(137, "OOMKilled", name="first"), ended(1, name="second", created=60)]
    found = diagnose(job(GIVEN_UP, failed=4), pods, [], after(120), {"second": ["RuntimeError: no"]})
    found = expect(found, Category.CRASHED, "given up after 4 failed pods", "ctiforge logs")
    assert "pod second" in found.summary
    assert found.detail == "RuntimeError: no"
    assert found.exit_code == 1


def test_a_job_that_is_about_to_be_given_up_tells_what_its_pod_does() -> None:
    """How many pods failed is not known by then, and the pod's own words were told."""
    about_to = {**GIVEN_UP, "type": "FailureTarget"}
    before, then = (diagnose(each, [ended(1)], [], after(61)) for each in (job(), job(about_to)))
    assert before
    assert then
    assert before.summary == then.summary


@pytest.mark.parametrize("kind", ["Failed", "FailureTarget"])
def test_a_job_that_failed_by_its_policy_tells_the_exit_code_even_where_the_pod_is_gone(kind: str) -> None:
    its_job = job(by_policy(3, kind))
    for pods in ([ended(3)], []):
        found = expect(diagnose(its_job, pods, [], after(61)), Category.DATA_ERROR, f"pod {POD}: there is too", "logs")
        assert found.exit_code == 3


def test_a_job_without_pods_tells_its_own_reason() -> None:
    gone = diagnose(job(GIVEN_UP, failed=4), [], [], after(61))
    expect(gone, Category.JOB_FAILED, f"job {JOB}: it failed (given up after 4", f"kubectl -n ml describe job {JOB}")
    late = diagnose(job(TOO_LATE), [ended(143)], [], after(61))
    assert expect(late, Category.DEADLINE, "within 604800 s", "same command again").since == after(60)


UNPLACED = unscheduled("0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are available: …")
EVICTED = condition("DisruptionTarget", "True", "EvictionByEvictionAPI")
LOST = (condition("Ready", "False", since=40), condition("ContainersReady"))


@pytest.mark.parametrize(
    ("first", "second", "category", "says_most"),
    [
        # the other was lost to it, which is no cause
        (ended(75), ended(137), Category.KILLED, 1),
        (ended(1), ended(75), Category.CRASHED, 0),
        (ended(75), ended(75, "Error", "", EVICTED), Category.EVICTED, 1),
        (ended(75), ended(137, "OOMKilled"), Category.OOM_KILLED, 1),
        (ended(1), ended(137, "OOMKilled"), Category.OOM_KILLED, 1),
        (ended(137, "OOMKilled"), ended(4), Category.CANNOT_GO_ON, 1),
        (ended(2), ended(2), Category.USAGE_ERROR, 0),
        (running(*READY), ended(1), Category.CRASHED, 1),
        (running(*READY), running(*LOST), Category.NODE_LOST, 1),
        (ended(75), running(*LOST), Category.NODE_LOST, 1),
        (ended(1), running(*LOST), Category.NODE_LOST, 1),
        (waiting("ErrImagePull", "not found"), ended(137), Category.IMAGE_NOT_FOUND, 0),
        (UNPLACED, ended(75, "Error", "", EVICTED), Category.EVICTED, 1),
        (ended(75), UNPLACED, Category.NO_GPU, 1),
        (ended(75), running(*READY), Category.INTERRUPTED, 0),
    ],
)
def test_of_two_that_work_together_the_one_whose_end_says_most_speaks(first, second, category, says_most) -> None:
    pods = [member(0, first), member(1, second)]
    for order in (pods, pods[::-1]):
        found = expect(diagnose(of_two(job()), order, [], after(90)), category, f"{JOB}-{says_most}", "")
        assert "for the others" not in found.summary or category is Category.NO_GPU
    assert diagnose(of_two(job()), [member(0, running(*READY)), member(1, running(*READY))], [], after(90)) is None


def test_a_pod_that_cannot_start_says_who_waits_for_it() -> None:
    pods = [member(0, running(*READY)), member(1, UNPLACED)]
    found = expect(diagnose(of_two(job()), pods, [], after(90)), Category.NO_GPU, f"{JOB}-1", "wait for one")
    assert found.summary.startswith(f"1 of 2 pods runs and waits for the others: pod {JOB}-1: no node has free")
    refused = event(
        "FailedCreate",
        'Error creating: pods "x" is forbidden: exceeded quota: gpus, requested: pods=1, used: pods=1, limited: pods=1',
        JOB,
        since=30,
    )
    found = expect(diagnose(of_two(job()), pods[:1], [refused], after(90)), Category.QUOTA_EXCEEDED, "gpus", "")
    assert found.summary.startswith("1 of 2 pods runs and waits for the others: ")


@pytest.mark.parametrize("reason", ["BackoffLimitExceeded", "PodFailurePolicy"])
def test_a_job_of_two_that_failed_tells_the_end_that_says_most_of_the_last_try(reason: str) -> None:
    its_job = of_two(job(condition("Failed", "True", reason, "", 60), failed=2))
    before = [member(0, ended(75)), member(1, ended(139), name="before")]
    last = [member(0, ended(75, created=60)), member(1, ended(3, created=60), name="last")]
    found = diagnose(its_job, [*before, *last], [], after(120), {"last": ["error: too few"], "before": ["no"]})
    assert found
    assert (found.category, found.detail) == (Category.DATA_ERROR, "error: too few")
    # one that only lost the other explains nothing: the try before does
    found = diagnose(its_job, [*before, last[0]], [], after(120))
    assert found
    assert found.category is Category.CRASHED


def test_what_waiting_does_not_mend() -> None:
    assert {category for category in Category if category.is_fatal} == {
        Category.ADMISSION_REFUSED,
        Category.IMAGE_NOT_FOUND,
        Category.IMAGE_NOT_PERMITTED,
        Category.IMAGE_NAME_INVALID,
        Category.SECRET_MISSING,
        Category.CONFIG_MAP_MISSING,
        Category.CANNOT_START,
        Category.USAGE_ERROR,
        Category.DATA_ERROR,
        Category.CANNOT_GO_ON,
        Category.GATE_NOT_PASSED,
        Category.SCRATCH_FULL,
        Category.DEADLINE,
        Category.JOB_FAILED,
    }


def test_what_a_run_exits_with() -> None:
    assert Category.SECRET_MISSING.exit_code is ExitCode.USAGE
    assert Category.OOM_KILLED.exit_code is ExitCode.CANNOT_GO_ON
    assert Category.SCRATCH_FULL.exit_code is ExitCode.CANNOT_GO_ON
    assert Category.NO_GPU.exit_code is ExitCode.CANNOT_GO_ON
    assert Category.DATA_ERROR.exit_code is None
    assert Category.CRASHED.exit_code is None
