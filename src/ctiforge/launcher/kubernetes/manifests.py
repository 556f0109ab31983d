"""Jobs from the chart's templates, and what their labels say. Pure."""

import copy
import hashlib
from collections.abc import Mapping, Sequence

from ctiforge.launcher.backend import Command, Task
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.store.fingerprint import SHORT

RUN = "ctiforge.io/run"
KEY = "ctiforge.io/key"
ATTEMPT = "ctiforge.io/attempt"
STAGE = "ctiforge.io/line-stage"
FINGERPRINT = "ctiforge.io/fingerprint"
CRASHES = "ctiforge.io/crashes-before"
"""Crashes of the attempts before: whoever follows the Job goes on counting."""
RAN = "ctiforge.io/ran-before"
"""Seconds that the attempts before have run."""
PLACE = 6
"""Digits of a place's digest in a name."""
CONTAINER = "stage"
JOB = "batch.kubernetes.io/job-name"
"""The label by which Kubernetes says which Job a pod is of."""
RELEASE = "ctiforge.io/release"
LAUNCHERS = "app.kubernetes.io/component=launcher"
"""Chooses the Jobs and pods of launchers, handed over or scheduled; a launcher's run has its Job's name."""
TRACKED_BY = frozenset({"app.kubernetes.io/instance", "argocd.argoproj.io/instance", "argocd.argoproj.io/tracking-id"})
"""Labels and annotations that Argo CD finds its own objects by, and prunes them."""
IMAGE_VARIABLE = "CTIFORGE_IMAGE"
MICRO_BATCH = ("--batch-size", "--gradient-accumulation-steps")


def template_name(release: str, program: str) -> str:
    """Give the suspended CronJob that is the program's job template."""
    return f"{release}-{dashed(program)}"


def work_key(program: str, task: Task) -> str:
    """Give what names a piece of work in the cluster, the same for all who follow it.

    Args:
        program: What is run.
        task: Which piece of which run that is.

    Returns:
        The program, the fingerprint, or where that is not known before one of its run, and one of its place: two
        releases in a namespace, or two stores, make the same thing each for themselves.
    """
    known = task.fingerprint or _digest(f"{task.run}/{task.stage}")
    return "-".join([dashed(program), known[:SHORT], *([_digest(task.place)[:PLACE]] if task.place else [])])


def place_of(release: str, store: str) -> str:
    """Name the place of a piece of work: the release that makes its Jobs, and the store that it writes to."""
    return f"{release} {store}"


def job_name(key: str, attempt: int) -> str:
    """Give the Job of that attempt."""
    return f"{key}-{attempt}"


def selector(key: str) -> str:
    """Chooses the Jobs and pods of a piece of work."""
    return f"{KEY}={key}"


def attempt_of(job: Object) -> int:
    """Which attempt a Job is."""
    return int(job["metadata"]["labels"][ATTEMPT])


def stage_job(
    cron_job: Object,
    command: Command,
    task: Task,
    attempt: int,
    environment: Mapping[str, str] | None = None,
    *,
    crashes: int = 0,
    ran_s: float = 0.0,
) -> Object:
    """Make the Job of an attempt: the template's, with the command's arguments, labels for the run, and no owner.

    Without an owner, neither the CronJob's history limits nor `helm uninstall` delete running work; without what
    Argo CD tracks by, no sync does.

    Args:
        cron_job: The stage's template.
        command: What is run.
        task: Which piece of which run that is.
        attempt: Its number, from 1.
        environment: Further variables of the container.
        crashes: Crashes of the attempts before.
        ran_s: Seconds that the attempts before have run.

    Returns:
        The Job to create.
    """
    key = work_key(command.program, task)
    labels = {RUN: task.run, KEY: key, ATTEMPT: str(attempt), STAGE: dashed(task.stage)}
    job = _from_template(cron_job, job_name(key, attempt), labels)
    job["metadata"]["annotations"] |= {CRASHES: str(crashes), RAN: f"{ran_s:.0f}"}
    if task.fingerprint:
        job["metadata"]["annotations"][FINGERPRINT] = task.fingerprint
    container = stage_container(job)
    container["args"] = [*container.get("args", [command.program]), *command.arguments]
    own = {"CTIFORGE_RUN": task.run, "CTIFORGE_STAGE": task.stage, "CTIFORGE_ATTEMPT": str(attempt)}
    _set_environment(container, {**command.environment, **own, **(environment or {})})
    return job


