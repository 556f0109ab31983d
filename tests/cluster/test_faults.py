"""What goes wrong in a cluster: each fault is named with its remedy within seconds, and mended the work goes on."""

import subprocess
from collections.abc import Iterator

import pytest

from ctiforge.launcher.backend import Outcome
from tests.cluster.conftest import (
    CONTROL_PLANE,
    WORKER,
    Place,
    articles_locked,
    kubectl,
    new_place,
    secret_values,
    start_s3,
    stop_s3,
)

TOLD_WITHIN_S = 5


def assert_cause(outcome: Outcome, exit_code: int, category: str, remedy: str) -> None:
    """The outcome names this cause, and the launcher knew within seconds of the cluster."""
    assert outcome.cause, outcome
    assert (outcome.exit_code, outcome.cause.category) == (exit_code, category), outcome
    assert remedy in outcome.cause.remedy
    assert outcome.cause.since
    assert outcome.cause.told_at
    # the cluster's own times are whole seconds
    assert (outcome.cause.told_at - outcome.cause.since).total_seconds() <= TOLD_WITHIN_S + 1


def made(outcome: Outcome) -> str:
    """The fingerprint of what it made."""
    assert outcome.exit_code == 0, outcome
    assert outcome.made
    return outcome.made.fingerprint


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[str]:
    """The fingerprint of a harvest that nothing disturbed; a harvest is named by the content of what it wrote."""
    with new_place() as place:
        yield made(place.harvest())


def test_an_image_that_is_not_there(place: Place, undisturbed: str) -> None:
    place.install("images.cpu.tag=absent")
    assert_cause(place.harvest(), 2, "image not found", "images.")
    assert place.jobs() == []
    place.install()
    assert made(place.harvest()) == undisturbed


def test_a_secret_that_is_not_there(place: Place, undisturbed: str) -> None:
    place.install("database.existingSecret=absent")
    outcome = place.harvest()
    assert_cause(outcome, 2, "secret missing", "database.existingSecret")
    place.install()
    assert made(place.harvest()) == undisturbed


def test_a_gpu_that_no_node_has(place: Place) -> None:
    place.install("stages.harvest_extract.gpu.count=1", "launcher.pendingTimeout=8")
    outcome = place.harvest()
    assert_cause(outcome, 4, "no gpu", "stages.harvest_extract.gpu")
    assert any("nvidia.com/gpu" in line for line in place.said), "it was not told while it waited"


HARVEST = "stages.harvest_extract"
QUOTA = '{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"small"},"spec":{"hard":{"pods":"0"}}}'


@pytest.mark.parametrize(
    ("value", "exit_code", "category", "remedy"),
    [
        (HARVEST + '.resources={"requests":{"memory":"900Gi"},"limits":{"memory":"900Gi"}}', 4, "no memory", HARVEST),
        (HARVEST + '.resources={"requests":{"cpu":"900"}}', 4, "no cpu", f"{HARVEST}.resources.requests.cpu"),
        (HARVEST + '.nodeSelector={"disk":"absent"}', 4, "no matching node", f"{HARVEST}.nodeSelector"),
        (
            HARVEST + '.extraVolumes=[{"name":"a","persistentVolumeClaim":{"claimName":"absent"}}]',
            4,
            "volume unbound",
            f"{HARVEST}.extraVolumes",
        ),
        (HARVEST + '.priorityClassName="absent"', 2, "admission refused", f"{HARVEST}.priorityClassName"),
        (
            HARVEST + '.extraVolumes=[{"name":"a","hostPath":{"path":"/"}}]',
            2,
            "admission refused",
            f"{HARVEST}.extraVolumes",
        ),
        ("caBundle.configMap=absent", 2, "config map missing", "caBundle.configMap"),
        (QUOTA, 4, "quota exceeded", "resourcequota small"),
    ],
    ids=["memory", "cpu", "labels", "volume", "priority", "security", "config-map", "quota"],
)
def test_a_pod_that_can_never_start(place: Place, value: str, exit_code: int, category: str, remedy: str) -> None:
    if value is QUOTA:
        kubectl("apply", "-f", "-", namespace=place.namespace, given=QUOTA)
        place.install("launcher.pendingTimeout=8")
    else:
        place.install(value, "launcher.pendingTimeout=8")
    assert_cause(place.harvest(), exit_code, category, remedy)
    assert place.jobs() == []


