"""One row per way in which a program ends badly, or hangs: what the pod says, then what we say."""

import pytest

from ctiforge.launcher.kubernetes.attempts import HANGING, crashes_of
from ctiforge.launcher.kubernetes.diagnosis import Category, diagnose
from tests.unit.launcher.kubernetes.cases import POD, Object, after, at, condition, ended, expect, job, pod, running

RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)
NO_PROGRAM = f'{RUNC}error during container init: exec: "tini": executable file not found in $PATH: unknown'
NOT_EXECUTABLE = f'{RUNC}error during container init: exec: "/opt/tini": permission denied: unknown'
KILLED_AT_ONCE = "failed to start containerd task: cannot start a stopped process: unknown"
NO_MEMORY_AT_ALL = f"{RUNC}container init was OOM-killed (memory limit too low?): unknown"
NO_DRIVER = f"{RUNC}nvidia-container-cli: initialization error: driver not loaded: unknown"
MEMORY = "stages.train_extract.resources.limits.memory above 32Gi"


@pytest.mark.parametrize(
    ("code", "reason", "message", "category", "told", "remedy"),
    [
        (2, "Error", "", Category.USAGE_ERROR, "flags or settings (exit code 2)", "mend the flag"),
        (3, "Error", "", Category.DATA_ERROR, "too little valid data (exit code 3)", "add or mend records"),
        (4, "Error", "", Category.CANNOT_GO_ON, "cannot go on here (exit code 4)", "stages.train_extract.scratchSize"),
        (5, "Error", "", Category.GATE_NOT_PASSED, "not pass the gate (exit code 5)", "ctiforge compare"),
        (75, "Error", "", Category.INTERRUPTED, "its state is saved", "the next pod goes on"),
        (1, "Error", "", Category.CRASHED, "the program crashed (exit code 1)", "ctiforge logs"),
        (139, "Error", "", Category.CRASHED, "crashed by SIGSEGV (exit code 139)", "ctiforge logs"),
        (255, "Error", "", Category.CRASHED, "the program crashed (exit code 255)", "ctiforge logs"),
        # what Kubernetes 1.34 says of pods whose node was switched off, and on again
        (255, "Unknown", "", Category.NODE_RESTARTED, "gpu-1, or the container runtime there", "the last checkpoint"),
        (137, "ContainerStatusUnknown", "", Category.NODE_RESTARTED, "was started again", "the last checkpoint"),
        (137, "OOMKilled", "", Category.OOM_KILLED, "more memory than its limit of 32Gi", MEMORY),
        (1, "OOMKilled", "", Category.OOM_KILLED, "more memory than its limit of 32Gi", MEMORY),
        (128, "StartError", KILLED_AT_ONCE, Category.CANNOT_START, "32Gi is too small to start", MEMORY),
        (128, "StartError", NO_MEMORY_AT_ALL, Category.CANNOT_START, "32Gi is too small to start", MEMORY),
        (137, "Error", "", Category.KILLED, "killed by SIGKILL (exit code 137)", "terminationGracePeriodSeconds"),
        (143, "Error", "", Category.KILLED, "killed by SIGTERM (exit code 143)", "terminationGracePeriodSeconds"),
        (128, "StartError", NO_PROGRAM, Category.CANNOT_START, "has no such program", "name an image of ctiforge"),
        (128, "StartError", NOT_EXECUTABLE, Category.CANNOT_START, "permission denied", "stages.train_extract.image"),
        (128, "StartError", NO_DRIVER, Category.CRASHED, "driver not loaded", "ctiforge logs"),
    ],
)
def test_the_program_ended(code: int, reason: str, message: str, category: Category, told: str, remedy: str) -> None:
    found = expect(diagnose(job(failed=1), [ended(code, reason, message)], [], after(51)), category, told, remedy)
    assert found.exit_code == code
    assert found.since == after(50)


PREEMPTING = "default-scheduler: preempting to accommodate a higher priority pod"
EVICTING = "Eviction API: evicting"
TAINTING = "Taint manager: deleting due to NoExecute taint"
SHUTDOWN = "Pod was terminated in response to imminent node shutdown."


