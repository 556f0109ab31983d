"""Reading the API's objects: conditions, times, the stage's container, and which chart value set what. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.manifests import CONTAINER

PROGRAM = "ctiforge.io/stage"
LONGEST = 600
USUAL_GRACE_S = 30
"""What Kubernetes takes for `terminationGracePeriodSeconds`."""
VALUES_OF_VARIABLES = {
    "DATABASE_URL": "database",
    "HF_TOKEN": "hub",
    "CTIFORGE_WEBHOOK_URL": "webhook",
}


def condition(owner: Object, name: str) -> Object:
    """Give the condition of a Job or pod; empty when there is none."""
    found = owner.get("status", {}).get("conditions") or []
    return next((each for each in found if each["type"] == name), {})


def holds(owner: Object, name: str) -> bool:
    """Whether the condition is true."""
    return bool(condition(owner, name).get("status") == "True")


def moment(text: str | None) -> datetime | None:
    """Give a time as the API writes it."""
    return datetime.fromisoformat(text) if text else None


def container(pod: Object) -> Object:
    """Give the specification of the container that runs the program."""
    return _stage(pod["spec"].get("containers") or [])


def state(pod: Object) -> Object:
    """Give what that container is: {waiting: …}, {running: …} or {terminated: …}; empty before a node has it."""
    found: Object = _stage(pod.get("status", {}).get("containerStatuses") or []).get("state", {})
    return found


def other_containers(pod: Object) -> list[Object]:
    """Give the statuses of what runs beside the program: sidecars of a webhook or of the chart's values."""
    return [each for each in pod.get("status", {}).get("containerStatuses") or [] if each["name"] != CONTAINER]


def init_containers(pod: Object) -> list[Object]:
    """Give the statuses of what runs before the program, in their order."""
    return pod.get("status", {}).get("initContainerStatuses") or []


def running_init(pod: Object) -> str | None:
    """Name the init container that the program waits for: one that runs, a sidecar only until it has started."""
    sidecars = _sidecars(pod)
    running = [each for each in init_containers(pod) if "running" in each.get("state", {})]
    waited_for = (each["name"] for each in running if not (each["name"] in sidecars and each.get("started")))
    return next(waited_for, None)


def failed_init(pod: Object) -> Object | None:
    """Give the status of the init container that ended badly, so that the program never ran."""
    ended = ((each, each.get("state", {}).get("terminated") or {}) for each in init_containers(pod))
    return next((each for each, how in ended if how.get("exitCode")), None)


def is_kept_by_others(pod: Object) -> bool:
    """Whether the program has ended, and something beside it keeps the pod and what it takes."""
    return (
        "terminated" in state(pod) and pod["status"].get("phase") not in ("Succeeded", "Failed") and bool(keepers(pod))
    )


def keepers(pod: Object) -> list[str]:
    """Name what has not ended beside the program: it runs, or waits for an image that cannot be had."""
    return [each["name"] for each in other_containers(pod) if "terminated" not in each.get("state", {})]


def kept_pod(pods: Sequence[Object]) -> str:
    """Say what keeps a pod whose program has ended: Kubernetes does not try again until all of it has."""
    pod = next(filter(is_kept_by_others, pods))
    names = ", ".join(keepers(pod))
    code = state(pod)["terminated"].get("exitCode")
    return f"pod {pod['metadata']['name']}: its program has ended (exit code {code}), and {names} keeps the pod"


def lingering_sidecars(pod: Object) -> list[str]:
    """Name what started before the program, is told by Kubernetes to end with it, and has not."""
    if "terminated" not in state(pod) or pod["status"].get("phase") in ("Succeeded", "Failed"):
        return []
    sidecars = _sidecars(pod)
    return [each["name"] for each in init_containers(pod) if each["name"] in sidecars and "running" in each["state"]]


def lingering_pod(pods: Sequence[Object]) -> str:
    """Say what keeps a pod whose program has ended well, and for how long; empty where nothing does."""
    pod = next((each for each in pods if lingering_sidecars(each)), None)
    if pod is None:
        return ""
    names, grace_s = ", ".join(lingering_sidecars(pod)), pod["spec"].get("terminationGracePeriodSeconds", USUAL_GRACE_S)
    return (
        f"pod {pod['metadata']['name']}: its program has ended, and {names}, told to end, keeps the pod, and its GPU, "
        f"for at most {grace_s} s; have it end on SIGTERM, or lower {values_key(pod)}.terminationGracePeriodSeconds"
    )


def failed_beside(pod: Object) -> Object | None:
    """Give the status of what ended badly beside a program that ended well: Kubernetes would run the program again."""
    if not has_succeeded(pod):
        return None
    return next((each for each in other_containers(pod) if _exit_code(each)), None)


def failing_init(pod: Object) -> Object | None:
    """Give the status of the sidecar before the program that fails and is started again: the program waits for it."""
    sidecars = _sidecars(pod)
    failed = (each for each in init_containers(pod) if not each.get("started") and bad_end(each))
    # of the others none is started again: their pod fails, though it is pending for some seconds more
    return next((each for each in failed if each["name"] in sidecars), None)


def bad_end(status: Object) -> Object | None:
    """Tell how a container ended badly, now or before it was started again; None where it did not."""
    ends = (status.get(when, {}).get("terminated") or {} for when in ("state", "lastState"))
    return next((each for each in ends if each.get("exitCode")), None)


def has_started(pod: Object) -> bool:
    """Whether the program has begun, and may have ended since: there is a log to read."""
    return bool(state(pod)) and "waiting" not in state(pod)


