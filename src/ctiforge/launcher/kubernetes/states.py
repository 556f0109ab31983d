"""Which state a piece of work is in, and how long the launcher has seen it there. Pure.

Every limit belongs to a state and is measured by the launcher's own monotonic clock, from what it saw: never by a
Job's age, which spans retries, suspensions and queues, and never by the clock of a laptop that may have slept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.members import by_member, is_done, is_sharded, members_of, unfinished
from ctiforge.launcher.kubernetes.reading import condition, has_started, holds, moment, state, unanswered_since

LONGEST_LOOK_S = 5.0
"""Between two looks the launcher may have been stopped, or its machine asleep: more than this was not seen."""


class WorkState(StrEnum):
    """Where a piece of work stands; of several pods who holds up the others says it, of shards any that runs."""

    GONE = "gone"
    """Its Job is not there."""
    SUSPENDED = "suspended"
    """A queue or a person holds its Job."""
    QUEUED = "queued"
    """Its pod has scheduling gates: a queue lets it in later."""
    PENDING = "pending"
    """Its pod has no node yet."""
    STARTING = "starting"
    """Its pod has a node, and its program has not started there: images are pulled, volumes mounted."""
    RUNNING = "running"
    LOST = "lost"
    """Its node does not answer: nobody knows whether its program runs, so that nothing is counted."""
    ENDING = "ending"
    """Its program was told to end, or has ended and its pod has not."""
    LEAVING = "leaving"
    """Its pod goes without ever having run: that has no limit but a lost node's, and is no running."""
    BETWEEN_PODS = "between pods"
    """No pod of it lives: Kubernetes makes the first or the next one."""
    OVER = "over"

    @property
    def counts_as_run(self) -> bool:
        """Whether its seconds count towards the run's limit."""
        return self in (WorkState.RUNNING, WorkState.ENDING)


@dataclass(frozen=True)
class Elapsed:
    """What the launcher's own clock says of a piece of work, in seconds."""

    state: WorkState = WorkState.GONE
    place: str = ""
    """The uids of the pods that live, or that of the Job without one."""
    in_state_s: float = 0.0
    """How long the same pods were seen in it."""
    ran_s: float = 0.0
    """How long its program ran, in all pods and attempts, one after the other; time of several at once counts once."""
    last_look: float | None = None


def look(elapsed: Elapsed, job: Object | None, pods: Sequence[Object], now: float) -> Elapsed:
    """Add what has passed since the last look.

    Args:
        elapsed: What was known at the last look.
        job: The Job as the cluster last told it; None where it is not there.
        pods: The Job's own pods, as the cluster last told them.
        now: Seconds of the launcher's monotonic clock.

    Returns:
        The same with the state of now; seconds between looks count up to `LONGEST_LOOK_S`, for the state that was
        seen at their beginning.
    """
    passed = 0.0 if elapsed.last_look is None else min(max(0.0, now - elapsed.last_look), LONGEST_LOOK_S)
    ran_s = elapsed.ran_s + (passed if elapsed.state.counts_as_run else 0.0)
    found, place = state_of(job, pods), _place(job, pods)
    if (found, place) != (elapsed.state, elapsed.place):
        return Elapsed(found, place, 0.0, ran_s, now)
    return replace(elapsed, in_state_s=elapsed.in_state_s + passed, ran_s=ran_s, last_look=now)


def state_of(job: Object | None, pods: Sequence[Object]) -> WorkState:
    """Tell the state of a Job from its newest pods that live: of several, from the one that holds up the others.

    Shards hold up nobody: while one of them runs, those without a place wait for theirs.
    """
    if job is None:
        return WorkState.GONE
    if is_done(job, pods) or holds(job, "Failed"):
        return WorkState.OVER
    found = [member_state(job, own) for own in unfinished(job, pods)]
    if is_sharded(job) and WorkState.RUNNING in found:
        return WorkState.RUNNING
    return min(found, key=HOLDS_UP.index)


HOLDS_UP = (
    WorkState.LOST,
    WorkState.ENDING,
    WorkState.LEAVING,
    WorkState.SUSPENDED,
    WorkState.QUEUED,
    WorkState.PENDING,
    WorkState.STARTING,
    WorkState.BETWEEN_PODS,
    WorkState.RUNNING,
)
"""What each of the pods that work together may be; the first of these that one of them is says the state of all."""


def member_state(job: Object, pods: Sequence[Object]) -> WorkState:
    """Tell the state of one of the pods that the Job's work takes at once, the newest of these that lives."""
    pod = current_pod(pods)
    if pod is None:
        return WorkState.SUSPENDED if is_suspended(job) else WorkState.BETWEEN_PODS
    if unanswered_since(pod):
        return WorkState.LOST
    if "deletionTimestamp" in pod["metadata"] and not has_started(pod):
        return WorkState.SUSPENDED if is_suspended(job) else WorkState.LEAVING
    if "deletionTimestamp" in pod["metadata"] or "terminated" in state(pod):
        return WorkState.ENDING
    if "running" in state(pod):
        return WorkState.RUNNING
    if is_gated(pod):
        return WorkState.QUEUED
    return WorkState.STARTING if pod["spec"].get("nodeName") else WorkState.PENDING


def current_pod(pods: Sequence[Object]) -> Object | None:
    """Find the first of these pods of one member that has not ended; None where none lives."""
    return next((pod for pod in pods if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")), None)


def is_suspended(job: Object) -> bool:
    """Whether a queue or a person holds the Job."""
    return bool(job["spec"].get("suspend"))


def is_gated(pod: Object) -> bool:
    """Whether the scheduler is kept from looking at the pod."""
    return bool(pod["spec"].get("schedulingGates")) or condition(pod, "PodScheduled").get("reason") == "SchedulingGated"


def ran_before(job: Object, pods: Sequence[Object], now: datetime) -> float:
    """Add up how long the program has run in these pods.

    Of several that work together time counts while all of them ran, of shards while any did.

    Args:
        job: The Job.
        pods: Its pods.
        now: The API server's time, as the pods' times are its own and its nodes'.

    Returns:
        Seconds; where its node stopped answering, up to then.
    """
    turns: list[tuple[datetime, int]] = []
    for pod in pods:
        for each in state(pod).values():
            if started := moment(each.get("startedAt")):
                ended = moment(each.get("finishedAt")) or unanswered_since(pod) or now
                turns += [(started, 1), (max(started, ended), -1)]
    total, running, last, least = 0.0, 0, now, 1 if is_sharded(job) else members_of(job)
    for at, more in sorted(turns):
        if running >= least:
            total += (at - last).total_seconds()
        running, last = running + more, at
    return total


def _place(job: Object | None, pods: Sequence[Object]) -> str:
    if job is None:
        return ""
    live = [pod for own in by_member(job, pods) if (pod := current_pod(own))]
    return " ".join(str(each["metadata"].get("uid", each["metadata"]["name"])) for each in live or [job])
