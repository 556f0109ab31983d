"""Why no node takes a pod: the scheduler's and the autoscalers' words. Pure.

The texts are those of Kubernetes 1.31 to 1.37; 1.34 no longer names the taints.
"""

import re
from collections.abc import Sequence

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.reading import (
    about,
    container,
    creation_time,
    kubectl,
    moment,
    shortened,
    values_key,
)

TAINTS = "untolerated taint"
BLOCKS = (
    # what nodes have beside the usual has a domain before its name
    (r"Insufficient \S+/\S+", Category.NO_GPU),
    ("Insufficient memory", Category.NO_MEMORY),
    ("Insufficient cpu", Category.NO_CPU),
    ("Insufficient ephemeral-storage", Category.NO_STORAGE),
    ("didn't match Pod's node affinity/selector|didn't satisfy plugin", Category.NO_MATCHING_NODE),
    ("PersistentVolume|persistentvolumeclaim|volume node affinity|persistent volumes to bind", Category.VOLUME_UNBOUND),
    (
        "Insufficient (?!memory|cpu|ephemeral-storage)|"
        "were unschedulable|Too many pods|anti-affinity|topology spread|max volume count|all claims",
        Category.UNSCHEDULABLE,
    ),
    (TAINTS, Category.TAINTED),
)
"""What the scheduler says of some nodes, what the pod can be given against first: every cluster has some taint."""
ADDS_NODE = ("TriggeredScaleUp", "Nominated")
SCALING = {
    **dict.fromkeys(ADDS_NODE, "wait: the autoscaler is adding a node; otherwise {otherwise}"),
    "NotTriggerScaleUp": "the autoscaler adds no node for it, and says why; {otherwise}",
    "FailedScaleUp": "the autoscaler tried to add a node and was refused (the cloud's quota or stock); {otherwise}",
}
"""What the cluster autoscaler's and Karpenter's events about the pod mean, by their reasons."""
KARPENTER_CANNOT = "Karpenter has no node pool for it, and says why; {otherwise}"
ASKED_FOR = {
    Category.NO_MEMORY: "memory",
    Category.NO_CPU: "cpu",
    Category.NO_STORAGE: "ephemeral-storage",
    Category.NO_GPU: None,
}
ELSEWHERE = (
    (
        "were unschedulable",
        "the nodes that could take it are cordoned",
        "wait until they take pods again, or: kubectl uncordon NODE; which: kubectl get nodes",
    ),
    ("Too many pods", "no node may have one pod more", "wait until others have ended, or add a node"),
    (
        "anti-affinity",
        "no node where other pods let it be (anti-affinity)",
        "wait until those have ended, add a node, or mend {key}.affinity",
    ),
    (
        "topology spread",
        "no node where its spread over nodes or zones lets it be",
        "wait, add a node, or mend {key}.topologySpreadConstraints",
    ),
)
"""Why nodes do not take a pod that neither a resource nor a label, volume or taint is in the way of."""


def diagnose_unscheduled(pod: Object, scheduled: Object, events: Sequence[Object]) -> Diagnosis:
    """Why no node takes the pod.

    Args:
        pod: The pod.
        scheduled: Its condition PodScheduled, with the scheduler's words.
        events: Those about the pod; an autoscaler tells in one what it does.

    Returns:
        What the pod can be given against first, with the remedy for it.
    """
    said = scheduled.get("message", "")
    nodes, _, preemption = said.partition("preemption:")
    category = next((found for words, found in BLOCKS if re.search(words, nodes)), Category.UNSCHEDULABLE)
    words, remedy = _placing(category, pod, nodes)
    # preemption helps nowhere: no node would do even if it were empty
    never = "not helpful" in preemption and "No preemption victims" not in preemption
    if never and category in ASKED_FOR:
        words, remedy = words.replace("has free", "has"), re.sub("^wait for [^,]+, ", "", remedy)
    if TAINTS in nodes and category is not Category.TAINTED:
        remedy += f"; nodes with a taint need {values_key(pod)}.tolerations"
    scaling = next((each for each in reversed(events) if each["reason"] in SCALING or _is_karpenters(each)), None)
    if scaling:
        remedy = SCALING.get(scaling["reason"], KARPENTER_CANNOT).format(otherwise=remedy)
    return Diagnosis(
        category,
        f"pod {pod['metadata']['name']}: {words}",
        shortened("; ".join([said, *([scaling["message"]] if scaling else [])])),
        remedy,
        moment(scheduled.get("lastTransitionTime")),
    )


