"""The pods that a Job's work takes together: one, or of an Indexed Job one for each index, each made again. Pure."""

from collections.abc import Sequence

from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.reading import creation_time, has_succeeded, holds

INDEX = "batch.kubernetes.io/job-completion-index"
"""The label by which Kubernetes says which pod of an Indexed Job one is."""
SHARDS = "ctiforge.io/shards"
"""The annotation by which the chart says that a Job's pods work each for itself."""
LEAST_PODS = "kueue.x-k8s.io/job-min-parallelism"
"""The annotation by which the chart tells Kueue the same; of a Job of one pod Kueue refuses it."""


def members_of(job: Object) -> int:
    """How many pods the Job's work takes at once."""
    spec = job["spec"]
    return int(spec.get("completions") or 1) if spec.get("completionMode") == "Indexed" else 1


def is_sharded(job: Object) -> bool:
    """Whether each of its pods works for itself, at once or one after the other: one gets on without the others."""
    return members_of(job) > 1 and SHARDS in (job.get("metadata", {}).get("annotations") or {})


def index_of(pod: Object) -> int:
    """Which of them a pod is, from 0: the first tells progress and has the result."""
    metadata = pod["metadata"]
    # Kubernetes before 1.28 has the annotation alone
    marks = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
    return int(marks.get(INDEX, 0))


def by_member(job: Object, pods: Sequence[Object]) -> list[list[Object]]:
    """Give the pods of each member, the newest first; none where its first is not made."""
    newest_first = sorted(pods, key=creation_time, reverse=True)
    if members_of(job) == 1:
        return [newest_first]
    return [[pod for pod in newest_first if index_of(pod) == index] for index in range(members_of(job))]


def newest_of_each(job: Object, pods: Sequence[Object]) -> list[Object]:
    """Give the newest pod of each member that has one."""
    return [own[0] for own in by_member(job, pods) if own]


def unfinished(job: Object, pods: Sequence[Object]) -> list[list[Object]]:
    """Give the pods, the newest first, of each member whose program has not ended well."""
    return [own for own in by_member(job, pods) if not any(map(has_succeeded, own))]


def is_done(job: Object, pods: Sequence[Object]) -> bool:
    """Whether the program of each member has ended well; the Job says so a second or two later."""
    return holds(job, "Complete") or not unfinished(job, pods)
