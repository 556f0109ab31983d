"""What a launcher does next, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from ctiforge.launcher.kubernetes.attempts import FirstMove, crashes_of, decide, first_move, superseded
from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.limits import Limits, limits_of
from ctiforge.launcher.kubernetes.states import Elapsed, WorkState

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def job(attempt: int = 1, *, failed: int = 0, age_s: float = 10, condition: str = "", deleting: bool = False):
    created = (NOW - timedelta(seconds=age_s)).isoformat()
    metadata = {"name": f"x-{attempt}", "labels": {"ctiforge.io/attempt": str(attempt)}, "creationTimestamp": created}
    if deleting:
        metadata["deletionTimestamp"] = created
    conditions = [{"type": condition, "status": "True"}] if condition else []
    return {"metadata": metadata, "spec": {"backoffLimit": 6}, "status": {"failed": failed, "conditions": conditions}}


def pod(phase: str, *, running_s: float | None = None, exit_code: int | None = None):
    created = (NOW - timedelta(seconds=5)).isoformat()
    state = {"running": {"startedAt": (NOW - timedelta(seconds=running_s)).isoformat()}} if running_s else {}
    if exit_code is not None:
        state = {"terminated": {"exitCode": exit_code}}
    return {
        "metadata": {"name": "p", "creationTimestamp": created},
        "status": {"phase": phase, "containerStatuses": [{"name": "stage", "state": state}]},
    }


def diagnosis(category: Category, *, since_s: float = 0, exit_code: int | None = None) -> Diagnosis:
    return Diagnosis(category, "what", "", "do", NOW - timedelta(seconds=since_s), exit_code)


@pytest.mark.parametrize(
    ("jobs", "by_run", "expected"),
    [
        ([], False, FirstMove(1, adopt=False)),
        ([job(1)], False, FirstMove(1, adopt=True)),
        ([job(1, condition="Failed"), job(2)], False, FirstMove(2, adopt=True)),
        ([job(1, condition="Failed")], False, FirstMove(2, adopt=False)),
        ([job(1, deleting=True)], False, FirstMove(2, adopt=False)),
        # its artifact was asked for before, and is not there
        ([job(1, condition="Complete")], False, FirstMove(2, adopt=False)),
        ([job(1, condition="Complete")], True, FirstMove(1, adopt=True)),
    ],
)
def test_a_live_job_is_adopted_and_a_failed_one_followed_by_the_next(jobs, by_run, expected) -> None:
    assert first_move(jobs, by_run=by_run) == expected


def test_a_live_job_of_an_earlier_attempt_is_left_over() -> None:
    jobs = [job(1, condition="Failed"), job(2), job(3)]
    assert superseded(jobs, 3) == ["x-2"]
    assert superseded(jobs, 2) == []


def test_while_somebody_holds_the_job_a_pod_that_hangs_is_not_replaced() -> None:
    lost = diagnosis(Category.NODE_LOST, since_s=1000)
    held = job()
    held["spec"]["suspend"] = True
    assert decide(job(), [pod("Running")], lost, RUNS, NOW, Limits()).move == "next"
    assert decide(held, [pod("Running")], lost, RUNS, NOW, Limits()).move == "wait"


RUNS, WAITS, NONE = Elapsed(WorkState.RUNNING), Elapsed(WorkState.PENDING), Elapsed(WorkState.BETWEEN_PODS)


@pytest.mark.parametrize(
    ("job_", "pods", "found", "elapsed", "crashes_before", "move", "exit_code"),
    [
        (job(), [pod("Pending")], None, WAITS, 0, "wait", 0),
        (job(), [pod("Running", running_s=3)], None, RUNS, 0, "wait", 0),
        (job(), [pod("Succeeded")], None, RUNS, 0, "ended", 0),
        (job(), [pod("Running", exit_code=0)], None, RUNS, 0, "ended", 0),
        (job(), [pod("Running", exit_code=75)], None, RUNS, 0, "wait", 0),
        (job(condition="Complete"), [], None, NONE, 0, "ended", 0),
        (job(condition="Failed"), [], diagnosis(Category.DATA_ERROR, exit_code=3), NONE, 0, "fail", 3),
        (job(condition="Failed"), [], diagnosis(Category.CRASHED, exit_code=139), NONE, 0, "fail", 139),
        (job(condition="Failed"), [], None, NONE, 0, "fail", 1),
        (job(), [pod("Failed")], diagnosis(Category.OOM_KILLED, exit_code=137), NONE, 0, "halve", 0),
        (job(condition="Failed"), [], diagnosis(Category.OOM_KILLED, exit_code=137), NONE, 0, "halve", 0),
        (job(), [pod("Running")], diagnosis(Category.NODE_LOST, since_s=100), RUNS, 0, "wait", 0),
        (job(), [pod("Running")], diagnosis(Category.NODE_LOST, since_s=301), RUNS, 0, "next", 0),
        (job(), [pod("Running")], diagnosis(Category.STUCK_TERMINATING, since_s=301), RUNS, 0, "next", 0),
        (job(), [pod("Pending")], diagnosis(Category.IMAGE_NOT_FOUND), WAITS, 0, "fail", 2),
        (job(), [pod("Failed")], diagnosis(Category.SCRATCH_FULL, exit_code=137), NONE, 0, "fail", 4),
        # an autoscaler may bring the node
        (job(), [pod("Pending")], diagnosis(Category.NO_GPU), WAITS, 0, "wait", 0),
        (job(failed=3), [pod("Failed")], diagnosis(Category.CRASHED, exit_code=1), NONE, 0, "wait", 0),
        # the next pod would come after 80 s
        (job(failed=4), [pod("Failed")], diagnosis(Category.CRASHED, exit_code=1), NONE, 0, "next", 0),
        (job(failed=4), [pod("Running", running_s=1)], None, RUNS, 0, "wait", 0),
        (job(failed=3), [pod("Failed")], diagnosis(Category.CRASHED, exit_code=1), NONE, 4, "fail", 1),
    ],
)
def test_the_next_move(job_, pods, found, elapsed, crashes_before, move, exit_code) -> None:
    decision = decide(job_, pods, found, elapsed, NOW, Limits(), crashes_before)
    assert (decision.move, decision.exit_code) == (move, exit_code)
    assert (decision.cause is not None) == (move in ("fail", "halve")), "every end has its cause"


def together(failed: int = 0, retries: int = 2):
    found = job(failed=failed)
    return {**found, "spec": {"backoffLimit": 2 * retries, "completionMode": "Indexed", "completions": 2}}


def member(index: int, its_pod):
    labels = {"batch.kubernetes.io/job-completion-index": str(index)}
    return {**its_pod, "metadata": {**its_pod["metadata"], "labels": labels}}


CRASHED, INTERRUPTED = pod("Failed", exit_code=1), pod("Failed", exit_code=75)


@pytest.mark.parametrize(
    ("its_job", "pods", "crashes"),
    [
        (job(failed=2), [CRASHED, CRASHED], 2),
        # both failed of one cause, or one did and the other lost it
        (together(failed=2), [member(0, CRASHED), member(1, CRASHED)], 1),
        (together(failed=1), [member(0, CRASHED), member(1, INTERRUPTED)], 1),
        (together(failed=4), [member(0, CRASHED), member(1, CRASHED)] * 2, 2),
        (together(failed=2), [member(0, CRASHED), member(1, INTERRUPTED)] * 2, 2),
        # their pods were deleted
        (together(failed=3), [], 2),
        (together(), [member(0, INTERRUPTED), member(1, INTERRUPTED)], 0),
    ],
)
def test_what_fails_together_fails_once(its_job, pods, crashes) -> None:
    assert crashes_of(its_job, pods) == crashes


def test_the_work_of_two_has_as_many_retries_as_that_of_one() -> None:
    crash, found = [member(0, CRASHED), member(1, INTERRUPTED)], diagnosis(Category.CRASHED, exit_code=1)
    assert decide(together(failed=2), crash * 2, found, WAITS, NOW, Limits()).move == "wait"
    assert decide(together(failed=3), crash * 3, found, WAITS, NOW, Limits()).move == "fail"


@pytest.mark.parametrize(("interruptions", "move"), [(3, "wait"), (4, "next")])
def test_interruptions_lengthen_kubernetes_back_off_though_they_are_no_failures(interruptions, move) -> None:
    assert decide(job(), [INTERRUPTED] * interruptions, None, NONE, NOW, Limits()).move == move


def test_one_of_two_that_is_done_ends_nothing() -> None:
    well = pod("Succeeded", exit_code=0)
    assert decide(together(), [member(0, well), member(1, pod("Running"))], None, RUNS, NOW, Limits()).move == "wait"
    assert decide(together(), [member(0, well), member(1, well)], None, RUNS, NOW, Limits()).move == "ended"


def test_a_kept_pod_is_replaced_when_the_other_saves_no_more() -> None:
    proxy = {"name": "proxy", "state": {"running": {}}}
    kept = pod("Running", exit_code=75)
    kept["status"]["containerStatuses"].append(proxy)
    saves = pod("Running", running_s=100)
    saves["metadata"]["deletionTimestamp"] = NOW.isoformat()
    ending = Elapsed(WorkState.ENDING, in_state_s=20)
    assert decide(together(), [member(0, saves), member(1, kept)], None, ending, NOW, Limits()).move == "wait"
    assert decide(together(), [member(0, kept), member(1, kept)], None, ending, NOW, Limits()).move == "next"
    # the next one of the other waits for it where they meet
    waits = pod("Running", running_s=20)
    assert decide(together(), [member(0, waits), member(1, kept)], None, ending, NOW, Limits()).move == "next"


AGES = [10, 4_000, 8 * 86_400]


@pytest.mark.parametrize("age_s", AGES)
@pytest.mark.parametrize("state", list(WorkState))
def test_no_state_is_ended_by_the_age_of_its_job(state: WorkState, age_s: float) -> None:
    pods = [pod("Pending")] if state in (WorkState.PENDING, WorkState.QUEUED) else []
    assert decide(job(age_s=age_s), pods, None, Elapsed(state, in_state_s=3), NOW, Limits(run_s=100)).move == "wait"


@pytest.mark.parametrize(
    ("state", "in_state_s", "found", "is_too_long"),
    [
        (WorkState.PENDING, 3_599, None, False),
        (WorkState.PENDING, 3_601, None, True),
        (WorkState.PENDING, 3_601, diagnosis(Category.NO_GPU), True),
        # a queue may take as long as it takes
        (WorkState.STARTING, 3_601, None, True),
        (WorkState.LOST, 1e6, None, False),
        (WorkState.QUEUED, 1e6, None, False),
        (WorkState.SUSPENDED, 1e6, diagnosis(Category.SUSPENDED), False),
        (WorkState.RUNNING, 1e6, None, False),
        (WorkState.ENDING, 1e6, None, False),
        # Kubernetes' own pause is no waiting
        (WorkState.BETWEEN_PODS, 3_601, None, False),
        (WorkState.BETWEEN_PODS, 3_691, None, True),
        (WorkState.BETWEEN_PODS, 3_601, diagnosis(Category.QUOTA_EXCEEDED), True),
    ],
)
def test_the_limit_of_each_state(state, in_state_s, found, is_too_long) -> None:
    move = decide(job(age_s=1e6), [], found, Elapsed(state, in_state_s=in_state_s), NOW, Limits())
    assert (move.move, move.exit_code) == (("fail", 4) if is_too_long else ("wait", 0))
    if is_too_long:
        assert move.is_limit
        assert move.cause
        assert "within" in move.cause.summary
        assert move.cause.category is (found.category if found else Category.PENDING_TOO_LONG)


@pytest.mark.parametrize(
    "state", [WorkState.RUNNING, WorkState.ENDING, WorkState.BETWEEN_PODS, WorkState.PENDING, WorkState.SUSPENDED]
)
def test_time_spent_running_has_a_limit_of_its_own(state: WorkState) -> None:
    elapsed = Elapsed(state, in_state_s=1, ran_s=100)
    assert decide(job(), [], None, elapsed, NOW, Limits(run_s=200)).move == "wait"
    move = decide(job(), [], None, elapsed, NOW, Limits(run_s=99))
    assert (move.move, move.exit_code) == ("fail", 4)
    assert move.cause
    assert "launcher.runTimeout" in move.cause.remedy


def test_limits_come_from_the_templates_annotations() -> None:
    assert limits_of({}) == Limits(300, 3600, None)
    given = {"ctiforge.io/node-lost-timeout": "5", "ctiforge.io/pending-timeout": "8", "ctiforge.io/run-timeout": "9"}
    assert limits_of(given) == Limits(5, 8, 9)
