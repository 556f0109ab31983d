"""A run in the cluster from outside: hand it over, read its pods' logs."""

from collections.abc import Iterator, Mapping, Sequence

from ctiforge.errors import UsageError
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.manifests import CONTAINER, JOB, RUN, STAGE, dashed, runner_job
from ctiforge.launcher.kubernetes.reading import creation_time, has_started
from ctiforge.launcher.kubernetes.refusals import ClusterError

RUNNER = "launcher"
"""The template of launchers, and what takes a stage's place in the names of their logs."""


def submit(
    cluster: Cluster, release: str, run_id: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Create the Job that runs the launcher in the cluster; its name is the run's id."""
    template = cluster.cron_job(f"{release}-{RUNNER}")
    if not cluster.create_job(runner_job(template, run_id, arguments, environment)):
        raise UsageError(f"there is a Job {run_id} already: see `ctiforge status {run_id}`, or name another run")


def live_logs(cluster: Cluster, run_id: str, stage: str | None = None) -> Iterator[tuple[str, Iterator[str]]]:
    """(pod, its lines so far) of every pod of the run whose program has started, oldest first.

    Its launcher's are among them, where it runs in the cluster; alone with the stage `launcher`.
    """
    pods = [] if stage == RUNNER else cluster.list("pods", _selector(run_id, stage))[0]
    if stage in (None, RUNNER):
        # those of a schedule have no other sign of their run
        pods = [*pods, *cluster.list("pods", f"{JOB}={run_id}")[0]]
    found = {pod["metadata"]["name"]: pod for pod in pods}
    for name, pod in sorted(found.items(), key=lambda item: creation_time(item[1])):
        if has_started(pod):
            yield name, _lines(cluster, name)


def _selector(run_id: str, stage: str | None) -> str:
    return f"{RUN}={run_id},{STAGE}={dashed(stage)}" if stage else f"{RUN}={run_id}"


def _lines(cluster: Cluster, pod: str) -> Iterator[str]:
    try:
        for line in cluster.log(pod, CONTAINER, follow=False):
            yield line.partition(" ")[2]
    except ClusterError as error:
        yield f"(no more of it: {error})"