def image_of(cron_job: Object) -> str:
    """Give the image that a template runs its program from."""
    image: str = stage_container(cron_job["spec"]["jobTemplate"])["image"]
    return image


def with_image(cron_job: Object, image: str) -> Object:
    """Give the template with another image for its program, which is told of it."""
    changed = copy.deepcopy(cron_job)
    container = stage_container(changed["spec"]["jobTemplate"])
    container["image"] = image
    if any(each["name"] == IMAGE_VARIABLE for each in container.get("env", [])):
        _set_environment(container, {IMAGE_VARIABLE: image})
    return changed


def runner_job(cron_job: Object, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Object:
    """Give the Job that runs the launcher in the cluster; its name is the run's id."""
    job = _from_template(cron_job, name, {RUN: name})
    container = stage_container(job)
    container["args"] = [*container.get("args", ["ctiforge"]), *arguments]
    _set_environment(container, environment)
    return job


def stage_container(job: Object) -> Object:
    """Give the container that runs the program."""
    containers = job["spec"]["template"]["spec"]["containers"]
    found: Object = next((each for each in containers if each["name"] == CONTAINER), containers[0])
    return found


def halved_batch(arguments: Sequence[str], usual: tuple[int, int | None]) -> tuple[str, ...] | None:
    """Give the arguments with half the micro-batch and, where there is accumulation, as much more of it.

    `usual` are the program's own micro-batch and accumulation. None where the micro-batch is 1.
    """
    batch = int(_value(arguments, "--batch-size") or usual[0])
    accumulation = usual[1] and int(_value(arguments, "--gradient-accumulation-steps") or usual[1])
    if batch == 1:
        return None
    half = next(size for size in range(batch // 2, 0, -1) if batch % size == 0)
    rest = [each for each in arguments if each.partition("=")[0] not in MICRO_BATCH]
    more = (f"--gradient-accumulation-steps={accumulation * (batch // half)}",) if accumulation else ()
    return (*rest, f"--batch-size={half}", *more)


def with_ranks_of(cron_job: Object, arguments: Sequence[str]) -> tuple[str, ...]:
    """Say how many processes train together, which a template gives its pods, as if they did on one machine.

    Args:
        cron_job: The stage's template.
        arguments: What a run gives its program.

    Returns:
        These with the number of processes on all nodes, to plan and to estimate with; as they are where it is one.
    """
    of_pod = [*stage_container(cron_job["spec"]["jobTemplate"]).get("args", []), *arguments]
    processes = int(_value(of_pod, "--nproc") or 1) * int(_value(of_pod, "--nodes") or 1)
    return (*arguments, f"--nproc={processes}") if processes > 1 else tuple(arguments)


def with_micro_batch_of(job: Object, arguments: Sequence[str]) -> tuple[str, ...]:
    """Take over the micro-batch that a Job of the same work has: another launcher may have halved it.

    Args:
        job: A Job of the same work.
        arguments: Our own arguments.

    Returns:
        Our arguments with the Job's micro-batch and accumulation, where it names any.
    """
    theirs = [each for each in stage_container(job).get("args", []) if each.partition("=")[0] in MICRO_BATCH]
    if not theirs:
        return tuple(arguments)
    return (*(each for each in arguments if each.partition("=")[0] not in MICRO_BATCH), *theirs)


def annotated(job: Object, name: str) -> float:
    """Read a number that a Job's annotations hold; 0 where they hold none."""
    return float(job["metadata"].get("annotations", {}).get(name, 0))


def dashed(name: str) -> str:
    """Give a program's or stage's name as Kubernetes allows it."""
    return name.replace("_", "-")


def _from_template(cron_job: Object, name: str, labels: Mapping[str, str]) -> Object:
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    metadata = template.get("metadata", {})
    pod = template["spec"]["template"].setdefault("metadata", {})
    pod["labels"] = {**pod.get("labels", {}), **labels}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {**_untracked(metadata.get("labels", {})), **labels},
            "annotations": _untracked(metadata.get("annotations", {})),
        },
        "spec": template["spec"],
    }


def _untracked(marks: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in marks.items() if name not in TRACKED_BY}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _set_environment(container: Object, values: Mapping[str, str]) -> None:
    kept = [each for each in container.get("env", []) if each["name"] not in values]
    container["env"] = [*kept, *({"name": name, "value": value} for name, value in values.items())]


def _value(arguments: Sequence[str], flag: str) -> str | None:
    return next((each.partition("=")[2] for each in reversed(arguments) if each.startswith(f"{flag}=")), None)
