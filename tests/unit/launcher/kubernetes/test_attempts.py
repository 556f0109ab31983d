"""What a launcher does next, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from ctiforge.launcher.kubernetes.attempts import FirstMove, Limits, NextMove, decide, first_move, limits_of
from ctiforge.launcher.kubernetes.categories import Category, Diagnosis

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


@pytest.mark.parametrize(
    ("job_", "pods", "found", "crashes_before", "move", "exit_code"),
    [
        (job(), [pod("Pending")], None, 0, "wait", 0),
        (job(), [pod("Running", running_s=3)], None, 0, "wait", 0),
        (job(), [pod("Succeeded")], None, 0, "ended", 0),
        (job(), [pod("Running", exit_code=0)], None, 0, "ended", 0),
        (job(), [pod("Running", exit_code=75)], None, 0, "wait", 0),
        (job(condition="Complete"), [], None, 0, "ended", 0),
        (job(condition="Failed"), [], diagnosis(Category.DATA_ERROR, exit_code=3), 0, "fail", 3),
        (job(condition="Failed"), [], diagnosis(Category.CRASHED, exit_code=139), 0, "fail", 139),
        (job(condition="Failed"), [], None, 0, "fail", 1),
        (job(), [pod("Failed")], diagnosis(Category.OOM_KILLED, exit_code=137), 0, "halve", 0),
        (job(condition="Failed"), [], diagnosis(Category.OOM_KILLED, exit_code=137), 0, "halve", 0),
        (job(), [pod("Running")], diagnosis(Category.NODE_LOST, since_s=100), 0, "wait", 0),
        (job(), [pod("Running")], diagnosis(Category.NODE_LOST, since_s=301), 0, "next", 0),
        (job(), [pod("Running")], diagnosis(Category.STUCK_TERMINATING, since_s=301), 0, "next", 0),
        (job(), [pod("Pending")], diagnosis(Category.IMAGE_NOT_FOUND), 0, "fail", 2),
        (job(), [pod("Failed")], diagnosis(Category.SCRATCH_FULL, exit_code=137), 0, "fail", 4),
        # an autoscaler may bring the node
        (job(), [pod("Pending")], diagnosis(Category.NO_GPU), 0, "wait", 0),
        (job(failed=3), [pod("Failed")], diagnosis(Category.CRASHED, exit_code=1), 0, "wait", 0),
        # the next pod would come after 80 s
        (job(failed=4), [pod("Failed")], diagnosis(Category.CRASHED, exit_code=1), 0, "next", 0),
        (job(failed=4), [pod("Running", running_s=1)], None, 0, "wait", 0),
        (job(failed=3), [pod("Failed")], diagnosis(Category.CRASHED, exit_code=1), 4, "fail", 1),
        (job(age_s=4000), [], None, 0, "fail", 4),
        (job(age_s=4000), [pod("Pending")], None, 0, "wait", 0),
    ],
)
def test_the_next_move(job_, pods, found, crashes_before, move, exit_code) -> None:
    decision = decide(job_, pods, found, NOW, Limits(), crashes_before)
    assert (decision.move, decision.exit_code) == (move, exit_code)


def test_time_spent_running_has_a_limit_of_its_own() -> None:
    pods = [pod("Running", running_s=100)]
    assert decide(job(), pods, None, NOW, Limits(run_s=200), 0) == NextMove("wait")
    assert decide(job(), pods, None, NOW, Limits(run_s=99), 0).exit_code == 4


def test_limits_come_from_the_templates_annotations() -> None:
    assert limits_of({}) == Limits(300, 3600, None)
    given = {"ctiforge.io/node-lost-timeout": "5", "ctiforge.io/pending-timeout": "8", "ctiforge.io/run-timeout": "9"}
    assert limits_of(given) == Limits(5, 8, 9)