@pytest.mark.parametrize(
    ("reason", "message", "category", "told", "remedy"),
    [
        ("PreemptionByScheduler", PREEMPTING, Category.PREEMPTED, "higher priority", "train_extract.priorityClassName"),
        ("EvictionByEvictionAPI", EVICTING, Category.EVICTED, "drained or scaled down", "from the last checkpoint"),
        ("DeletionByTaintManager", TAINTING, Category.EVICTED, "a new taint", "stages.train_extract.tolerations"),
        ("DeletionByPodGC", "PodGC: node no longer exists", Category.EVICTED, "node is no longer there", "checkpoint"),
        ("TerminationByKubelet", SHUTDOWN, Category.EVICTED, "node shutdown", "train_extract.resources.requests"),
    ],
)
def test_the_cluster_ended_it(reason: str, message: str, category: Category, told: str, remedy: str) -> None:
    target = condition("DisruptionTarget", "True", reason, message, since=40)
    ending = expect(diagnose(job(), [running(target, gone_by=640)], [], after(41)), category, told, remedy)
    assert ending.exit_code is None
    for code in (75, 137, 143):
        over = expect(diagnose(job(), [ended(code, "Error", "", target)], [], after(51)), category, told, remedy)
        assert over.exit_code == code
        assert over.summary == ending.summary
        assert over.since == after(40)
    assert not category.is_fatal


def test_what_the_program_says_of_itself_goes_before_what_the_cluster_did() -> None:
    target = condition("DisruptionTarget", "True", "EvictionByEvictionAPI", EVICTING)
    expect(diagnose(job(), [ended(3, "Error", "", target)], [], after(51)), Category.DATA_ERROR, "code 3", "")
    expect(diagnose(job(), [ended(137, "OOMKilled", "", target)], [], after(51)), Category.OOM_KILLED, "32Gi", "memory")


NODE_LOW = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "
    "Container stage was using 30Gi, request is 24Gi, has larger consumption of memory. "
)
FULL = 'Usage of EmptyDir volume "{}" exceeds the limit "{}". '
POD_STORAGE = "Pod ephemeral local storage usage exceeds the total limit of containers 60Gi. "
CONTAINER_STORAGE = 'Container stage exceeded its local ephemeral storage limit "60Gi". '


@pytest.mark.parametrize(
    ("message", "category", "told", "remedy"),
    [
        (
            FULL.format("scratch", "200Gi"),
            Category.SCRATCH_FULL,
            "scratch is full",
            "train_extract.scratchSize above 200Gi",
        ),
        (
            FULL.format("shm", "2Gi"),
            Category.SCRATCH_FULL,
            "shm is full (limit 2Gi)",
            "train_extract.shmSize above 2Gi",
        ),
        (POD_STORAGE, Category.SCRATCH_FULL, "limit of 60Gi", "resources.limits.ephemeral-storage above 60Gi"),
        (CONTAINER_STORAGE, Category.SCRATCH_FULL, "limit of 60Gi", "resources.limits.ephemeral-storage above 60Gi"),
        (
            NODE_LOW,
            Category.EVICTED,
            "node gpu-1 was short of memory",
            "stages.train_extract.resources.requests.memory",
        ),
        (
            "The node had condition: [DiskPressure]. ",
            Category.EVICTED,
            "DiskPressure",
            "stages.train_extract.resources",
        ),
    ],
)
@pytest.mark.parametrize("reason", ["Error", "ContainerStatusUnknown"])
def test_the_kubelet_evicted_it(message: str, category: Category, told: str, remedy: str, reason: str) -> None:
    evicted = ended(137, reason)
    evicted["status"] |= {"reason": "Evicted", "message": message}
    expect(diagnose(job(failed=1), [evicted], [], after(51)), category, told, remedy)
    assert category.is_fatal == (category is Category.SCRATCH_FULL)