def diagnose_gated(pod: Object, scheduled: Object) -> Diagnosis:
    """Why the scheduler does not look at the pod yet: its queue holds it back."""
    gates = ", ".join(each["name"] for each in pod["spec"].get("schedulingGates") or []) or "a scheduling gate"
    return Diagnosis(
        Category.QUEUED,
        f"pod {pod['metadata']['name']}: it is held back by {gates}",
        shortened(scheduled.get("message", "")),
        "wait until its queue lets it in; this time is not counted as waiting",
        moment(scheduled.get("lastTransitionTime")) or moment(creation_time(pod)),
    )


def is_scaled_for(pod: Object, events: Sequence[Object]) -> bool:
    """Whether an autoscaler has said that a node for the pod is on its way."""
    return any(each["reason"] in ADDS_NODE for each in about(pod["metadata"]["name"], events))


def _is_karpenters(event: Object) -> bool:
    """Whether it is Karpenter's, whose FailedScheduling has the scheduler's own reason."""
    components = ((event.get("source") or {}).get("component"), event.get("reportingComponent"))
    return event["reason"] == "FailedScheduling" and "karpenter" in components


def _placing(category: Category, pod: Object, said: str) -> tuple[str, str]:
    key = values_key(pod)
    if category is Category.NO_GPU:
        found = re.search(BLOCKS[0][0], said)
        gpu = found[0].removeprefix("Insufficient ").rstrip(".,") if found else "GPU"
        return (
            f"no node has free {_requested(pod, gpu)} {gpu}",
            f"wait for one, add a GPU node, name the cluster's GPUs in {key}.gpu.resourceName, set {key}.gpu.count "
            f"to 0, or, where it is no GPU, ask for less in {key}.resources; what there is: kubectl describe nodes",
        )
    if resource := ASKED_FOR.get(category):
        return (
            f"no node has free {_requested(pod, resource)} of {resource}",
            f"wait for room, add a larger node, or ask for less in {key}.resources.requests.{resource}",
        )
    if category is Category.NO_MATCHING_NODE:
        return (
            "no node has the labels that the pod asks for",
            f"mend {key}.nodeSelector or {key}.affinity; what nodes have: kubectl get nodes --show-labels",
        )
    if category is Category.VOLUME_UNBOUND:
        return _unbound(pod, said)
    if category is Category.TAINTED:
        return (
            "every node has a taint that the pod does not tolerate",
            f"set {key}.tolerations; which taints: kubectl describe nodes | grep Taints",
        )
    if found := re.search(r"Insufficient ([\w-]+)", said):
        return (
            f"no node has free {_requested(pod, found[1])} of {found[1]}",
            f"wait for room, add a node that has more, or ask for less in {key}.resources",
        )
    for sign, words, mend in ELSEWHERE:
        if sign in said:
            return words, mend.format(key=key)
    return "no node takes the pod", f"{kubectl(pod, 'describe', 'pod')}; kubectl describe nodes"


def _requested(pod: Object, resource: str) -> str:
    resources = container(pod).get("resources", {})
    asked = resources.get("requests", {}).get(resource) or resources.get("limits", {}).get(resource)
    return str(asked or "enough")


def _unbound(pod: Object, said: str) -> tuple[str, str]:
    claims = {
        each["persistentVolumeClaim"]["claimName"]: each["name"]
        for each in pod["spec"].get("volumes") or []
        if "persistentVolumeClaim" in each
    }
    absent = re.search(r'persistentvolumeclaim "([^"]+)" not found', said)
    names = [absent[1]] if absent else list(claims)
    value = "modelCache" if "model-cache" in [claims.get(name) for name in names] else f"{values_key(pod)}.extraVolumes"
    look = f"kubectl -n {pod['metadata'].get('namespace', 'default')} describe pvc {' '.join(names)}".rstrip()
    if absent:
        mend = "modelCache.existingClaim" if value == "modelCache" else value
        return f"there is no volume claim {names[0]}", f"create it, or name another in {mend}"
    mend = "modelCache.storageClassName (ReadWriteMany)" if value == "modelCache" else value
    return f"the volume of claim {', '.join(names) or '?'} is not bound here", f"{look}; set {mend}"
