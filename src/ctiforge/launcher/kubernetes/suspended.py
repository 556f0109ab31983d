"""Who holds a suspended Job, and why: a person, or Kueue, whose Workload says it. Pure.

Conditions and reasons are those of Kueue's API v1beta1 and v1beta2 (`Workload.status.conditions`).
"""

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.reading import condition, holds, kubectl, moment, shortened

QUEUE = "kueue.x-k8s.io/queue-name"
COUNTS_FOR_NOTHING = "it goes on from its last checkpoint once it is let in, and this time is not counted as waiting"
EVICTIONS = {
    "Preempted": "it made room for other work, and waits to be let in again",
    "PodsReadyTimeout": "its pod was not ready in the time that Kueue gives it, and it waits again",
    "AdmissionCheck": "a check of its queue took back its admission",
    "ClusterQueueStopped": "its cluster queue was stopped",
    "LocalQueueStopped": "its queue was stopped",
    "NodeFailures": "the node that it was given failed, and it waits for another",
}
"""Why Kueue took back what it had let in, by the reason of the condition Evicted."""


def diagnose_suspended(job: Object, workload: Object | None = None) -> Diagnosis:
    """Say who holds a suspended Job, and why where that is known; its waiting has no limit.

    Args:
        job: The Job.
        workload: Kueue's Workload of it, where the cluster has Kueue and lets us read it.

    Returns:
        The diagnosis; another summary where the reason is another one, so that each is told once.
    """
    queue = job["metadata"].get("labels", {}).get(QUEUE) or (workload or {}).get("spec", {}).get("queueName")
    if workload:
        return _in_queue(job, queue or "?", workload)
    held = f"it waits in the queue {queue}" if queue else "it is suspended"
    by_hand = f'{kubectl(job, "patch", "job")} --type=merge -p \'{{"spec":{{"suspend":false}}}}\''
    return Diagnosis(
        Category.SUSPENDED,
        f"job {job['metadata']['name']}: {held}",
        shortened(condition(job, "Suspended").get("message", "")),
        f"wait: {COUNTS_FOR_NOTHING}" + ("" if queue else f"; by hand: {by_hand}"),
        moment(condition(job, "Suspended").get("lastTransitionTime")),
    )


def _in_queue(job: Object, queue: str, workload: Object) -> Diagnosis:
    where = f"job {job['metadata']['name']}: it waits in the queue {queue}"
    look = kubectl(workload, "describe", "workload")
    if workload.get("spec", {}).get("active") is False:
        active = f'{kubectl(workload, "patch", "workload")} --type=merge -p \'{{"spec":{{"active":true}}}}\''
        said = condition(workload, "DeactivationTarget") or condition(workload, "Evicted")
        return _held(f"{where}, and was taken out of it", said, f"let it in again: {active}")
    reserved, evicted = condition(workload, "QuotaReserved"), condition(workload, "Evicted")
    if reserved.get("reason") == "Inadmissible":
        return _held(f"{where}, which cannot let it in", reserved, f"mend what it names; {look}")
    if holds(workload, "Evicted"):
        reason = evicted.get("reason", "")
        words = next(
            (said for name, said in EVICTIONS.items() if reason.startswith(name)), f"it was evicted ({reason})"
        )
        # who preempted is said by a condition of its own
        said = condition(workload, "Preempted") if holds(workload, "Preempted") else evicted
        return _held(f"{where}: {words}", said, f"wait: {COUNTS_FOR_NOTHING}")
    if holds(workload, "QuotaReserved"):
        checks = [each["name"] for each in workload["status"].get("admissionChecks") or [] if each["state"] != "Ready"]
        waits = f" for {', '.join(checks)}" if checks else " to be started"
        return _held(
            f"{where}, has its place there and waits{waits}", condition(workload, "Admitted") or reserved, look
        )
    # told anew once the queue has said why
    what = "until there is room" if reserved else "and has not been looked at there yet"
    return _held(f"{where} {what}", reserved, f"wait: {COUNTS_FOR_NOTHING}; {look}")


def _held(summary: str, said: Object, remedy: str) -> Diagnosis:
    words, since = shortened(said.get("message", "")), moment(said.get("lastTransitionTime"))
    return Diagnosis(Category.SUSPENDED, summary, words, remedy, since)
