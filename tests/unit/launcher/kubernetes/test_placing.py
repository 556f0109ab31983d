"""One row per reason why no node takes a pod: the scheduler's words, then ours."""

import pytest

from ctiforge.launcher.kubernetes.diagnosis import Category, diagnose
from tests.unit.launcher.kubernetes.cases import POD, Object, after, event, expect, job, unscheduled

TAINT = "1 node(s) had untolerated taint(s)"
OLD_TAINT = "1 node(s) had untolerated taint {nvidia.com/gpu: present}"
CONTROL_PLANE = "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
NO_CLAIM = 'persistentvolumeclaim "ctiforge-model-cache" not found'
OTHER_ZONE = "3 node(s) didn't match PersistentVolume's node affinity"
CORDONED = "2 node(s) were unschedulable"
APART = "2 node(s) didn't match pod anti-affinity rules"
BESIDE = "3 node(s) didn't satisfy existing pods anti-affinity rules"
SPREAD = "2 node(s) didn't match pod topology spread constraints (missing required label)"
NOT_LABELED = "2 node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("reasons", "category", "told", "remedy"),
    [
        (f"{TAINT}, 2 Insufficient nvidia.com/gpu", Category.NO_GPU, "free 1 nvidia.com/gpu", "gpu.resourceName"),
        (f"2 Insufficient nvidia.com/gpu, {OLD_TAINT}", Category.NO_GPU, "gpu: present}", "train_extract.tolerations"),
        ("3 Insufficient cpu, 3 Insufficient memory", Category.NO_MEMORY, "free 24Gi of memory", "requests.memory"),
        ("3 Insufficient cpu", Category.NO_CPU, "free 4 of cpu", "stages.train_extract.resources.requests.cpu"),
        ("3 Insufficient rdma/hca", Category.NO_GPU, "free enough rdma/hca", "stages.train_extract.resources"),
        (
            f"{CONTROL_PLANE}, 2 Insufficient hugepages-2Mi",
            Category.UNSCHEDULABLE,
            "no node has free enough of hugepages-2Mi",
            "ask for less in stages.train_extract.resources",
        ),
        ("3 Insufficient ephemeral-storage", Category.NO_STORAGE, "free 50Gi", "requests.ephemeral-storage"),
        ("3 node(s) had untolerated taint(s)", Category.TAINTED, "every node has a taint", "train_extract.tolerations"),
        (CONTROL_PLANE, Category.TAINTED, "control-plane", "stages.train_extract.tolerations"),
        (f"{TAINT}, {NOT_LABELED}", Category.NO_MATCHING_NODE, "no node has the labels", "train_extract.nodeSelector"),
        (UNBOUND, Category.VOLUME_UNBOUND, "ctiforge-model-cache is not bound", "modelCache.storageClassName"),
        (NO_CLAIM, Category.VOLUME_UNBOUND, "no volume claim ctiforge-model-cache", "modelCache.existingClaim"),
        (OTHER_ZONE, Category.VOLUME_UNBOUND, "is not bound here", "kubectl -n ml describe pvc ctiforge-model-cache"),
        (
            "3 node(s) exceed max volume count",
            Category.UNSCHEDULABLE,
            "no node takes the pod",
            "kubectl describe nodes",
        ),
        ("3 cannot allocate all claims", Category.UNSCHEDULABLE, "all claims", f"kubectl -n ml describe pod {POD}"),
        ("3 node(s) were unschedulable", Category.UNSCHEDULABLE, "are cordoned", "kubectl uncordon"),
        (f"{CONTROL_PLANE}, {CORDONED}", Category.UNSCHEDULABLE, "are cordoned", "kubectl uncordon"),
        (f"{TAINT}, 2 Too many pods", Category.UNSCHEDULABLE, "no node may have one pod more", "others have ended"),
        (f"{TAINT}, {APART}", Category.UNSCHEDULABLE, "other pods let it be", "stages.train_extract.affinity"),
        (BESIDE, Category.UNSCHEDULABLE, "other pods let it be", "stages.train_extract.affinity"),
        (f"{TAINT}, {SPREAD}", Category.UNSCHEDULABLE, "its spread", "train_extract.topologySpreadConstraints"),
    ],
)
def test_no_node_for_the_pod(reasons: str, category: Category, told: str, remedy: str) -> None:
    said = (
        f"0/3 nodes are available: {reasons}. no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )
    found = expect(diagnose(job(), [unscheduled(said)], [], after(1)), category, told, remedy)
    assert not found.category.is_fatal
    assert found.since == after(1)


def test_a_request_that_fits_no_node_even_empty_is_told_from_one_that_has_to_wait() -> None:
    said = (
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: "
        "0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    found = expect(
        diagnose(job(), [unscheduled(said)], [], after(1)), Category.NO_GPU, "no node has 1 nvidia.com/gpu", "add a GPU"
    )
    assert "wait" not in found.remedy
    growing = event("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 3)}]")
    expect(
        diagnose(job(), [unscheduled(said)], [growing], after(1)),
        Category.NO_GPU,
        "gpu-pool 0->1",
        "wait: the autoscaler is adding a node",
    )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (event("Nominated", "Pod should schedule on: nodeclaim/gpu-x7k2p"), "wait: the autoscaler is adding a node"),
        (
            event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached"),
            "adds no node for it",
        ),
        (event("FailedScaleUp", "quota GPUS_ALL_REGIONS exceeded"), "the cloud's quota"),
        (
            event("FailedScheduling", 'incompatible with nodepool "gpu", no instance type')
            | {"source": {"component": "karpenter"}},
            "Karpenter has no node pool",
        ),
        # the scheduler's own says nothing that the pod does not
        (event("FailedScheduling", "0/3 nodes are available") | {"source": {"component": "default-scheduler"}}, "wait"),
    ],
)
def test_what_an_autoscaler_says_of_the_pod(said: Object, remedy: str) -> None:
    waits = unscheduled(
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes: No preemption victims"
    )
    told = "" if "default-scheduler" in str(said) else said["message"]
    expect(diagnose(job(), [waits], [said], after(1)), Category.NO_GPU, told, remedy)
