"""What the launcher does next about a piece of work: adopt, wait, start another attempt, or end. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ctiforge.errors import ExitCode
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis
from ctiforge.launcher.kubernetes.manifests import attempt_of
from ctiforge.launcher.kubernetes.reading import has_succeeded, holds, state

BACK_OFF_S = 10
"""Kubernetes waits so long before the first new pod of a Job, and twice as long each time."""
LONGEST_BACK_OFF_S = 60

HANGING = (Category.NODE_LOST, Category.STUCK_TERMINATING)
"""Kubernetes never replaces such a pod (podReplacementPolicy Failed)."""


@dataclass(frozen=True)
class Limits:
    """How long the launcher waits, in seconds; the chart's annotations say it."""

    node_lost_s: float = 300
    pending_s: float = 3600
    run_s: float | None = None


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


WAIT = NextMove("wait")


def limits_of(annotations: Mapping[str, str]) -> Limits:
    """Give the limits that a template's annotations name."""

    def seconds(name: str, usual: float) -> float:
        return float(annotations.get(f"ctiforge.io/{name}", usual))

    return Limits(
        seconds("node-lost-timeout", Limits.node_lost_s),
        seconds("pending-timeout", Limits.pending_s),
        seconds("run-timeout", 0) or None,
    )


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


def decide(
    job: Object, pods: Sequence[Object], diagnosis: Diagnosis | None, now: datetime, limits: Limits, crashes_before: int
) -> NextMove:
    """Give what to do about the attempt whose Job and pods are these.

    `crashes_before` are the crashes of earlier attempts: all of them together are bounded by the
    template's backoffLimit.
    """
    if holds(job, "Complete") or any(map(has_succeeded, pods)):
        return NextMove("ended")
    if diagnosis and diagnosis.category is Category.OOM_KILLED:
        return NextMove("halve", why=diagnosis.summary)
    if holds(job, "Failed"):
        return _after_failure(diagnosis)
    if diagnosis and diagnosis.category in HANGING and _age(diagnosis.since, now) > limits.node_lost_s:
        return NextMove("next", why=diagnosis.summary)
    if diagnosis and diagnosis.category.is_fatal:
        return _after_failure(diagnosis)
    crashes = int(job.get("status", {}).get("failed", 0))
    if crashes and crashes + crashes_before > int(job["spec"].get("backoffLimit", 6)):
        return _after_failure(diagnosis)
    if crashes and not _active(pods) and BACK_OFF_S * 2 ** (crashes - 1) > LONGEST_BACK_OFF_S:
        return NextMove("next", why=f"Kubernetes would wait {BACK_OFF_S * 2 ** (crashes - 1)} s before the next pod")
    return _within_limits(job, pods, now, limits)


def is_over(job: Object) -> bool:
    """Whether the Job has ended, well or badly."""
    return holds(job, "Complete") or holds(job, "Failed")


def started_at(pods: Sequence[Object]) -> datetime | None:
    """When the newest running program started; None while none runs."""
    running = (state(pod).get("running") for pod in pods)
    return max((datetime.fromisoformat(each["startedAt"]) for each in running if each), default=None)


def _after_failure(diagnosis: Diagnosis | None) -> NextMove:
    if diagnosis is None:
        return NextMove("fail", int(ExitCode.CRASH), "the Job failed")
    code = diagnosis.category.exit_code or diagnosis.exit_code or ExitCode.CRASH
    return NextMove("fail", int(code), diagnosis.summary)


def _within_limits(job: Object, pods: Sequence[Object], now: datetime, limits: Limits) -> NextMove:
    running_since = started_at(pods)
    if running_since:
        ran = _age(running_since, now)
        if limits.run_s and ran > limits.run_s:
            return NextMove("fail", ExitCode.CANNOT_GO_ON, f"it ran for more than {limits.run_s:.0f} s")
        return WAIT
    waiting_since = max(
        [datetime.fromisoformat(each["metadata"]["creationTimestamp"]) for each in [job, *pods]], default=now
    )
    if _age(waiting_since, now) > limits.pending_s:
        return NextMove("fail", ExitCode.CANNOT_GO_ON, f"no pod of it started within {limits.pending_s:.0f} s")
    return WAIT


def _active(pods: Sequence[Object]) -> bool:
    return any(pod["status"].get("phase") in ("Pending", "Running") for pod in pods)


def _age(since: datetime | None, now: datetime) -> float:
    return (now - since).total_seconds() if since else 0.0