def test_a_node_that_does_not_take_a_pod_it_was_given() -> None:
    said = (
        "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0"
    )
    refused = pod("Failed", None, condition("Ready", "False"), reason="UnexpectedAdmissionError", message=said)
    expect(diagnose(job(), [refused], [], after(5)), Category.NODE_REFUSED, "Available: 0", "describe node gpu-1")
    assert not Category.NODE_REFUSED.is_fatal


def test_the_last_lines_are_those_from_the_error_on() -> None:
    lines = ["loading 812 examples", "error: 12 examples where 100 are needed; harvest more", "or say --force"]
    found = diagnose(job(), [ended(3)], [], after(51), {POD: lines})
    assert found
    assert found.detail == "error: 12 examples where 100 are needed; harvest more\nor say --force"


def test_the_last_lines_of_a_crash_are_shortened() -> None:
    crashed = diagnose(job(), [ended(1)], [], after(51), {POD: [*map(str, range(50)), "ValueError: no", " "]})
    assert crashed
    assert crashed.detail.splitlines() == ["45", "46", "47", "48", "49", "ValueError: no"]
    long = diagnose(job(), [ended(1)], [], after(51), {POD: ["x" * 1000]})
    assert long
    assert len(long.detail) == 600


MARKED_BY_NODE_CONTROLLER = (condition("Ready", "False", since=60), condition("ContainersReady"))
READY = (condition("Ready"), condition("ContainersReady"))
TAINT_MANAGER = condition("DisruptionTarget", "True", "DeletionByTaintManager", TAINTING, since=360)


@pytest.mark.parametrize(
    ("its_pod", "seconds", "since"),
    [
        (running(*MARKED_BY_NODE_CONTROLLER), 61, 60),
        (running(*MARKED_BY_NODE_CONTROLLER, TAINT_MANAGER, gone_by=960), 361, 60),
        (pod("Pending", None, TAINT_MANAGER, gone_by=960), 1100, 360),
        (running(condition("Ready", "False", since=60), gone_by=960, reason="NodeLost"), 361, 60),
    ],
)
def test_a_lost_node(its_pod: Object, seconds: float, since: float) -> None:
    found = expect(
        diagnose(job(), [its_pod], [], after(seconds)),
        Category.NODE_LOST,
        f"pod {POD}: its node gpu-1 does not answer",
        "launcher.nodeLostTimeout",
    )
    assert found.since == after(since)
    assert found.category in HANGING
    assert not found.category.is_fatal


def test_a_pod_that_does_not_go() -> None:
    going = running(*READY, gone_by=600)
    assert diagnose(job(), [going], [], after(605)) is None
    expect(
        diagnose(job(), [going], [], after(700)),
        Category.STUCK_TERMINATING,
        "does not go from node gpu-1",
        f"kubectl -n ml delete pod {POD} --force",
    )


def with_init(found: Object, name: str, state: Object) -> Object:
    """The pod with an init container that is in this state."""
    found["status"]["initContainerStatuses"] = [
        {"name": "done", "state": {"terminated": {"exitCode": 0, "finishedAt": at(3)}}},
        {"name": name, "state": state},
    ]
    return found


@pytest.mark.parametrize(
    ("reason", "told"),
    [("Error", "its init container vault-agent failed"), ("OOMKilled", "more memory than its limit")],
)
def test_an_init_container_that_fails_is_named_and_is_no_nodes_refusal(reason: str, told: str) -> None:
    ended_ = {"terminated": {"exitCode": 3, "reason": reason, "message": "no such role", "finishedAt": at(9)}}
    found = with_init(pod("Failed", {"waiting": {"reason": "PodInitializing"}}), "vault-agent", ended_)
    diagnosis = expect(diagnose(job(failed=1), [found], [], after(10)), Category.INIT_FAILED, told, "-c vault-agent")
    assert "exit code 3" in diagnosis.summary
    assert diagnosis.detail == "no such role"
    assert diagnosis.container == "vault-agent"
    assert f"kubectl -n ml logs {POD} -c vault-agent" in diagnosis.remedy
    assert not diagnosis.category.is_fatal, "it may be there the next time: as often as the Job's retries say"
    assert crashes_of(job(failed=1), [found]) == 1
