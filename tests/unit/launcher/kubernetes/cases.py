"""Jobs, pods and events as Kubernetes 1.34 gives them, trimmed to what matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis

Object = dict[str, Any]

JOB = "train-extract-0123456789ab-1"
POD = f"{JOB}-x7k2p"
IMAGE = "registry.example/ctiforge-train:0.1.0"
BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LABELS = {"ctiforge.io/stage": "train-extract"}


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def at(seconds: float) -> str:
    return after(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", since: float = 1) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(since)}


def job(*conditions: Object, failed: int = 0) -> Object:
    return {
        "metadata": {"name": JOB, "namespace": "ml", "labels": LABELS, "creationTimestamp": at(0)},
        "spec": {
            "backoffLimit": 3,
            "activeDeadlineSeconds": 604800,
            "template": {"metadata": {"labels": LABELS}, "spec": {}},
        },
        "status": {"failed": failed, "conditions": list(conditions)},
    }


def of_two(found: Object) -> Object:
    """The Job with two pods that work together."""
    return {**found, "spec": {**found["spec"], "completionMode": "Indexed", "completions": 2, "parallelism": 2}}


def member(index: int, found: Object, **metadata: Any) -> Object:
    """The pod as the one of this index; named by it."""
    labels = {**found["metadata"]["labels"], "batch.kubernetes.io/job-completion-index": str(index)}
    named = {"name": f"{JOB}-{index}", "uid": f"{index}", "labels": labels}
    return {**found, "metadata": {**found["metadata"], **named, **metadata}}


def pod(
    phase: str,
    state: Object | None = None,
    *conditions: Object,
    name: str = POD,
    created: float = 0,
    gone_by: float | None = None,
    **status: str,
) -> Object:
    """`gone_by`: the API's deletionTimestamp, which has the grace period in it."""
    deletion = {} if gone_by is None else {"deletionTimestamp": at(gone_by), "deletionGracePeriodSeconds": 600}
    placed = [] if any(each["type"] == "PodScheduled" for each in conditions) else [condition("PodScheduled")]
    return {
        "metadata": {"name": name, "namespace": "ml", "labels": LABELS, "creationTimestamp": at(created), **deletion},
        "spec": {"nodeName": "gpu-1", "containers": [CONTAINER], "volumes": VOLUMES},
        "status": {
            "phase": phase,
            "startTime": at(created),
            "conditions": [*placed, *conditions],
            **({"containerStatuses": [{"name": "stage", "state": state}]} if state else {}),
            **status,
        },
    }


def unscheduled(message: str) -> Object:
    return pod("Pending", None, condition("PodScheduled", "False", "Unschedulable", message))


def waiting(reason: str, message: str = "") -> Object:
    return pod("Pending", {"waiting": {"reason": reason, **({"message": message} if message else {})}})


def running(*conditions: Object, gone_by: float | None = None, **more: Any) -> Object:
    return pod("Running", {"running": {"startedAt": at(5)}}, *conditions, gone_by=gone_by, **more)


def ended(code: int, reason: str = "Error", message: str = "", *conditions: Object, **more: Any) -> Object:
    terminated = {"exitCode": code, "reason": reason, "message": message, "startedAt": at(5), "finishedAt": at(50)}
    return pod("Failed", {"terminated": terminated}, *conditions, **more)


def event(reason: str, message: str, about: str = POD, since: float = 1) -> Object:
    return {
        "metadata": {"name": f"{about}.{reason}", "creationTimestamp": at(since)},
        "involvedObject": {"kind": "Job" if about == JOB else "Pod", "name": about},
        "reason": reason,
        "message": message,
        "firstTimestamp": at(since),
        "lastTimestamp": at(since),
    }


def expect(found: Diagnosis | None, category: Category, told: str, remedy: str) -> Diagnosis:
    """The category, words of the summary or the cluster's own, words of the remedy."""
    assert found is not None
    assert found.category is category
    assert told in f"{found.summary}\n{found.detail}"
    assert remedy in found.remedy
    assert "\n" not in found.summary
    assert len(found.detail) <= 600
    assert found.since is not None
    return found


CONTAINER: Object = {
    "name": "stage",
    "image": IMAGE,
    "resources": {
        "limits": {"memory": "32Gi", "ephemeral-storage": "60Gi", "nvidia.com/gpu": "1"},
        "requests": {"memory": "24Gi", "cpu": "4", "ephemeral-storage": "50Gi", "nvidia.com/gpu": "1"},
    },
    "env": [
        {"name": "CTIFORGE_STORE", "value": "s3://bucket/prefix"},
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "team-db", "key": "DATABASE_URL"}}},
        {"name": "EXTRA", "valueFrom": {"configMapKeyRef": {"name": "extra", "key": "flag"}}},
    ],
    "envFrom": [
        {"secretRef": {"name": "s3-keys"}},
        {"secretRef": {"name": "proxy-login"}},
        {"configMapRef": {"name": "flags"}},
    ],
}
VOLUMES: list[Object] = [
    {"name": "scratch", "emptyDir": {"sizeLimit": "200Gi"}},
    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
    {"name": "model-cache", "persistentVolumeClaim": {"claimName": "ctiforge-model-cache"}},
    {"name": "ca-bundle", "configMap": {"name": "corp-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {"name": "own", "secret": {"secretName": "own-files"}},
]
