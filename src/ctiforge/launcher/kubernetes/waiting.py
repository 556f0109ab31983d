"""Why a Job has no pod, or its pod no running program: the API's, the registry's and the kubelet's words. Pure.

The texts are those of Kubernetes 1.31 to 1.37 and containerd.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.images import IMAGE_REASONS, diagnose_image
from ctiforge.launcher.kubernetes.manifests import CONTAINER
from ctiforge.launcher.kubernetes.placing import diagnose_gated, diagnose_unscheduled
from ctiforge.launcher.kubernetes.reading import (
    about,
    bad_end,
    condition,
    container,
    creation_time,
    failing_init,
    failing_since,
    first_time,
    has_started,
    init_containers,
    kubectl,
    last_time,
    moment,
    other_containers,
    running_init,
    shortened,
    value_of_reference,
    values_key,
    volume,
)
from ctiforge.launcher.kubernetes.states import is_gated

SLOW_START = timedelta(minutes=2)
SLOW_PULL = timedelta(minutes=10)
"""A training image has some gigabytes."""
NO_ROOM_TO_START = re.compile("init was OOM-killed|cannot start a stopped process")
"""Runc's words where the memory limit is too small for itself, of the sandbox or of the container."""


def diagnose_creation(job: Object, events: Sequence[Object]) -> Diagnosis | None:
    """Why the Job controller gets no pod; None while nothing was refused, or a pod was made since."""
    own = about(job["metadata"]["name"], events)
    refused = [each for each in own if each["reason"] == "FailedCreate"]
    made = [each for each in own if each["reason"] == "SuccessfulCreate"]
    if not refused or (made and last_time(made[-1]) > last_time(refused[-1])):
        return None
    said = refused[-1]["message"]
    category, words, remedy = _refusal(said, job)
    summary = f"job {job['metadata']['name']}: {words}"
    return Diagnosis(category, summary, shortened(said), remedy, first_time(refused[-1]))


def diagnose_waiting(pod: Object, events: Sequence[Object], now: datetime) -> Diagnosis | None:
    """Why the pod's program has not started; None while that is only a matter of time."""
    scheduled = condition(pod, "PodScheduled")
    own = about(pod["metadata"]["name"], events)
    if scheduled.get("reason") == "Unschedulable":
        return diagnose_unscheduled(pod, scheduled, own)
    if is_gated(pod):
        return diagnose_gated(pod, scheduled)
    runs = has_started(pod)
    for name, waiting in _waiting(pod):
        reason, said = waiting.get("reason", ""), waiting.get("message", "")
        if reason in IMAGE_REASONS:
            return diagnose_image(pod, name, reason, said, own)
        # what lacks something beside a program that runs is no reason to end it
        if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError") and not runs:
            return _configuration(pod, said, failing_since(pod, own, "Failed"))
    if runs:
        return None
    if init := failing_init(pod):
        return init_failure(pod, init, ", and is started again")
    # the kubelet tells the event at once, the pod's status only when it looks again, seconds later
    failed = [each for each in own if each["reason"] == "Failed"]
    if failed and (missing := _missing_reference(pod, failed[-1]["message"], first_time(failed[-1]))):
        return missing
    mount = [each for each in own if each["reason"] in ("FailedMount", "FailedAttachVolume")]
    if mount and not _is_past(mount[-1], own):
        return _mount(pod, mount[-1])
    sandbox = [each for each in own if NO_ROOM_TO_START.search(each["message"])]
    if sandbox:
        return no_room_to_start(pod, sandbox[-1]["message"], first_time(sandbox[-1]))
    return _slow(pod, own, now)


def no_room_to_start(pod: Object, said: str, since: datetime | None) -> Diagnosis:
    """Give the memory limit is so small that no program gets to run."""
    limit = container(pod).get("resources", {}).get("limits", {}).get("memory", "?")
    summary = f"pod {pod['metadata']['name']}: its memory limit of {limit} is too small to start a program"
    remedy = f"set {values_key(pod)}.resources.limits.memory above {limit}"
    return Diagnosis(Category.CANNOT_START, summary, shortened(said), remedy, since)


