"""Why a pod's program ended badly, or hangs with its node or its deletion. Pure.

The texts are those of the kubelet's eviction manager, the Job controller and runc in Kubernetes 1.31 to 1.37.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from signal import SIGKILL, SIGTERM, Signals

from ctiforge.errors import ExitCode
from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.reading import (
    condition,
    container,
    failed_init,
    kubectl,
    moment,
    shortened,
    state,
    unanswered_since,
    values_key,
    went_down_with_its_node,
)
from ctiforge.launcher.kubernetes.waiting import NO_ROOM_TO_START, init_failure, no_room_to_start

LATE = timedelta(minutes=1)
"""So long after the time by which a pod should have gone, it hangs."""
LAST_WORDS = 6
BY_SIGNAL = 128


def diagnose_running(pod: Object, now: datetime) -> Diagnosis | None:
    """Give what hangs, or is about to end, a pod that has not ended; None while nothing does."""
    gone_by = moment(pod["metadata"].get("deletionTimestamp"))
    is_late = gone_by is not None and now - gone_by > LATE
    lost_since = _lost_since(pod, is_late)
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "?")
    force = f"{kubectl(pod, 'delete', 'pod')} --force"
    if lost_since:
        return Diagnosis(
            Category.NODE_LOST,
            f"pod {name}: its node {node} does not answer",
            shortened(pod["status"].get("message") or condition(pod, "DisruptionTarget").get("message") or NOT_READY),
            "wait until it is back or the next attempt starts elsewhere (chart value launcher.nodeLostTimeout); "
            f"if the node is off for good: kubectl delete node {node}",
            lost_since,
        )
    if is_late:
        return Diagnosis(
            Category.STUCK_TERMINATING,
            f"pod {name}: it was deleted, and does not go from node {node}",
            shortened(str(pod["metadata"].get("finalizers", ""))),
            f"see {kubectl(pod, 'describe', 'pod')}; if its program has ended for certain: {force}",
            gone_by,
        )
    return _disruption(pod, None)


def diagnose_ended(pod: Object, last_lines: Sequence[str] = ()) -> Diagnosis | None:
    """Why a pod failed; None for one that did not. `last_lines`: what its program said at last."""
    terminated = state(pod).get("terminated") or {}
    code = terminated.get("exitCode")
    if pod["status"].get("phase") != "Failed" and not code:
        return None
    if pod["status"].get("reason") == "Evicted":
        return _evicted(pod, code)
    if code in CONTRACT and code != ExitCode.INTERRUPTED:
        return _contract(pod, code, terminated, last_lines)
    if terminated.get("reason") == "OOMKilled":
        return _out_of_memory(pod, terminated)
    if disruption := _disruption(pod, code):
        return disruption
    if init := failed_init(pod):
        return init_failure(pod, init)
    if not terminated:
        return _refused_by_node(pod)
    if code in CONTRACT:
        return _contract(pod, code, terminated, last_lines)
    if went_down_with_its_node(pod):
        return _node_restarted(pod, terminated)
    if code in (BY_SIGNAL + SIGKILL, BY_SIGNAL + SIGTERM):
        return _killed(pod, terminated, last_lines)
    return _crashed(pod, terminated, last_lines)


def contract(code: int, pod_name: str, key: str, detail: str, since: datetime | None) -> Diagnosis:
    """Give what an exit code of the contract says; `key`: the pod's place in the chart's values."""
    category, words, remedy = CONTRACT[code]
    summary = f"pod {pod_name}: {words} (exit code {code})"
    return Diagnosis(category, summary, shortened(detail), remedy.format(key=key), since, code)


CONTRACT: dict[int, tuple[Category, str, str]] = {
    ExitCode.USAGE: (
        Category.USAGE_ERROR,
        "the program refuses its flags or settings",
        "mend the flag or setting that it names, then start the same command again",
    ),
    ExitCode.DATA: (
        Category.DATA_ERROR,
        "there is too little valid data",
        "see what it says of the data (`ctiforge logs`), add or mend records, then start the same command again",
    ),
    ExitCode.CANNOT_GO_ON: (
        Category.CANNOT_GO_ON,
        "the program cannot go on here",
        "see what it lacks: memory is set in {key}.resources.limits.memory, disk in {key}.scratchSize",
    ),
    ExitCode.GATE: (
        Category.GATE_NOT_PASSED,
        "it did not pass the gate",
        "nothing is broken, and the model in use stays: its last lines say why, `ctiforge compare` shows figures",
    ),
    ExitCode.INTERRUPTED: (
        Category.INTERRUPTED,
        "it was interrupted, and its state is saved",
        "nothing: the next pod goes on from there",
    ),
}


NOT_READY = "condition Ready is False, though the containers are ready"


def _lost_since(pod: Object, is_late: bool) -> datetime | None:
    """When the cluster lost the node."""
    if since := unanswered_since(pod):
        return since
    ready = condition(pod, "Ready")
    target = condition(pod, "DisruptionTarget")
    if is_late and target.get("reason") == "DeletionByTaintManager":
        return moment(target.get("lastTransitionTime"))
    if pod["status"].get("phase") == "Unknown" or pod["status"].get("reason") == "NodeLost":
        return moment(ready.get("lastTransitionTime") or pod["metadata"].get("deletionTimestamp"))
    return None


DISRUPTIONS = {
    "PreemptionByScheduler": (
        Category.PREEMPTED,
        "preempted for a pod of higher priority",
        "the next pod goes on from the last checkpoint; a higher {key}.priorityClassName avoids it",
    ),
    "EvictionByEvictionAPI": (
        Category.EVICTED,
        "evicted from its node (drained or scaled down)",
        "the next pod goes on from the last checkpoint; nothing to do",
    ),
    "DeletionByTaintManager": (
        Category.EVICTED,
        "evicted: its node has a new taint, or did not answer",
        "the next pod goes on from the last checkpoint; {key}.tolerations avoids it where the taint is meant to stay",
    ),
    "DeletionByPodGC": (
        Category.EVICTED,
        "its node is no longer there",
        "the next pod goes on from the last checkpoint; nothing to do",
    ),
    "TerminationByKubelet": (
        Category.EVICTED,
        "ended by its node (shut down, or short of memory or disk)",
        "the next pod goes on from the last checkpoint; if it happens again, raise {key}.resources.requests",
    ),
}


def _disruption(pod: Object, code: int | None) -> Diagnosis | None:
    """Give the cluster's own reason to end the pod, the same words before and after it has ended."""
    target = condition(pod, "DisruptionTarget")
    if target.get("status") != "True":
        return None
    category, words, remedy = DISRUPTIONS.get(target.get("reason", ""), DISRUPTIONS["EvictionByEvictionAPI"])
    return Diagnosis(
        category,
        f"pod {pod['metadata']['name']}: {words}",
        shortened(target.get("message", "")),
        remedy.format(key=values_key(pod)),
        moment(target.get("lastTransitionTime")),
        code,
    )