def test_a_memory_limit_that_is_too_small(place: Place) -> None:
    place.install('stages.harvest_extract.resources={"requests":{"memory":"24Mi"},"limits":{"memory":"24Mi"}}')
    outcome = place.harvest()
    assert_cause(outcome, 4, "out of memory", "stages.harvest_extract.resources.limits.memory")
    assert "24Mi" in outcome.cause.summary + outcome.cause.remedy


def test_too_little_data(place: Place) -> None:
    outcome = place.harvest("--status-filter", "nonesuch")
    assert_cause(outcome, 3, "data error", "")
    assert "are the minimum" in "\n".join(outcome.last_lines)


def test_wrong_flags(place: Place) -> None:
    outcome = place.run("harvest_extract", "--nonesuch")
    assert_cause(outcome, 2, "usage error", "")


def test_the_api_server_restarts_in_the_middle_of_a_watch(place: Place, undisturbed: str) -> None:
    with place.following("harvest_extract", "--from-database") as following:
        with articles_locked():
            place.wait_until_running()
            _restart_api_server()
        assert made(following.wait()) == undisturbed
    assert len(place.jobs()) == 1


@pytest.mark.prove
def test_a_worker_that_stops_and_is_not_brought_back(place: Place, undisturbed: str) -> None:
    place.install(
        "launcher.nodeLostTimeout=5",
        'stages.harvest_extract.affinity={"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":'
        '[{"weight":100,"preference":{"matchExpressions":[{"key":"node-role.kubernetes.io/control-plane",'
        '"operator":"DoesNotExist"}]}}]}}',
    )
    try:
        with place.following("harvest_extract", "--from-database") as following, articles_locked():
            assert place.wait_until_running()["spec"]["nodeName"] == WORKER
            subprocess.run(["docker", "pause", WORKER], check=True, capture_output=True)
            kubectl("wait", f"node/{WORKER}", "--for=condition=Ready=Unknown", "--timeout=180s")
        outcome = following.wait()
    finally:
        subprocess.run(["docker", "unpause", WORKER], check=True, capture_output=True)
        kubectl("wait", f"node/{WORKER}", "--for=condition=Ready", "--timeout=180s")
    assert made(outcome) == undisturbed
    assert outcome.attempts == 2
    assert any("another attempt" in line for line in place.said)


def test_s3_that_is_down_for_a_while(place: Place, undisturbed: str) -> None:
    try:
        with place.following("harvest_extract", "--from-database") as following:
            with articles_locked():
                place.wait_until_running()
                stop_s3()
            place.wait_until_failed("harvest_extract")
            start_s3()
            outcome = following.wait()
    finally:
        start_s3()
    assert made(outcome) == undisturbed


def test_nothing_secret_is_said_or_stored(place: Place) -> None:
    assert place.harvest().exit_code == 0
    manifests = kubectl("get", "jobs,cronjobs,pods", "-o", "yaml", namespace=place.namespace)
    logs = "\n".join(place.said)
    for value in secret_values():
        assert value not in manifests + logs
        for info in place.store.list(""):
            assert value.encode() not in place.store.read(info.key)


def _restart_api_server() -> None:
    pod = f"kube-apiserver-{CONTROL_PLANE}"
    before = kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}",
                     namespace="kube-system")  # fmt: skip
    # the node's image has a shell and its built-in kill, but no process tools
    script = 'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = kube-apiserver ] && kill ${p#/proc/}; done; true'
    subprocess.run(["docker", "exec", CONTROL_PLANE, "sh", "-c", script], check=True, capture_output=True)
    kubectl("wait", "pod", pod, f"--for=jsonpath={{.status.containerStatuses[0].restartCount}}={int(before) + 1}",
            "--timeout=120s", namespace="kube-system", check=False)  # fmt: skip