def init_failure(pod: Object, init: Object, then: str = "") -> Diagnosis:
    """Give what runs before the program, and failed: the program has not run.

    Args:
        pod: The pod.
        init: The status of the init container.
        then: What became of it, to be said after its exit code.

    Returns:
        The diagnosis, with the container's own last words where Kubernetes kept them.
    """
    ended, name = bad_end(init) or {}, init["name"]
    how = "used more memory than its limit" if ended.get("reason") == "OOMKilled" else "failed"
    return Diagnosis(
        Category.INIT_FAILED,
        f"pod {pod['metadata']['name']}: its init container {name} {how} (exit code {ended.get('exitCode')}){then}",
        shortened(ended.get("message") or ""),
        f"see {kubectl(pod, 'logs')} -c {name}; it is set in {values_key(pod)}.initContainers, or put in by a "
        "webhook of the cluster",
        # that of one that is started again is another one each time
        None if then else moment(ended.get("finishedAt")),
        container=name,
    )


def _refusal(said: str, job: Object) -> tuple[Category, str, str]:
    """Category, words and remedy of the API's refusal to create a pod."""
    key = values_key(job["spec"]["template"])
    look = f"kubectl -n {job['metadata'].get('namespace', 'default')}"
    if quota := re.search(r"exceeded quota: ([^,]+), requested: (.*?), used: .*, limited: (.*)", said):
        return (
            Category.QUOTA_EXCEEDED,
            f"quota {quota[1]} leaves no room for {quota[2]} (limit {quota[3]})",
            f"wait until others have ended, ask for less in {key}.resources, or raise the quota: "
            f"{look} describe resourcequota {quota[1]}",
        )
    refused = Category.ADMISSION_REFUSED
    if "violates PodSecurity" in said:
        return (
            refused,
            "the namespace's pod security refuses the pod",
            f"take out what it names from the values podSecurity, {key}.extraVolumes and {key}.runtimeClassName; "
            "the chart alone satisfies `restricted`",
        )
    if webhook := re.search(r'admission webhook "([^"]+)" denied the request', said):
        return refused, f"the admission webhook {webhook[1]} refuses the pod", f"give {key} what it asks for"
    if policy := re.search(r"ValidatingAdmissionPolicy '([^']+)'", said):
        return refused, f"the admission policy {policy[1]} refuses the pod", f"give {key} what it asks for"
    if priority := re.search(r"no PriorityClass with name (\S+)", said):
        return refused, f"there is no priority class {priority[1]}", f"create it, or set {key}.priorityClassName"
    if runtime := re.search(r'RuntimeClass "([^"]+)" not found', said):
        return refused, f"there is no runtime class {runtime[1]}", f"create it, or set {key}.runtimeClassName"
    if account := re.search(r'serviceaccount "([^"]+)" not found', said):
        return refused, f"there is no service account {account[1]}", "install the chart again: helm upgrade --install"
    if ending := re.search(r"namespace (\S+) because it is being terminated", said):
        return refused, f"namespace {ending[1]} is being deleted", "install the release in another one"
    if "is forbidden" in said or "is invalid" in said:
        return refused, "the cluster refuses the pod", f"give {key} what it asks for, in {key}.resources for one"
    return (
        Category.POD_NOT_CREATED,
        "the cluster could not create a pod",
        f"it is tried again; if it stays so: {kubectl(job, 'describe', 'job')}",
    )


def _waiting(pod: Object) -> list[tuple[str, Object]]:
    """Give each container that waits, with what the kubelet says of it: the program's first."""
    statuses = pod.get("status", {}).get("containerStatuses") or []
    of_stage = [each for each in statuses if each["name"] == CONTAINER]
    everything = [*of_stage, *init_containers(pod), *other_containers(pod)]
    return [(each["name"], each["state"]["waiting"]) for each in everything if each.get("state", {}).get("waiting")]