def _evicted(pod: Object, code: int | None) -> Diagnosis:
    said = pod["status"].get("message", "")
    name, key = pod["metadata"]["name"], values_key(pod)
    since = _ended_at(pod)
    if volume := re.search(r'Usage of EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)"', said):
        value = {"scratch": f"{key}.scratchSize", "shm": f"{key}.shmSize"}.get(volume[1], f"{key}.extraVolumes")
        summary = f"pod {name}: volume {volume[1]} is full (limit {volume[2]})"
        remedy = f"set {value} above {volume[2]}, then start the same command again"
        return Diagnosis(Category.SCRATCH_FULL, summary, shortened(said), remedy, since, code)
    if re.search("local storage usage exceeds|local ephemeral storage limit", said):
        limit = container(pod).get("resources", {}).get("limits", {}).get("ephemeral-storage", "?")
        summary = f"pod {name}: it wrote more than its ephemeral-storage limit of {limit}"
        remedy = f"set {key}.resources.limits.ephemeral-storage above {limit}, or leave it away"
        return Diagnosis(Category.SCRATCH_FULL, summary, shortened(said), remedy, since, code)
    low = re.search(r"low on resource: ([\w-]+)", said)
    resource = low[1] if low else "resources"
    remedy = f"the next pod goes on from the last checkpoint; to be evicted later than others, raise {key}.resources"
    if low:
        remedy += f".requests.{resource}"
    summary = f"pod {name}: evicted, its node {pod['spec'].get('nodeName', '?')} was short of {resource}"
    return Diagnosis(Category.EVICTED, summary, shortened(said), remedy, since, code)


