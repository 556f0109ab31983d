"""The simulated cluster's Jobs and pods as the API shows them."""

from ctiforge.launcher.kubernetes.members import INDEX
from tests.unit.launcher.kubernetes.cases import at
from tests.unit.launcher.kubernetes.simulation.world import Job, Object, Pod


def api_job(job: Job) -> Object:
    """The Job as the API shows it."""
    conditions = []
    if job.suspended:
        conditions.append({"type": "Suspended", "status": "True", "lastTransitionTime": at(job.made_at)})
    if job.over == "Complete":
        conditions.append({"type": "Complete", "status": "True", "lastTransitionTime": at(job.over_at)})
    elif job.over:
        conditions.append(
            {"type": "Failed", "status": "True", "reason": job.over, "lastTransitionTime": at(job.over_at)}
        )
    return {
        "metadata": {**job.metadata, "namespace": "ml", "uid": job.uid},
        "spec": {**job.spec, "suspend": job.suspended},
        "status": {"failed": job.failed, "conditions": conditions},
    }


def api_pod(pod: Pod) -> Object:
    """The pod as the API shows it: of one whose node is lost, what was known before."""
    placed, started = pod.placed_at is not None, pod.started_at is not None
    state: Object = {}
    if pod.ended_at is not None:
        state = {
            "terminated": {
                "exitCode": pod.code,
                "reason": pod.reason if pod.code else "Completed",
                "startedAt": at(pod.started_at or pod.ended_at),
                "finishedAt": at(pod.ended_at),
            }
        }
    elif pod.started_at is not None:
        state = {"running": {"startedAt": at(pod.started_at)}}
    elif placed:
        state = {"waiting": {"reason": "ContainerCreating"}}
    phase = "Pending" if not started else "Running"
    if not pod.is_there:
        phase = "Failed" if pod.code else "Succeeded"
    conditions = [_scheduled(pod)]
    if pod.lost_at is not None and started:
        conditions += [
            {"type": "Ready", "status": "False", "lastTransitionTime": at(pod.lost_at)},
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": at(pod.lost_at)},
        ]
    if pod.disrupted:
        disrupted = {"type": "DisruptionTarget", "status": "True", "reason": pod.disrupted}
        conditions.append({**disrupted, "lastTransitionTime": at(pod.lost_at or pod.gone_by or 0)})
    metadata: Object = {
        "name": pod.name,
        "namespace": "ml",
        "uid": f"uid-{pod.name}",
        "ownerReferences": [{"uid": pod.owner}],
        "creationTimestamp": at(pod.made_at),
        "labels": {INDEX: str(pod.index)},
    }
    if pod.gone_by is not None:
        metadata["deletionTimestamp"] = at(pod.gone_by)
    spec: Object = {"containers": [{"name": "stage"}], **({"nodeName": "n"} if placed else {})}
    if pod.gated:
        spec["schedulingGates"] = [{"name": "queue"}]
    statuses = [{"name": "stage", "state": state}] if state else []
    if pod.has_sidecar and started and pod.is_there:
        statuses.append({"name": "proxy", "state": {"running": {}}})
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses},
    }


def _scheduled(pod: Pod) -> Object:
    if pod.placed_at is not None:
        return {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(pod.placed_at)}
    reason = "SchedulingGated" if pod.gated else "Unschedulable"
    return {"type": "PodScheduled", "status": "False", "reason": reason, "lastTransitionTime": at(pod.made_at)}
