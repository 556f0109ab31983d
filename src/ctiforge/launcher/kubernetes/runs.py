"""A run in the cluster from outside: hand it over, read its pods' logs, cancel it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.manifests import CONTAINER, KEY, RUN, STAGE, dashed, runner_job
from ctiforge.launcher.kubernetes.reading import creation_time, has_started
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.watching import WatchFailed, Watching

RUNNER = "launcher"
GONE_WITHIN_S = 900
"""Longer than any grace period of the chart."""
LOOK_AGAIN_S = 2.0


def submit(
    cluster: Cluster, release: str, run_id: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Create the Job that runs the launcher in the cluster; its name is the run's id."""
    template = cluster.cron_job(f"{release}-{RUNNER}")
    if not cluster.create_job(runner_job(template, run_id, arguments, environment)):
        raise UsageError(f"there is a Job {run_id} already: see `ctiforge status {run_id}`, or name another run")


def live_logs(cluster: Cluster, run_id: str, stage: str | None = None) -> Iterator[tuple[str, Iterator[str]]]:
    """(pod, its lines so far) of every pod of the run whose program has started, oldest first."""
    pods, _ = cluster.list("pods", _selector(run_id, stage))
    for pod in sorted(pods, key=creation_time):
        name = pod["metadata"]["name"]
        if has_started(pod):
            yield name, _lines(cluster, name)


def cancel(cluster: Cluster, run_id: str) -> int:
    """Delete the run's Jobs and wait until no pod of it is left; gives back how many Jobs there were.

    Its launcher goes first, so that it starts no other. Raises CannotGoOnError when pods stay.
    """
    selector = f"{RUN}={run_id}"
    runners = _delete(cluster, f"{selector},!{KEY}")
    _wait_until_gone(cluster, f"{selector},!{KEY}")
    stages = _delete(cluster, selector)
    _wait_until_gone(cluster, selector)
    return runners + stages


def _delete(cluster: Cluster, selector: str) -> int:
    jobs, _ = cluster.list("jobs", selector)
    for job in jobs:
        cluster.delete_job(job["metadata"]["name"])
    return len(jobs)


def _wait_until_gone(cluster: Cluster, selector: str) -> None:
    end = time.monotonic() + GONE_WITHIN_S
    with Watching(cluster, {"pods": selector}) as watching:
        # asked again after every change, and now and then: what vanished before the watch began is told by nobody
        while left := [pod["metadata"]["name"] for pod in cluster.list("pods", selector)[0]]:
            if time.monotonic() > end:
                raise CannotGoOnError(
                    f"still there after {GONE_WITHIN_S} s: {', '.join(sorted(left))}; "
                    "if their node is lost: kubectl delete pod --force"
                )
            with suppress(Empty):
                change = watching.changes.get(timeout=LOOK_AGAIN_S)
                if isinstance(change, WatchFailed):
                    raise change.error


def _selector(run_id: str, stage: str | None) -> str:
    return f"{RUN}={run_id},{STAGE}={dashed(stage)}" if stage else f"{RUN}={run_id}"


def _lines(cluster: Cluster, pod: str) -> Iterator[str]:
    try:
        for line in cluster.log(pod, CONTAINER, follow=False):
            yield line.partition(" ")[2]
    except ClusterError as error:
        yield f"(no more of it: {error})"
