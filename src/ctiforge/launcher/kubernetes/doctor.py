"""Checks of a cluster before a run: API, rights, chart, and by one short Job each what only the cluster can tell."""

import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty
from typing import Literal

from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis, diagnose
from ctiforge.launcher.kubernetes.manifests import (
    CONTAINER,
    RUN,
    dashed,
    runner_job,
    stage_container,
    template_name,
)
from ctiforge.launcher.kubernetes.members import LEAST_PODS, is_sharded, members_of, newest_of_each
from ctiforge.launcher.kubernetes.placing import is_scaled_for
from ctiforge.launcher.kubernetes.reading import completed
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.watching import Changed, WatchFailed, Watching
from ctiforge.pod import GPU_VARIABLE

CHART_VERSION = "ctiforge.io/chart-version"
RIGHTS = {
    "cronjobs.batch": ("get",),
    "jobs.batch": ("create", "get", "list", "watch", "delete"),
    "pods": ("get", "list", "watch"),
    "pods/log": ("get",),
    "events": ("create", "get", "list", "watch"),
}
"""What the launcher does in the namespace: the verbs by resource, as in the chart's role."""
KUEUE_RIGHTS = {"workloads.kueue.x-k8s.io": ("get", "list", "watch")}
"""What it reads besides where the cluster has Kueue."""
TRIALS = {"harvest_extract": ("--check",)}
"""What a program is asked in its trial, where there is something better than its flags: its database."""
TICK_S = 1.0
PATIENCE_S = 900
"""A large image is pulled in that time, and an autoscaler's node is there."""
PLACED_WITHIN_S = 60
"""An autoscaler says within that time whether it adds a node: nobody else will."""
PASSES = (
    Category.SUSPENDED,
    Category.QUOTA_EXCEEDED,
    Category.QUEUED,
    Category.NO_GPU,
    Category.NO_MEMORY,
    Category.NO_CPU,
    Category.NO_STORAGE,
    Category.NO_MATCHING_NODE,
    Category.TAINTED,
    Category.UNSCHEDULABLE,
)
"""No place just now: a pool that is busy, or scaled to zero. A run waits for it, so that it is no problem yet."""


CheckupLevel = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Checkup:
    """One line of the answer."""

    level: CheckupLevel
    text: str
    remedy: str = ""


def check_cluster(cluster: Cluster, release: str, template: str, package_version: str) -> Iterator[Checkup]:
    """Check API, rights and chart of a release, one finding each; `template` is one of its programs.

    Raises ClusterError where nobody answers.
    """
    yield Checkup("ok", f"API answers ({cluster.check()}), namespace {cluster.namespace}")
    yield from permission_findings(cluster.namespace, release, _denied(cluster, RIGHTS))
    if cluster.has_kueue():
        yield from queue_findings(release, _denied(cluster, KUEUE_RIGHTS))
    try:
        cron_job = cluster.cron_job(template_name(release, template))
    except ClusterError as error:
        yield Checkup("problem", str(error))
        return
    yield chart_finding(release, cron_job["metadata"].get("annotations", {}), package_version)


def check_stages(
    cluster: Cluster, release: str, programs: Sequence[str], patience_s: float = PATIENCE_S
) -> Iterator[Checkup]:
    """Try each program from its template, one after another, and delete its Job again.

    It says its flags, whether its database can be read, or computes on each of its GPUs. One after another:
    where there is one GPU, two would wait for each other. What the cluster refuses several comes once, at the end.
    """
    refused: dict[str, list[str]] = {}
    for program in programs:
        template = template_name(release, program)
        trial = f"doctor-{dashed(program)}-{secrets.token_hex(3)}"
        try:
            arguments = TRIALS.get(program, ("--help",))
            job = trial_job(cluster.cron_job(template), trial, arguments)
            yield stage_finding(program, _try_out(cluster, job, patience_s))
        except ClusterError as error:
            words = str(error).replace(trial, "doctor-…").replace(template, template_name(release, "…"))
            refused.setdefault(words, []).append(program)
    for words, of in refused.items():
        yield Checkup("problem", f"{', '.join(of)}: {words}")


def permission_findings(namespace: str, release: str, denied: Mapping[str, Collection[str]]) -> Iterator[Checkup]:
    """Give a finding per resource with verbs that are denied, or one that there are none."""
    lacking = {resource: verbs for resource, verbs in denied.items() if verbs}
    if not lacking:
        yield Checkup("ok", f"all rights that a launcher needs in namespace {namespace}")
    for resource, verbs in lacking.items():
        yield Checkup(
            "problem",
            f"you may not {', '.join(verbs)} {resource} in namespace {namespace}",
            f"ask for the role {release}-launcher: an administrator names you in the chart's rbac.users or rbac.groups",
        )


def queue_findings(release: str, denied: Mapping[str, Collection[str]]) -> Iterator[Checkup]:
    """Give a finding about the reading of Kueue's queues: a run goes on without it, and says less."""
    if not any(denied.values()):
        yield Checkup("ok", "Kueue is there, and why it holds a Job can be read")
        return
    yield Checkup(
        "warning",
        "Kueue is there, and you may not read its workloads: why it holds a Job is not told",
        f"ask for the role {release}-launcher of this chart's version: `helm upgrade`",
    )