def _configuration(pod: Object, said: str, since: datetime | None) -> Diagnosis | None:
    if found := _missing_reference(pod, said, since):
        return found
    if "timed out waiting for the condition" in said or "not registered" in said:
        # the kubelet has not read the secret yet, and tries again
        return None
    key = values_key(pod)
    mend = (
        "set podSecurity.runAsUser to a user of the image that is not root"
        if "runAsNonRoot" in said
        else f"{kubectl(pod, 'describe', 'pod')}; extra volumes and mounts are set in {key}"
    )
    name = pod["metadata"]["name"]
    return Diagnosis(Category.CANNOT_START, f"pod {name}: its container cannot be made", shortened(said), mend, since)


def _missing_reference(pod: Object, said: str, since: datetime | None) -> Diagnosis | None:
    """Give the secret or config map, or key of one, that the kubelet's words say is not there."""
    if absent := re.search(r'(secret|configmap) "([^"]+)" not found', said):
        return _missing(pod, absent[1], absent[2], None, said, since)
    if key := re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]+/(\S+)", said):
        return _missing(pod, key[2].lower(), key[3], key[1], said, since)
    mounted = re.search(r'for volume "([^"]+)" ?: .*references non-existent (secret|config) key: (\S+)', said)
    if mounted is None:
        return None
    source = volume(pod, mounted[1])
    kind = "secret" if mounted[2] == "secret" else "configmap"
    name = source.get("secret", {}).get("secretName") or source.get("configMap", {}).get("name") or mounted[1]
    return _missing(pod, kind, name, mounted[3], said, since)


def _missing(pod: Object, kind: str, name: str, key: str | None, said: str, since: datetime | None) -> Diagnosis:
    category = Category.SECRET_MISSING if kind == "secret" else Category.CONFIG_MAP_MISSING
    title = "secret" if kind == "secret" else "config map"
    value = value_of_reference(pod, kind, name)
    what = f"{title} {name} has no key {key}" if key else f"there is no {title} {name}"
    generic = "secret generic" if kind == "secret" else "configmap"
    namespace = pod["metadata"].get("namespace", "default")
    create = f"kubectl -n {namespace} create {generic} {name} --from-file=KEY=FILE"
    own_key = f", or set {value.rpartition('.')[0]}.key" if value.endswith((".existingSecret", ".configMap")) else ""
    remedy = f"add the key{own_key}" if key else f"create it ({create}) or name another in {value}"
    summary = f"pod {pod['metadata']['name']}: {what} (chart value {value})"
    return Diagnosis(category, summary, shortened(said), remedy, since)


def _mount(pod: Object, event: Object) -> Diagnosis | None:
    said, since = event["message"], first_time(event)
    if found := _missing_reference(pod, said, since):
        return found
    if "not registered" in said or "cache: timed out" in said:
        return None
    return Diagnosis(
        Category.VOLUME_NOT_MOUNTED,
        f"pod {pod['metadata']['name']}: a volume cannot be mounted",
        shortened(said),
        f"it is tried again; if it stays so: {kubectl(pod, 'describe', 'pod')}",
        since,
    )


def _is_past(mount: Object, events: Sequence[Object]) -> bool:
    """Whether the kubelet got further after this failure: volumes are mounted before the image is pulled."""
    further = [each for each in events if each["reason"] in ("Pulling", "Pulled", "Created")]
    return any(last_time(each) > last_time(mount) for each in further)


def _slow(pod: Object, events: Sequence[Object], now: datetime) -> Diagnosis | None:
    scheduled = condition(pod, "PodScheduled")
    since = moment(scheduled.get("lastTransitionTime") or creation_time(pod))
    last = events[-1] if events else None
    is_pulling = bool(last and last["reason"] == "Pulling")
    if since is None or now - since < (SLOW_PULL if is_pulling else SLOW_START):
        return None
    if scheduled.get("status") != "True":
        what = "no scheduler has looked at it"
    else:
        what = "its image is still being pulled" if is_pulling else _not_started(pod)
    return Diagnosis(
        Category.SLOW_START,
        f"pod {pod['metadata']['name']}: {what}",
        shortened(last["message"]) if last else "",
        f"wait, or see {kubectl(pod, 'describe', 'pod')}",
        since,
    )


def _not_started(pod: Object) -> str:
    runs = running_init(pod)
    return f"its init container {runs} still runs" if runs else "its node has not started it"
