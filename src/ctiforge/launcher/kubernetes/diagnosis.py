"""What is wrong with a Job, from the API's own objects: category, cause and remedy. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from types import MappingProxyType

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.ending import CONTRACT, contract, diagnose_ended, diagnose_running
from ctiforge.launcher.kubernetes.members import by_member, is_done, is_sharded, members_of, unfinished
from ctiforge.launcher.kubernetes.reading import (
    condition,
    is_kept_by_others,
    keepers,
    kept_pod,
    kubectl,
    moment,
    shortened,
    state,
    values_key,
)
from ctiforge.launcher.kubernetes.states import WorkState, state_of
from ctiforge.launcher.kubernetes.suspended import diagnose_suspended
from ctiforge.launcher.kubernetes.waiting import diagnose_creation, diagnose_waiting

__all__ = ["Category", "Diagnosis", "diagnose"]

LastLines = Mapping[str, Sequence[str]]
"""Last lines of programs, by the name of their pods."""


def diagnose(
    job: Object,
    pods: Sequence[Object],
    events: Sequence[Object],
    now: datetime,
    said: LastLines = MappingProxyType({}),
    workload: Object | None = None,
) -> Diagnosis | None:
    """Give what is wrong with the Job at `now`; None while nothing is.

    Objects are the API's JSON as `kubectl get -o json` prints it; `pods` and `events` are those of the
    Job, `said` what the program of each pod, by its name, said at last, `workload` Kueue's of the Job. A pod
    that lives speaks for the Job; once the Job has failed, the newest pod that can explain it does. Of pods
    that work together the one does whose end says most.
    """
    if is_done(job, pods):
        return None
    failure = next((each for each in (condition(job, "Failed"), condition(job, "FailureTarget")) if each), None)
    if failure and failure["status"] == "True":
        return _failed(job, failure, pods, said)
    if state_of(job, pods) is WorkState.SUSPENDED:
        return diagnose_suspended(job, workload)
    waiting = unfinished(job, pods)
    found = _worst(_of_member(job, own, events, now, said) for own in waiting)
    return found and _beside_others(job, _beside_kept(job, found, pods), waiting)


def _of_member(
    job: Object, newest_first: Sequence[Object], events: Sequence[Object], now: datetime, said: LastLines
) -> Diagnosis | None:
    """Give what is wrong with one of the pods that the Job's work takes at once."""
    if not newest_first:
        return diagnose_creation(job, events)
    newest = newest_first[0]
    if ended := diagnose_ended(newest, said.get(newest["metadata"]["name"], ())):
        # the Job controller may be refused the next pod
        return _refused_since(job, events, ended) or ended
    if hanging := diagnose_running(newest, now):
        return hanging
    if newest["status"].get("phase") == "Pending":
        return diagnose_waiting(newest, events, now)
    return None


def _beside_others(job: Object, found: Diagnosis, waiting: Sequence[Sequence[Object]]) -> Diagnosis:
    """Say of a pod that cannot start how many run: in vain where they compute together or not at all."""
    running = sum(bool(own) and "running" in state(own[0]) for own in waiting)
    if not running or members_of(job) == 1 or _SAYS_MOST.get(found.category, _WAITS) != _WAITS:
        return found
    if is_sharded(job):
        runs = "pods runs, another waits" if running == 1 else "pods run, another waits"
        return replace(found, summary=f"{running} of {members_of(job)} {runs} for its place: {found.summary}")
    verbs = "runs and waits" if running == 1 else "run and wait"
    return replace(found, summary=f"{running} of {members_of(job)} pods {verbs} for the others: {found.summary}")


def _beside_kept(job: Object, found: Diagnosis, pods: Sequence[Object]) -> Diagnosis:
    """Say of a shard without a place which pod, whose program is done, keeps one that nothing but its sidecar needs."""
    kept = [pod for pod in pods if is_kept_by_others(pod)]
    if found.category not in _NO_PLACE or not is_sharded(job) or not kept:
        return found
    key = values_key(kept[0])
    remedy = (
        f"let {', '.join(keepers(kept[0]))} end with the program (an init container with restartPolicy Always does), "
        f"keep it out of these pods ({key}.annotations), or set {key}.shards to 1; then the same command goes on"
    )
    return replace(found, summary=f"{found.summary}; {kept_pod(kept)}", remedy=remedy)


_NO_PLACE = (Category.NO_GPU, Category.NO_MEMORY, Category.NO_CPU, Category.NO_STORAGE)


def _worst(found: Iterable[Diagnosis | None]) -> Diagnosis | None:
    """Give the one that says most; of equal ones the first."""
    return min((each for each in found if each), key=lambda each: _SAYS_MOST.get(each.category, _WAITS), default=None)


_WAITS = 5
_SAYS_MOST = {
    **{category: 0 for category in Category if category.is_fatal},
    Category.OOM_KILLED: 1,
    # nothing but another attempt helps
    **dict.fromkeys((Category.NODE_LOST, Category.STUCK_TERMINATING), 2),
    **dict.fromkeys((Category.CRASHED, Category.KILLED, Category.INIT_FAILED), 3),
    **dict.fromkeys((Category.NODE_REFUSED, Category.NODE_RESTARTED, Category.EVICTED, Category.PREEMPTED), 4),
    # it ended for another one, which has a cause of its own
    Category.INTERRUPTED: 6,
}
"""What a person must mend comes first, then too little memory, what hangs, a crash, an interruption, waiting."""


def _failed(job: Object, failure: Object, pods: Sequence[Object], said: LastLines) -> Diagnosis:
    """Give the Job controller gave up: what its newest pods tell, else its own reason."""
    name, reason, words = job["metadata"]["name"], failure.get("reason", ""), failure.get("message", "")
    since = moment(failure.get("lastTransitionTime"))
    key = values_key(job["spec"]["template"])
    if reason == "DeadlineExceeded":
        limit = job["spec"].get("activeDeadlineSeconds")
        summary = f"job {name}: it was not done within {limit} s, waiting and retries included"
        remedy = (
            "start the same command again: finished stages are not repeated, and training goes on from its checkpoint"
        )
        return Diagnosis(Category.DEADLINE, summary, shortened(words), remedy, since)
    for together in zip_longest(*by_member(job, pods)):
        ended = _worst(diagnose_ended(pod, said.get(pod["metadata"]["name"], ())) for pod in together if pod)
        if ended and ended.category is Category.INTERRUPTED and len(together) > 1:
            continue
        # how many they were is known once the last has been counted; until then nothing new is to be told
        if ended and reason == "BackoffLimitExceeded" and failure["type"] == "Failed":
            return replace(ended, summary=f"{ended.summary}; {_tries(job)}")
        if ended:
            return ended
    told = re.search(r"for pod [^/]+/(\S+) failed with exit code (\d+)", words)
    if told and int(told[2]) in CONTRACT:
        return contract(int(told[2]), told[1], key, "\n".join(said.get(told[1], ())) or words, since)
    remedy = f"see the log (`ctiforge logs`) and {kubectl(job, 'describe', 'job')}"
    summary = f"job {name}: it failed ({_tries(job) if reason == 'BackoffLimitExceeded' else reason})"
    return Diagnosis(Category.JOB_FAILED, summary, shortened(words), remedy, since)


def _tries(job: Object) -> str:
    return f"given up after {job['status'].get('failed', 'several')} failed pods"


def _refused_since(job: Object, events: Sequence[Object], ended: Diagnosis) -> Diagnosis | None:
    refused = diagnose_creation(job, events)
    is_newer = refused and refused.since and ended.since and refused.since > ended.since
    return refused if is_newer else None
