"""What the launcher does next about a piece of work: adopt, wait, start another attempt, or end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ctiforge.errors import ExitCode
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis
from ctiforge.launcher.kubernetes.limits import Limits, over_limit
from ctiforge.launcher.kubernetes.manifests import attempt_of
from ctiforge.launcher.kubernetes.members import by_member, is_done, is_sharded, members_of, unfinished
from ctiforge.launcher.kubernetes.reading import (
    condition,
    failed_beside,
    holds,
    is_kept_by_others,
    kept_pod,
    kubectl,
    state,
    was_refused,
    went_down_with_its_node,
)
from ctiforge.launcher.kubernetes.states import Elapsed, WorkState, current_pod, is_suspended, member_state

BACK_OFF_S = 10
"""Kubernetes waits so long before the first new pod of a Job, and twice as long each time."""
LONGEST_BACK_OFF_S = 60
ATTEMPTS_WHILE_REFUSED = 3
"""So many Jobs may be given up for what nodes do to their pods: after that a person has to look at the nodes."""

OTHERS_END_WITHIN_S = 15.0
"""How long what runs beside a program may take to end after it."""
GOOD_ENDS = (ExitCode.DONE, ExitCode.INTERRUPTED)
HANGING = (Category.NODE_LOST, Category.STUCK_TERMINATING)
"""Kubernetes never replaces such a pod (podReplacementPolicy Failed)."""


@dataclass(frozen=True)
class FirstMove:
    """Adopt the attempt's Job, or create it."""

    attempt: int
    adopt: bool


@dataclass(frozen=True)
class NextMove:
    """What to do now."""

    move: Literal["wait", "ended", "fail", "next", "halve"]
    exit_code: int = 0
    why: str = ""
    """In one line."""
    cause: Diagnosis | None = None
    """Of `fail`: what is printed and stored; of `halve`: the same where the micro-batch is 1 already."""
    is_limit: bool = False
    """Of `fail`: a limit of this run has passed, which is no reason to end a Job that another run began."""


WAIT = NextMove("wait")


def first_move(jobs: Sequence[Object], *, by_run: bool) -> FirstMove:
    """Adopt a live Job of this work; else start the attempt after the newest.

    `by_run`: the work is named by its run, not its content, so that a Job that is done was done for us.
    """
    newest = max(jobs, key=attempt_of, default=None)
    if newest is None:
        return FirstMove(1, adopt=False)
    is_live = not is_over(newest) and "deletionTimestamp" not in newest["metadata"]
    if is_live or (by_run and holds(newest, "Complete")):
        return FirstMove(attempt_of(newest), adopt=True)
    return FirstMove(attempt_of(newest) + 1, adopt=False)


def superseded(jobs: Sequence[Object], attempt: int) -> list[str]:
    """Name the Jobs of earlier attempts that still live: a launcher ended between creating and deleting."""
    return [job["metadata"]["name"] for job in jobs if attempt_of(job) < attempt and not is_over(job)]


def decide(
    job: Object,
    pods: Sequence[Object],
    diagnosis: Diagnosis | None,
    elapsed: Elapsed,
    now: datetime,
    limits: Limits,
    crashes_before: int = 0,
) -> NextMove:
    """Decide what to do about the attempt whose Job and pods are these.

    Args:
        job: The attempt's Job.
        pods: Its own pods.
        diagnosis: What is wrong with it, if anything.
        elapsed: What the launcher's own clock says of it.
        now: The API server's time; a diagnosis is as old as that says.
        limits: How long each state may take.
        crashes_before: Crashes of earlier attempts: all together are bounded by the template's backoffLimit.

    Returns:
        The move. Everything but `wait` and `ended` is to be decided once more on what the cluster says then.
    """
    if is_done(job, pods):
        return NextMove("ended")
    if diagnosis and diagnosis.category is Category.OOM_KILLED:
        return NextMove("halve", why=diagnosis.summary, cause=diagnosis)
    if holds(job, "Failed"):
        if diagnosis and _nodes_refused(job, diagnosis) and attempt_of(job) < ATTEMPTS_WHILE_REFUSED:
            never_ran = diagnosis.category is Category.NODE_REFUSED
            return NextMove("next", why=diagnosis.summary + ("; its program never ran" if never_ran else ""))
        return _after_failure(job, diagnosis)
    hangs = diagnosis is not None and diagnosis.category in HANGING and _age(diagnosis.since, now) > limits.node_lost_s
    # another attempt would end the shards that run
    others_run = is_sharded(job) and elapsed.state is WorkState.RUNNING
    # whoever holds the Job says when it goes on: another attempt would run against that
    if diagnosis and hangs and not is_suspended(job) and not others_run:
        return NextMove("next", why=diagnosis.summary)
    if diagnosis and diagnosis.category.is_fatal:
        return _after_failure(job, diagnosis)
    crashes = crashes_of(job, pods)
    if crashes and crashes + crashes_before > int(job["spec"].get("backoffLimit", 6)) // members_of(job):
        return _after_failure(job, diagnosis)
    if elapsed.state is WorkState.BETWEEN_PODS and (back_off := back_off_s(job, pods)) > LONGEST_BACK_OFF_S:
        return NextMove("next", why=f"Kubernetes would wait {back_off} s before the next pod")
    if elapsed.state is WorkState.ENDING and elapsed.in_state_s > OTHERS_END_WITHIN_S:
        ending = [own for own in unfinished(job, pods) if member_state(job, own) is WorkState.ENDING]
        current = [pod for own in ending if (pod := current_pod(own))]
        # others that train with it may still save
        if current and all(map(is_kept_by_others, current)):
            return NextMove("next", why=kept_pod(current))
    if found := over_limit(job, pods, diagnosis, elapsed, limits):
        return NextMove("fail", int(ExitCode.CANNOT_GO_ON), found.summary, found, is_limit=True)
    return WAIT


