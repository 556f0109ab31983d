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
    expect,
    job,
    pod,
    running,
    unscheduled,
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
