"""Which work of a run lies in the cluster, and which other runs follow the same."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from ctiforge.launcher.backend import Task
from ctiforge.launcher.kubernetes.attempts import is_over
from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.manifests import LAUNCHERS, RELEASE, place_of, work_key
from ctiforge.records.run import RunRecord
from ctiforge.store.launcher_note import launchers_alive
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import read_runs

UNDER_WAY = ("running", "interrupted")
"""What a stage is while its Job may be there: that a launcher was stopped does not end it."""


def work_of(run: RunRecord, place: str, states: Collection[str] = UNDER_WAY) -> dict[str, str]:
    """Name the work that a run has in the cluster.

    Args:
        run: The run.
        place: The release and the store that its launcher works with.
        states: What its stages may be.

    Returns:
        What names each piece of work → the run's stage.
    """
    stages = [stage for stage in run.stages if stage.state in states]
    tasks = {stage.name: Task(run.id, stage.name, stage.fingerprint, place=place) for stage in stages}
    return {work_key(stage.program, tasks[stage.name]): stage.name for stage in stages}


def followers(cluster: Cluster, store: ObjectStore, run_id: str, now: datetime) -> Mapping[str, list[str]]:
    """Find who else follows work that a run may have in the cluster.

    A run counts while a launcher of it lives: one that lets itself be heard, or a launcher's Job that has not ended,
    also while its pod is replaced.

    Args:
        cluster: The namespace.
        store: The store that keeps the runs.
        run_id: The run that does not count.
        now: The present moment, by the store's clock where that is known.

    Returns:
        What names a piece of work → the runs that follow it, sorted.
    """
    heard = {(each.run, each.release) for each in launchers_alive(store, now)}
    jobs = [job for job in cluster.list("jobs", LAUNCHERS)[0] if is_alive(job)]
    heard |= {(job["metadata"]["name"], job["metadata"]["labels"].get(RELEASE, "")) for job in jobs}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for other, release in sorted(heard):
        run = find_record(store, other)
        if other != run_id and run and run.state != "cancelled":
            for key in work_of(run, place_of(release, store.uri)):
                found[key].append(other)
    return found


def launcher_of(cluster: Cluster, run_id: str) -> Object | None:
    """Give the Job that runs this run's launcher, handed over or scheduled; None where its launcher runs elsewhere."""
    job = cluster.job(run_id)
    name, _, value = LAUNCHERS.partition("=")
    return job if job and job["metadata"].get("labels", {}).get(name) == value else None


def is_alive(job: Object) -> bool:
    """Whether the Job has not ended, and nobody has deleted it."""
    return not is_over(job) and "deletionTimestamp" not in job["metadata"]


def find_record(store: ObjectStore, run_id: str) -> RunRecord | None:
    """Give the record of the run with this very id; None where there is none, or it cannot be read."""
    return next(iter(read_runs(store, [run_id])[0]), None)


def find_labeled(cluster: Cluster, kind: ResourceKind, label: str, values: Collection[str]) -> list[Object]:
    """Give the Jobs or pods whose label has one of these values; none where there are no values."""
    return cluster.list(kind, f"{label} in ({','.join(sorted(values))})")[0] if values else []