def chart_finding(release: str, annotations: Mapping[str, str], package_version: str) -> Checkup:
    """Give the chart's version beside this package's."""
    version = annotations.get(CHART_VERSION)
    if version is None:
        return Checkup("problem", f"{release} is no release of ctiforge's chart", "name the release with --release")
    if version != package_version:
        return Checkup(
            "warning",
            f"chart {version} of release {release}, and this is ctiforge {package_version}",
            "run `helm upgrade` with the chart of this version, or install the package of the chart's",
        )
    return Checkup("ok", f"chart {version}, release {release}")


def trial_job(cron_job: Object, name: str, arguments: Sequence[str] = ("--help",)) -> Object:
    """Make a Job of the template that says its program's flags, does as asked or, with a GPU, computes on it.

    It is never retried, and gone by itself.
    """
    job = runner_job(cron_job, name, arguments, {})
    job["spec"] |= {"backoffLimit": 0, "ttlSecondsAfterFinished": 600}
    if is_sharded(job):
        # what one can, all can
        job["spec"] |= {"completions": 1, "parallelism": 1}
        job["metadata"]["annotations"].pop(LEAST_PODS, None)
    container = stage_container(job)
    if GPU_VARIABLE in (each["name"] for each in container.get("env", [])):
        container["args"] = ["check_devices", "--device=cuda"]
    return job


def stage_finding(program: str, ended: Diagnosis | float | None) -> Checkup:
    """Give what became of a program's trial: done after so many seconds, diagnosed, or None: neither in time."""
    if isinstance(ended, float):
        return Checkup("ok", f"{program}: placed, image there, secrets there, started and done in {ended:.0f} s")
    if ended is None:
        return Checkup("problem", f"{program}: neither started nor refused in time", "look at kubectl get events")
    said = f"; the cluster says: {ended.detail}" if ended.detail else ""
    level: CheckupLevel = "warning" if ended.category in PASSES else "problem"
    return Checkup(level, f"{program}: {ended.summary}{said}", ended.remedy)


def is_decided(found: Diagnosis, pods: Sequence[Object], events: Sequence[Object], waited_s: float) -> bool:
    """Whether waiting on tells no more about a trial.

    Args:
        found: What it waits for, or how it ended.
        pods: Its pods.
        events: Events about it.
        waited_s: Seconds since it was created.

    Returns:
        True for what a person has to mend; where only a place is missing, when nobody brings one.
    """
    if found.category not in PASSES:
        return True
    return waited_s > PLACED_WITHIN_S and not any(is_scaled_for(pod, events) for pod in pods)


def _denied(cluster: Cluster, rights: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {resource: [verb for verb in verbs if not cluster.may(resource, verb)] for resource, verbs in rights.items()}


def _try_out(cluster: Cluster, job: Object, patience_s: float) -> Diagnosis | float | None:
    name = job["metadata"]["name"]
    cluster.create_job(job)
    try:
        return _follow(cluster, name, patience_s)
    finally:
        cluster.delete_job(name)


def _follow(cluster: Cluster, name: str, patience_s: float) -> Diagnosis | float | None:
    """Watch the Job until it is done (its seconds), diagnosed, or patience is at its end."""
    begun, found = time.monotonic(), None
    selector = f"{RUN}={name}"
    known: dict[str, dict[str, Object]] = {"jobs": {}, "pods": {}, "events": {}}
    with Watching(cluster, {"jobs": selector, "pods": selector, "events": None}) as watching:
        while (waited := time.monotonic() - begun) < patience_s:
            try:
                change = watching.changes.get(timeout=TICK_S)
            except Empty:
                change = None
            if isinstance(change, WatchFailed):
                raise change.error
            if isinstance(change, Changed):
                _keep(known, change, name)
            pods = list(known["pods"].values())
            if job := known["jobs"].get(name):
                # not when the program has ended alone: the next trial needs the room that the pod still takes
                if sum(pod["status"].get("phase") == "Succeeded" for pod in pods) >= members_of(job):
                    return waited
                events = list(known["events"].values())
                found = diagnose(job, pods, events, cluster.now())
                if found and is_decided(found, pods, events, waited):
                    return _with_last_lines(cluster, job, pods, found)
    return found


def _keep(known: dict[str, dict[str, Object]], change: Changed, name: str) -> None:
    if change.value is None:
        known[change.kind].pop(change.name, None)
        return
    value = completed(change.value) if change.kind == "events" else change.value
    if change.kind != "events" or str(value["involvedObject"].get("name", "")).startswith(name):
        known[change.kind][change.name] = value


def _with_last_lines(cluster: Cluster, job: Object, pods: Sequence[Object], found: Diagnosis) -> Diagnosis:
    """Give the diagnosis once more with what the program said, where it said something."""
    if found.exit_code is None:
        return found
    said: dict[str, list[str]] = {}
    for pod in (each["metadata"]["name"] for each in newest_of_each(job, pods)):
        with suppress(ClusterError):
            said[pod] = [line.partition(" ")[2] for line in cluster.log(pod, CONTAINER, follow=False)]
    return diagnose(job, pods, [], cluster.now(), said) or found