def crashes_of(job: Object, pods: Sequence[Object]) -> int:
    """Count how often the Job's program failed, as its retries are counted.

    A node that refuses a pod (`UnexpectedAdmissionError`: the GPU's device plugin was not ready) or is started again
    is none of the program's failures, though Kubernetes counts it as one. Pods that train together may fail each for
    itself of one cause: that is one failure, of the work. Of shards the one counts that failed most often.
    """
    failed = int(job.get("status", {}).get("failed", 0))
    # Kubernetes has not seen the end of a program whose pod lives on
    unseen = sum(is_kept_by_others(pod) and state(pod)["terminated"].get("exitCode") not in GOOD_ENDS for pod in pods)
    nodes = sum(was_refused(pod) or went_down_with_its_node(pod) for pod in pods)
    counted = max(0, failed - nodes + unseen)
    if members_of(job) == 1:
        return counted
    seen = (sum(map(_has_crashed, own)) for own in by_member(job, pods))
    # pods that are gone have failed once each at least
    return max(-(-counted // members_of(job)), *seen)


def back_off_s(job: Object, pods: Sequence[Object]) -> int:
    """How long Kubernetes waits before the next pod, in seconds: twice as long for each that has failed for any cause.

    What the policy ignores (an interruption, exit code 75) is no failure in the Job's status, and counts here.
    """
    ended = sum(pod.get("status", {}).get("phase") == "Failed" for pod in pods)
    failed = max(int(job.get("status", {}).get("failed", 0)), ended)
    return BACK_OFF_S * 2 ** (failed - 1) if failed else 0


def run_again(pods: Sequence[Object]) -> str:
    """Say why Kubernetes would run a program again that has ended well; empty where it does not."""
    for pod in pods:
        if beside := failed_beside(pod):
            code = beside["state"]["terminated"]["exitCode"]
            return f"pod {pod['metadata']['name']}: its program ended well, {beside['name']} did not (exit code {code})"
    return ""


def deleted(job_name: str, namespace: str, *, with_namespace: bool) -> NextMove:
    """End because the Job was deleted and no other attempt took its place."""
    summary = f"job {job_name}: it was deleted"
    remedy = "the same command starts it again, from its last checkpoint; who deleted it: the cluster's audit log"
    if with_namespace:
        summary += f" with its namespace {namespace}"
        remedy = (
            "install the release again, there or in another namespace; then the same command goes on from the store"
        )
    owner = {"metadata": {"name": job_name, "namespace": namespace}}
    detail = f"{kubectl(owner, 'get', 'job')} finds nothing, nor a later attempt"
    cause = Diagnosis(Category.JOB_DELETED, summary, detail, remedy)
    return NextMove("fail", int(ExitCode.INTERRUPTED), summary, cause)


def refused(key: str, namespace: str, said: str) -> NextMove:
    """End because a quota of the namespace leaves no room for a Job of the work; `said` are the cluster's words."""
    summary = f"{key}: a quota leaves no room for its Job"
    remedy = (
        "wait until others have ended (a launcher in the cluster is a Job itself: a run there takes two), "
        f"or raise the quota: kubectl -n {namespace} describe resourcequota"
    )
    cause = Diagnosis(Category.QUOTA_EXCEEDED, summary, said, f"{remedy}; then the same command goes on from here")
    return NextMove("fail", int(ExitCode.CANNOT_GO_ON), summary, cause)


def not_admitted(key: str, said: str, mend: str) -> NextMove:
    """End because the cluster takes no Job of the work as it is.

    Args:
        key: What names the work.
        said: What was refused, in the cluster's words.
        mend: What to do about it, where that is known.

    Returns:
        The end, with its cause.
    """
    summary = f"{key}: the cluster refuses its Job"
    remedy = mend or "mend what it names in the chart's values, then helm upgrade --install"
    return NextMove("fail", int(ExitCode.USAGE), summary, Diagnosis(Category.ADMISSION_REFUSED, summary, said, remedy))


def is_over(job: Object) -> bool:
    """Whether the Job has ended, well or badly."""
    return holds(job, "Complete") or holds(job, "Failed")


def _has_crashed(pod: Object) -> bool:
    if was_refused(pod) or went_down_with_its_node(pod) or holds(pod, "DisruptionTarget"):
        return False
    code = (state(pod).get("terminated") or {}).get("exitCode")
    return code is not None and code not in GOOD_ENDS


def _nodes_refused(job: Object, diagnosis: Diagnosis) -> bool:
    """Whether the Job was given up for pods that nodes did not take, or took with them."""
    given_up = condition(job, "Failed").get("reason") == "BackoffLimitExceeded"
    return given_up and diagnosis.category in (Category.NODE_REFUSED, Category.NODE_RESTARTED)


def _after_failure(job: Object, diagnosis: Diagnosis | None) -> NextMove:
    if diagnosis is None:
        summary = f"job {job['metadata']['name']}: it failed, and nothing tells why"
        remedy = f"see the log (`ctiforge logs`) and {kubectl(job, 'describe', 'job')}"
        diagnosis = Diagnosis(Category.JOB_FAILED, summary, "", remedy)
        return NextMove("fail", int(ExitCode.CRASH), summary, diagnosis)
    code = diagnosis.category.exit_code or diagnosis.exit_code or ExitCode.CRASH
    return NextMove("fail", int(code), diagnosis.summary, diagnosis)


def _age(since: datetime | None, now: datetime) -> float:
    return (now - since).total_seconds() if since else 0.0
