"""What is wrong with a Job, from the API's own objects: category, cause and remedy. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.ending import CONTRACT, contract, diagnose_ended, diagnose_running
from ctiforge.launcher.kubernetes.reading import (
    condition,
    creation_time,
    has_succeeded,
    holds,
    kubectl,
    moment,
    shortened,
    values_key,
)
from ctiforge.launcher.kubernetes.states import WorkState, state_of
from ctiforge.launcher.kubernetes.suspended import diagnose_suspended
from ctiforge.launcher.kubernetes.waiting import diagnose_creation, diagnose_waiting

__all__ = ["Category", "Diagnosis", "diagnose"]


def diagnose(
    job: Object,
    pods: Sequence[Object],
    events: Sequence[Object],
    now: datetime,
    last_lines: Sequence[str] = (),
    workload: Object | None = None,
) -> Diagnosis | None:
    """Give what is wrong with the Job at `now`; None while nothing is.

    Objects are the API's JSON as `kubectl get -o json` prints it; `pods` and `events` are those of the
    Job, `last_lines` what its newest pod's program said at last, `workload` Kueue's of the Job. A pod
    that lives speaks for the Job; once the Job has failed, the newest pod that can explain it does.
    """
    newest_first = sorted(pods, key=creation_time, reverse=True)
    if holds(job, "Complete") or any(map(has_succeeded, pods)):
        return None
    failure = next((each for each in (condition(job, "Failed"), condition(job, "FailureTarget")) if each), None)
    if failure and failure["status"] == "True":
        return _failed(job, failure, newest_first, last_lines)
    if state_of(job, pods) is WorkState.SUSPENDED:
        return diagnose_suspended(job, workload)
    if not newest_first:
        return diagnose_creation(job, events)
    newest = newest_first[0]
    if ended := diagnose_ended(newest, last_lines):
        # the Job controller may be refused the next pod
        return _refused_since(job, events, ended) or ended
    if hanging := diagnose_running(newest, now):
        return hanging
    if newest["status"].get("phase") == "Pending":
        return diagnose_waiting(newest, events, now)
    return None


def _failed(job: Object, failure: Object, pods: Sequence[Object], last_lines: Sequence[str]) -> Diagnosis:
    """Give the Job controller gave up: what its newest pod tells, else its own reason."""
    name, reason, said = job["metadata"]["name"], failure.get("reason", ""), failure.get("message", "")
    since = moment(failure.get("lastTransitionTime"))
    key = values_key(job["spec"]["template"])
    if reason == "DeadlineExceeded":
        limit = job["spec"].get("activeDeadlineSeconds")
        summary = f"job {name}: it was not done within {limit} s, waiting and retries included"
        remedy = (
            "start the same command again: finished stages are not repeated, and training goes on from its checkpoint"
        )
        return Diagnosis(Category.DEADLINE, summary, shortened(said), remedy, since)
    for number, pod in enumerate(pods):
        ended = diagnose_ended(pod, last_lines if number == 0 else ())
        if ended and reason == "BackoffLimitExceeded":
            return replace(ended, summary=f"{ended.summary}; {_tries(job)}")
        if ended:
            return ended
    told = re.search(r"for pod [^/]+/(\S+) failed with exit code (\d+)", said)
    if told and int(told[2]) in CONTRACT:
        return contract(int(told[2]), told[1], key, "\n".join(last_lines) or said, since)
    remedy = f"see the log (`ctiforge logs`) and {kubectl(job, 'describe', 'job')}"
    summary = f"job {name}: it failed ({_tries(job) if reason == 'BackoffLimitExceeded' else reason})"
    return Diagnosis(Category.JOB_FAILED, summary, shortened(said), remedy, since)


def _tries(job: Object) -> str:
    return f"given up after {job['status'].get('failed', 'several')} failed pods"


def _refused_since(job: Object, events: Sequence[Object], ended: Diagnosis) -> Diagnosis | None:
    refused = diagnose_creation(job, events)
    is_newer = refused and refused.since and ended.since and refused.since > ended.since
    return refused if is_newer else None
