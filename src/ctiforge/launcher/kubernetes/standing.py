"""How a run stands that its record takes to be under way: its launcher, its Jobs and their pods, as they are now."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.diagnosis import diagnose
from ctiforge.launcher.kubernetes.manifests import JOB, KEY, RUN, place_of
from ctiforge.launcher.kubernetes.reading import completed
from ctiforge.launcher.kubernetes.shared_work import find_labeled, is_alive, launcher_of, work_of
from ctiforge.launcher.kubernetes.states import WorkState, state_of
from ctiforge.records.run import RunRecord
from ctiforge.store.launcher_note import interrupted, launchers_alive
from ctiforge.store.objects import ObjectStore


@dataclass(frozen=True)
class Living:
    """What of a run lives in the cluster."""

    launcher: WorkState | None = None
    """What the Job of its launcher does; None where that is not there, or has ended."""
    is_heard: bool = False
    """Whether a launcher lets itself be heard, in the cluster or elsewhere."""
    jobs: Mapping[str, WorkState] = field(default_factory=dict)
    """Its stages' Jobs that have not ended, also those that another run has made and it follows."""
    causes: Mapping[str, str] = field(default_factory=dict)
    """Why each of these that does not run does not, where that is known."""

    @property
    def is_launched(self) -> bool:
        """Whether a launcher of it lives."""
        return self.is_heard or self.launcher is not None


def ask(
    cluster: Cluster, store: ObjectStore, release: str, run_id: str, run: RunRecord | None, now: datetime
) -> Living:
    """Ask the cluster and the store what of a run lives.

    Args:
        cluster: The namespace.
        store: The store that keeps the run.
        release: The release that its Jobs are made from.
        run_id: Its id.
        run: Its record; None where its launcher has not begun.
        now: The present moment.

    Returns:
        Its launcher and its Jobs.

    Raises:
        ClusterError: The cluster refuses, or does not answer.
        StoreError: The store does not answer.
    """
    found = [*cluster.list("jobs", f"{RUN}={run_id},{KEY}")[0]]
    found += find_labeled(cluster, "jobs", KEY, work_of(run, place_of(release, store.uri)) if run else ())
    if launcher := launcher_of(cluster, run_id):
        found.append(launcher)
    jobs = {job["metadata"]["name"]: job for job in found}
    pods: defaultdict[str, list[Object]] = defaultdict(list)
    for pod in find_labeled(cluster, "pods", JOB, jobs):
        pods[pod["metadata"]["labels"][JOB]].append(pod)
    states = {name: state_of(job, pods[name]) for name, job in jobs.items() if is_alive(job)}
    states = {name: state for name, state in states.items() if state is not WorkState.OVER}
    own = states.pop(run_id, None) if launcher else None
    idle = [jobs[name] for name, state in states.items() if state is not WorkState.RUNNING]
    events = [completed(each) for each in cluster.list("events")[0]] if idle else []
    diagnoses = {job["metadata"]["name"]: diagnose(job, pods[job["metadata"]["name"]], events, now) for job in idle}
    causes = {name: cause.summary for name, cause in diagnoses.items() if cause}
    return Living(own, bool(launchers_alive(store, now, run_id)), states, causes)


def launcher_without_record(cluster: Cluster, run_id: str) -> str | None:
    """Tell of a launcher in the cluster that has not written its run's record: what it does, or waits for.

    Args:
        cluster: The namespace.
        run_id: The run's whole id.

    Returns:
        Some lines; None where there is no such launcher.

    Raises:
        ClusterError: The cluster refuses, or does not answer.
    """
    job = launcher_of(cluster, run_id)
    if job is None:
        return None
    pods = cluster.list("pods", f"{JOB}={run_id}")[0]
    events = [completed(each) for each in cluster.list("events")[0]]
    lines = [f"{run_id}  not begun", f"its launcher, job {run_id}: {state_of(job, pods)}"]
    if found := diagnose(job, pods, events, cluster.now()):
        lines += [found.summary, f"to do: {found.remedy}"]
    return "\n  ".join(lines)


def as_the_cluster_has_it(run: RunRecord, living: Living) -> RunRecord:
    """Tell of a run what is so that its record says is running, or ended while its Jobs may go on. Pure.

    Args:
        run: The run as its record has it.
        living: What of it lives.

    Returns:
        The run with what is so as its reason; as interrupted, where nothing of it runs any more.
    """
    jobs = ", ".join(
        f"job {name}: {state}" + (f" ({living.causes[name]})" if name in living.causes else "")
        for name, state in living.jobs.items()
    )
    if run.state == "interrupted" and living.launcher is not None:
        return _with_reason(
            run, run.reason, f"its launcher, job {run.id}: {living.launcher}; it goes on by itself", jobs
        )
    if run.state in ("interrupted", "failed", "cancelled"):
        goes_on = f"{jobs}; the same command follows it again, `ctiforge cancel` ends it" if jobs else None
        return _with_reason(run, run.reason, goes_on)
    if living.is_launched:
        waits = living.launcher not in (None, WorkState.RUNNING)
        return _with_reason(run, f"its launcher, job {run.id}: {living.launcher}" if waits else None, jobs)
    if jobs:
        go_on = " and ".join(f"job {name} goes on" for name in living.jobs)
        return _with_reason(run, f"its launcher is gone, {go_on}: the same command follows it again", jobs)
    return interrupted(
        run, "its launcher is gone, and nothing of it runs in the cluster: the same command goes on with it"
    )


def _with_reason(run: RunRecord, *parts: str | None) -> RunRecord:
    return run.model_copy(update={"reason": "\n  ".join(filter(None, parts)) or None})