def _out_of_memory(pod: Object, terminated: Object) -> Diagnosis:
    limit = container(pod).get("resources", {}).get("limits", {}).get("memory")
    value = f"{values_key(pod)}.resources.limits.memory"
    what = f"it used more memory than its limit of {limit}" if limit else "its node had no memory left"
    return Diagnosis(
        Category.OOM_KILLED,
        f"pod {pod['metadata']['name']}: {what}",
        shortened(terminated.get("message") or f"{terminated['reason']}, exit code {terminated['exitCode']}"),
        f"set {value} above {limit}" if limit else f"set {value}, and the request to the same",
        moment(terminated.get("finishedAt")),
        terminated["exitCode"],
    )


def _contract(pod: Object, code: int, terminated: Object, last_lines: Sequence[str]) -> Diagnosis:
    detail = _last_words(terminated, last_lines)
    return contract(code, pod["metadata"]["name"], values_key(pod), detail, moment(terminated.get("finishedAt")))


def _refused_by_node(pod: Object) -> Diagnosis:
    """Give the pod failed before it had a container: the kubelet did not take it."""
    reason, said = pod["status"].get("reason", "Failed"), pod["status"].get("message", "")
    return Diagnosis(
        Category.NODE_REFUSED,
        f"pod {pod['metadata']['name']}: node {pod['spec'].get('nodeName', '?')} refuses it ({reason})",
        shortened(said),
        f"another pod is started; if it happens again: kubectl describe node {pod['spec'].get('nodeName', '')}".strip(),
        _ended_at(pod),
    )


def _node_restarted(pod: Object, terminated: Object) -> Diagnosis:
    node = pod["spec"].get("nodeName", "?")
    return Diagnosis(
        Category.NODE_RESTARTED,
        f"pod {pod['metadata']['name']}: its node {node}, or the container runtime there, was started again",
        shortened(terminated.get("message") or f"reason {terminated['reason']}, exit code {terminated['exitCode']}"),
        f"the next pod goes on from the last checkpoint; if it happens again: kubectl describe node {node}",
        moment(terminated.get("finishedAt")),
        terminated["exitCode"],
    )


def _killed(pod: Object, terminated: Object, last_lines: Sequence[str]) -> Diagnosis:
    code = terminated["exitCode"]
    key = values_key(pod)
    return Diagnosis(
        Category.KILLED,
        f"pod {pod['metadata']['name']}: killed by {Signals(code - BY_SIGNAL).name} (exit code {code})",
        _last_words(terminated, last_lines),
        "if someone deleted the pod, nothing; else its state took longer to save than "
        f"{key}.terminationGracePeriodSeconds, or its node ran out of memory: raise that, "
        f"or {key}.resources.requests.memory",
        moment(terminated.get("finishedAt")),
        code,
    )


def _crashed(pod: Object, terminated: Object, last_lines: Sequence[str]) -> Diagnosis:
    code, said = terminated["exitCode"], terminated.get("message", "")
    name = pod["metadata"]["name"]
    since = moment(terminated.get("finishedAt"))
    if NO_ROOM_TO_START.search(said):
        return replace(no_room_to_start(pod, said, since), exit_code=code)
    if re.search("executable file not found|permission denied|no such file or directory", said):
        remedy = f"name an image of ctiforge in images.* or {values_key(pod)}.image: {container(pod).get('image', '?')}"
        summary = f"pod {name}: its image has no such program, or may not run it"
        return Diagnosis(Category.CANNOT_START, summary, shortened(said), remedy, since, code)
    died = BY_SIGNAL < code < BY_SIGNAL + 65 and code - BY_SIGNAL in set(Signals)
    how = f"crashed by {Signals(code - BY_SIGNAL).name}" if died else "crashed"
    return Diagnosis(
        Category.CRASHED,
        f"pod {name}: the program {how} (exit code {code})",
        _last_words(terminated, last_lines),
        "see the whole log: `ctiforge logs`",
        since,
        code,
    )


def _last_words(terminated: Object, last_lines: Sequence[str]) -> str:
    """From the program's last `error:` line on, else its last lines; what the container left, where it said nothing."""
    lines = [line.strip() for line in last_lines if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("error:")]
    said = "\n".join(lines[errors[-1] :] if errors else lines[-LAST_WORDS:])
    return shortened(said or terminated.get("message", ""))


def _ended_at(pod: Object) -> datetime | None:
    terminated = state(pod).get("terminated") or {}
    ready = condition(pod, "Ready").get("lastTransitionTime")
    return moment(terminated.get("finishedAt") or ready or pod["status"].get("startTime"))
