"""Which state a Job is in, and what the launcher's own clock counts."""

from typing import Any

import pytest

from ctiforge.launcher.kubernetes.states import Elapsed, WorkState, look, ran_before, state_of
from tests.unit.launcher.kubernetes.cases import (
    after,
    at,
    condition,
    ended,
    job,
    member,
    of_two,
    pod,
    running,
    waiting,
)

Object = dict[str, Any]


def suspended(**more: Any) -> Object:
    found = job(condition("Suspended"), **more)
    found["spec"]["suspend"] = True
    return found


def gated() -> Object:
    found = pod("Pending", None, condition("PodScheduled", "False", "SchedulingGated"))
    found["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    return found


NO_ANSWER = (condition("Ready", "False", since=40), condition("ContainersReady"))
"""What the cluster says of a pod whose node it has not heard of since 40 s."""


@pytest.mark.parametrize(
    ("job_", "pods", "state"),
    [
        (None, [], WorkState.GONE),
        (job(), [], WorkState.BETWEEN_PODS),
        (job(), [pod("Pending", None) | {"spec": {"containers": []}}], WorkState.PENDING),
        (job(), [waiting("ContainerCreating")], WorkState.STARTING),
        (job(), [gated()], WorkState.QUEUED),
        (job(), [running()], WorkState.RUNNING),
        (job(), [running(gone_by=60)], WorkState.ENDING),
        (job(), [pod("Running", {"terminated": {"exitCode": 75}})], WorkState.ENDING),
        (job(), [ended(75)], WorkState.BETWEEN_PODS),
        (job(), [ended(75), waiting("ContainerCreating")], WorkState.STARTING),
        (job(), [running(*NO_ANSWER)], WorkState.LOST),
        (job(), [running(*NO_ANSWER, gone_by=60)], WorkState.LOST),
        (job(), [ended(1, name="a"), running(name="b", created=70)], WorkState.RUNNING),
        (suspended(), [], WorkState.SUSPENDED),
        # told to end, not gone yet
        (suspended(), [running(gone_by=60)], WorkState.ENDING),
        (suspended(), [ended(75)], WorkState.SUSPENDED),
        # told to end before it ever ran: that is no running
        (job(), [pod("Pending", None, gone_by=60)], WorkState.LEAVING),
        (suspended(), [pod("Pending", None, gone_by=60)], WorkState.SUSPENDED),
        (job(condition("Complete")), [], WorkState.OVER),
        (job(condition("Failed")), [ended(1)], WorkState.OVER),
    ],
)
def test_the_state_of_a_job(job_, pods, state) -> None:
    assert state_of(job_, pods) is state


def test_a_state_is_counted_from_where_it_was_first_seen_whatever_the_jobs_age() -> None:
    elapsed = Elapsed()
    for now in range(8):
        elapsed = look(elapsed, job(), [waiting("ContainerCreating")], now)
    assert (elapsed.state, elapsed.in_state_s, elapsed.ran_s) == (WorkState.STARTING, 7, 0)


def test_another_pod_waits_anew() -> None:
    first, second = waiting("ContainerCreating"), waiting("ContainerCreating")
    first["metadata"]["uid"], second["metadata"]["uid"] = "a", "b"
    elapsed = look(look(Elapsed(), job(), [first], 0), job(), [first], 4)
    assert elapsed.in_state_s == 4
    assert look(elapsed, job(), [second], 5).in_state_s == 0


def test_a_launcher_that_was_stopped_or_slept_counts_nothing_of_it() -> None:
    elapsed = look(look(Elapsed(), job(), [running()], 0), job(), [running()], 1)
    slept = look(elapsed, job(), [running()], 7_201)
    assert slept.ran_s == 1 + 5
    assert look(slept, job(), [running()], 7_200).ran_s == slept.ran_s, "a clock that goes back takes nothing away"


def test_running_is_added_up_over_pods_and_attempts() -> None:
    elapsed = Elapsed(ran_s=10)
    for now, pods in enumerate([[running()], [running()], [ended(75)], [waiting("x")], [running(name="b")], []]):
        elapsed = look(elapsed, job(), pods, now)
    assert elapsed.ran_s == 10 + 3


def test_what_ran_before_the_launcher_came_is_read_from_the_pods() -> None:
    begun = {"running": {"startedAt": at(100)}}
    assert ran_before(job(), [ended(75), pod("Running", begun, name="b"), waiting("x")], after(130)) == 45 + 30


def test_nothing_is_counted_of_a_pod_whose_node_does_not_answer() -> None:
    assert ran_before(job(), [running(*NO_ANSWER)], after(7_200)) == 40 - 5
    elapsed = look(Elapsed(), job(), [running(*NO_ANSWER)], 0)
    assert look(elapsed, job(), [running(*NO_ANSWER)], 3).ran_s == 0


WELL = pod("Succeeded", {"terminated": {"exitCode": 0}})
UNPLACED = pod("Pending", None) | {"spec": {"containers": []}}


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (running(), running(), WorkState.RUNNING),
        # it waits where they meet, and computes nothing
        (running(), UNPLACED, WorkState.PENDING),
        (running(), waiting("ContainerCreating"), WorkState.STARTING),
        (waiting("ContainerCreating"), UNPLACED, WorkState.PENDING),
        (running(), None, WorkState.BETWEEN_PODS),
        (running(), ended(137), WorkState.BETWEEN_PODS),
        (running(gone_by=60), UNPLACED, WorkState.ENDING),
        (running(), running(*NO_ANSWER), WorkState.LOST),
        (running(), WELL, WorkState.RUNNING),
        (None, WELL, WorkState.BETWEEN_PODS),
        (WELL, WELL, WorkState.OVER),
    ],
)
def test_of_two_that_work_together_the_one_that_holds_up_the_other_says_the_state(first, second, state) -> None:
    pods = [member(index, each) for index, each in enumerate((first, second)) if each]
    assert state_of(of_two(job()), pods) is state


def test_two_that_work_together_wait_together_and_their_time_counts_once() -> None:
    elapsed, gang = Elapsed(), of_two(job())
    waits = [member(0, UNPLACED), member(1, UNPLACED)]
    for now in range(10):
        # the first gets a node after four seconds: the other goes on waiting, for as long as before
        elapsed = look(elapsed, gang, waits if now < 4 else [member(0, running()), waits[1]], now)
    assert (elapsed.state, elapsed.in_state_s, elapsed.ran_s) == (WorkState.PENDING, 9, 0)
    for now in range(10, 15):
        elapsed = look(elapsed, gang, [member(0, running()), member(1, running())], now)
    assert (elapsed.state, elapsed.ran_s) == (WorkState.RUNNING, 4)


def test_what_two_ran_before_is_the_time_in_which_both_did() -> None:
    first = pod("Running", {"running": {"startedAt": at(20)}})
    second = pod("Running", {"running": {"startedAt": at(100)}})
    again = [member(0, ended(75)), member(1, ended(137))]
    assert ran_before(of_two(job()), [member(0, first), member(1, second)], after(130)) == 30
    assert ran_before(of_two(job()), [*again, member(0, first), member(1, second)], after(130)) == 45 + 30
