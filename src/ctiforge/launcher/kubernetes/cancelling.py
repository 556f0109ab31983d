"""Cancel a run in the cluster: its launcher and its Jobs end, but for work that other runs follow."""

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.manifests import JOB, KEY, RUN, place_of
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.shared_work import (
    UNDER_WAY,
    find_labeled,
    find_record,
    followers,
    is_alive,
    launcher_of,
    work_of,
)
from ctiforge.launcher.kubernetes.watching import WatchFailed, Watching
from ctiforge.records.run import RunRecord
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import is_cancelled, note_cancelled

GONE_WITHIN_S = 900
"""Longer than any grace period of the chart."""
LOOK_AGAIN_S = 2.0
ENDED = ("done", "failed")
"""What a run is whose Jobs alone, where there are any, are left to end."""


@dataclass(frozen=True)
class Cancelled:
    """What came of it."""

    jobs: int
    """How many Jobs were deleted, the launcher's included."""
    go_on: dict[str, str] = field(default_factory=dict)
    """Job that was left alone → why."""


def cancel(cluster: Cluster, store: ObjectStore, release: str, run_id: str, *, force: bool = False) -> Cancelled:
    """End a run's launcher and its Jobs, and wait until their pods are gone; its record says that it was cancelled.

    The launcher goes first, so that it starts no other Job. A Job that other runs follow, or that is another run's,
    goes on; one whose own run was cancelled before ends with the last run that follows it.

    Args:
        cluster: The namespace.
        store: The store that keeps the run.
        release: The release that the run's Jobs are made from.
        run_id: The whole id of the run.
        force: Whether to end what others follow, too.

    Returns:
        What ended, and what goes on.

    Raises:
        CannotGoOnError: Pods stay, or have no Job any more that would take them with it.
        UsageError: There is no such run, neither in the store nor in the cluster.
        ClusterError: The cluster refuses, or does not answer.
        StoreError: The store does not answer.
    """
    run = find_record(store, run_id)
    runners = _end_launcher(cluster, run_id)
    # what came of a run that has ended stays its record's last word
    is_over = run is not None and run.state in ENDED
    if not is_over:
        # a launcher elsewhere stops following when it reads this
        note_cancelled(store, run_id)
    work = work_of(run, place_of(release, store.uri), (*UNDER_WAY, "cancelled")) if run else {}
    others = {} if force else followers(cluster, store, run_id, _now(store, run_id))
    found = [*cluster.list("jobs", f"{RUN}={run_id},{KEY}")[0], *find_labeled(cluster, "jobs", KEY, work)]
    if not (run or runners or found):
        raise UsageError(
            f"{store.uri}: there is no run {run_id}, and nothing of it in namespace {cluster.namespace}; "
            "see `ctiforge runs`"
        )
    jobs = {job["metadata"]["name"]: job for job in found}
    reasons = {} if force else {name: _why_it_goes_on(store, run_id, job, others) for name, job in jobs.items()}
    kept = {name: why for name, why in reasons.items() if why}
    ended = [name for name in jobs if name not in kept]
    for name in ended:
        _delete(cluster, name)
    _wait_until_gone(cluster, f"{RUN}={run_id},{KEY}", but_of=kept)
    for name in ended:
        if jobs[name]["metadata"]["labels"][RUN] != run_id:
            _wait_until_gone(cluster, f"{JOB}={name}")
    if run and not is_over and not is_cancelled(store, run_id):
        # a launcher that was stopped has written its own end meanwhile
        note_cancelled(store, run_id)
    return Cancelled(runners + len(ended), {name: why for name, why in kept.items() if is_alive(jobs[name])})


def _delete(cluster: Cluster, job: str) -> None:
    try:
        cluster.delete_job(job)
    except ClusterError as error:
        goes_on = (
            f"job {job} goes on, and nothing of this run follows it: once it may be deleted, the same command does so"
        )
        raise ClusterError(f"{error}\n{goes_on}", error.status) from None


def _end_launcher(cluster: Cluster, run_id: str) -> int:
    """End the Job of the run's launcher; Jobs of a schedule have no other sign of their run than their name."""
    runner = launcher_of(cluster, run_id)
    if runner:
        cluster.delete_job(run_id)
    _wait_until_gone(cluster, f"{JOB}={run_id}")
    return int(runner is not None)


def _why_it_goes_on(store: ObjectStore, run_id: str, job: Object, others: Mapping[str, list[str]]) -> str | None:
    labels = job["metadata"]["labels"]
    if runs := others.get(labels[KEY]):
        return f"run {runs[0]} follows it" if len(runs) == 1 else f"runs {', '.join(runs)} follow it"
    owner = labels[RUN]
    return None if owner == run_id or _was_cancelled(find_record(store, owner)) else f"it is run {owner}'s"


def _was_cancelled(run: RunRecord | None) -> bool:
    return run is not None and run.state == "cancelled"


def _now(store: ObjectStore, run_id: str) -> datetime:
    """Tell the time by the store's clock: the record has just been written."""
    try:
        return store.info(f"runs/{run_id}/{RunRecord.NAME}").modified
    except FileNotFoundError:
        return datetime.now(UTC)


def _wait_until_gone(cluster: Cluster, selector: str, but_of: Collection[str] = ()) -> None:
    """Wait until no pod of these labels is left but those of some Jobs. Raises CannotGoOnError when others stay."""
    end = time.monotonic() + GONE_WITHIN_S
    with Watching(cluster, {"pods": selector}) as watching:
        # asked again after every change, and now and then: what vanished before the watch began is told by nobody
        while left := _pods(cluster, selector, but_of):
            if orphans := [pod["metadata"]["name"] for pod in left if _is_orphan(pod)]:
                raise CannotGoOnError(
                    f"no Job has {', '.join(sorted(orphans))} any more (deleted with --cascade=orphan?), so that it "
                    f"runs on; to end it: kubectl -n {cluster.namespace} delete pod {' '.join(sorted(orphans))}"
                )
            if time.monotonic() > end:
                names = ", ".join(sorted(pod["metadata"]["name"] for pod in left))
                raise CannotGoOnError(
                    f"still there after {GONE_WITHIN_S} s: {names}; if their node is lost: kubectl delete pod --force"
                )
            with suppress(Empty):
                change = watching.changes.get(timeout=LOOK_AGAIN_S)
                if isinstance(change, WatchFailed):
                    raise change.error


def _pods(cluster: Cluster, selector: str, but_of: Collection[str]) -> list[Object]:
    """Give the pods that are there; one without a Job that has ended stays for nobody knows how long."""
    pods, _ = cluster.list("pods", selector)
    others = [each for each in pods if each["metadata"].get("labels", {}).get(JOB) not in but_of]
    return [pod for pod in others if not (_is_orphan(pod) and pod["status"].get("phase") in ("Succeeded", "Failed"))]


def _is_orphan(pod: Object) -> bool:
    """Whether nothing will delete the pod: Kubernetes takes its owner from what `--cascade=orphan` leaves behind."""
    return not pod["metadata"].get("ownerReferences") and "deletionTimestamp" not in pod["metadata"]