def unanswered_since(pod: Object) -> datetime | None:
    """When its node stopped answering: the cluster then marks the pod not ready, though its containers were."""
    ready = condition(pod, "Ready")
    if ready.get("status") == "False" and holds(pod, "ContainersReady"):
        return moment(ready.get("lastTransitionTime"))
    return None


def values_key(pod: Object) -> str:
    """Where the chart's values set this pod: `stages.train_extract` or `launcher.pod`."""
    program = pod["metadata"].get("labels", {}).get(PROGRAM)
    return f"stages.{program.replace('-', '_')}" if program else "launcher.pod"


def value_of_reference(pod: Object, kind: str, name: str) -> str:
    """Give the chart value that names this secret or config map (`kind` as in "secret", "configmap")."""
    field = {"secret": ("secretRef", "secretKeyRef"), "configmap": ("configMapRef", "configMapKeyRef")}[kind]
    stage = container(pod)
    sources = [each.get(field[0], {}).get("name") for each in stage.get("envFrom") or []]
    if name in sources:
        # the chart puts the store's first
        return "store.existingSecret" if kind == "secret" and sources[0] == name else f"{values_key(pod)}.envFrom"
    for variable in stage.get("env") or []:
        if variable.get("valueFrom", {}).get(field[1], {}).get("name") == name:
            owner = VALUES_OF_VARIABLES.get(variable["name"])
            return f"{owner}.existingSecret" if owner else f"{values_key(pod)}.extraEnv"
    if name == volume(pod, "ca-bundle").get("configMap", {}).get("name"):
        return "caBundle.configMap"
    return f"{values_key(pod)}.extraVolumes"


def has_succeeded(pod: Object) -> bool:
    """Whether the pod's program ended well; its phase says so a second or two later, when all is cleared away."""
    ended = state(pod).get("terminated")
    return pod["status"].get("phase") == "Succeeded" or (ended is not None and ended.get("exitCode") == 0)


def was_refused(pod: Object) -> bool:
    """Whether its node did not take the pod: the kubelet says why, no container ran, and nobody evicted it."""
    status = pod.get("status", {})
    if status.get("phase") != "Failed" or "terminated" in state(pod) or holds(pod, "DisruptionTarget"):
        return False
    if failed_init(pod):
        return False
    return status.get("reason") not in (None, "Evicted", "NodeLost")


def went_down_with_its_node(pod: Object) -> bool:
    """Whether nobody knows how the program ended: its node, or the node's container runtime, was started again."""
    if pod["status"].get("reason") == "Evicted" or holds(pod, "DisruptionTarget"):
        return False
    return (state(pod).get("terminated") or {}).get("reason") in ("Unknown", "ContainerStatusUnknown")


def volume(pod: Object, name: str) -> Object:
    """Give the pod's volume of that name; empty when there is none."""
    return next((each for each in pod["spec"].get("volumes") or [] if each["name"] == name), {})


def completed(event: Object) -> Object:
    """Give an event with all that is read of one: some controllers leave out the reason or the message."""
    return {
        **event,
        "reason": event.get("reason") or "",
        "message": event.get("message") or event.get("note") or "",
        "involvedObject": event.get("involvedObject") or event.get("regarding") or {},
    }


def about(name: str, events: Iterable[Object]) -> list[Object]:
    """Give the events about the object of that name, oldest first."""
    return sorted((each for each in events if each["involvedObject"].get("name") == name), key=last_time)


def first_time(event: Object) -> datetime | None:
    """When it was first seen."""
    return moment(event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))


def last_time(event: Object) -> str:
    """When it was last seen, to sort by."""
    series = (event.get("series") or {}).get("lastObservedTime")
    found = event.get("lastTimestamp") or series or event.get("eventTime")
    # some have fractions of a second, some have not
    return str(found or event["metadata"].get("creationTimestamp", ""))[:19]


def creation_time(owner: Object) -> str:
    """When the Job or pod was made, to sort by."""
    return str(owner["metadata"].get("creationTimestamp", ""))


def is_owned_by(owned: Object, owner: Object) -> bool:
    """Whether the pod or workload was made for this very Job, not one that had its name before."""
    references = owned["metadata"].get("ownerReferences") or []
    return any(each["uid"] == owner["metadata"]["uid"] for each in references)


def failing_since(pod: Object, events: Sequence[Object], reason: str) -> datetime | None:
    """Give the first event of this reason; where it has not come yet, when the pod got its node."""
    event = next((first_time(each) for each in events if each["reason"] == reason), None)
    return event or moment(condition(pod, "PodScheduled").get("lastTransitionTime"))


def shortened(text: str) -> str:
    """Give the text without its end where it is long."""
    text = text.strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2].rstrip()} …"


def kubectl(owner: Object, verb: str, kind: str = "") -> str:
    """Give the command a person looks at this object with; `logs` takes no kind."""
    metadata = owner["metadata"]
    return f"kubectl -n {metadata.get('namespace', 'default')} {f'{verb} {kind}'.strip()} {metadata['name']}"


def _sidecars(pod: Object) -> list[str]:
    specs = pod["spec"].get("initContainers") or []
    return [each["name"] for each in specs if each.get("restartPolicy") == "Always"]


def _exit_code(status: Object) -> int:
    return int((status.get("state", {}).get("terminated") or {}).get("exitCode") or 0)


def _stage(containers: Sequence[Object]) -> Object:
    return next((each for each in containers if each["name"] == CONTAINER), {})
