"""What a webhook puts before or beside a program: on a real cluster, with the chart's own images."""

import json
import time

from tests.cluster.conftest import RELEASE, Place, kubectl

IMAGE = "ctiforge-cpu:dev"
FREED_WITHIN_S = 30
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
SIDECAR = {
    "name": "proxy",
    "image": IMAGE,
    "imagePullPolicy": "IfNotPresent",
    # it ends when its pod is told to, and not before
    "command": ["python", "-c", "import signal, sys; signal.signal(15, lambda *_: sys.exit()); signal.pause()"],
    "securityContext": RESTRICTED,
}


def add_sidecar(place: Place) -> None:
    """Put a container beside the harvest, as a mesh's webhook does."""
    path = "/spec/jobTemplate/spec/template/spec/containers/-"
    patch = json.dumps([{"op": "add", "path": path, "value": SIDECAR}])
    template = f"cronjob/{RELEASE}-harvest-extract"
    kubectl("patch", template, "--type=json", "-p", patch, namespace=place.namespace)


def test_a_sidecar_does_not_keep_a_finished_stage(place: Place) -> None:
    place.install()
    add_sidecar(place)
    with place.following("harvest_extract", "--from-database") as following:
        place.wait_until_said("proxy keeps the pod")
        ended = time.monotonic()
        kubectl("wait", "pod", "--all", "--for=delete", f"--timeout={FREED_WITHIN_S}s", namespace=place.namespace)
        assert time.monotonic() - ended < FREED_WITHIN_S
        following.thread.join(60)
    outcome = following.wait()
    assert (outcome.exit_code, outcome.attempts) == (0, 1), outcome
    assert outcome.made
    assert place.jobs() == []


def test_an_init_container_that_fails_is_named_with_its_last_words(place: Place) -> None:
    script = "import sys; print('permission denied: no such role'); sys.exit(3)"
    vault = {"name": "vault", "image": IMAGE, "command": ["python", "-c", script], "securityContext": RESTRICTED}
    place.install(f"stages.harvest_extract.initContainers={json.dumps([vault])}", "stages.harvest_extract.retries=0")
    outcome = place.harvest()
    assert outcome.exit_code == 4, outcome
    assert outcome.cause
    assert outcome.cause.category == "init container failed"
    assert "vault failed (exit code 3)" in outcome.cause.summary
    assert outcome.cause.detail == "permission denied: no such role"


def test_an_init_image_that_is_not_there_is_told_at_once(place: Place) -> None:
    vault = {"name": "vault", "image": "mesh.invalid/proxy:9", "command": ["true"], "securityContext": RESTRICTED}
    place.install(f"stages.harvest_extract.initContainers={json.dumps([vault])}")
    with place.following("harvest_extract", "--from-database") as following:
        place.wait_until_said("image mesh.invalid/proxy:9 of its container vault cannot be had", 60)
        for job in place.jobs():
            place.cluster.delete_job(job)
        following.thread.join(200)
    assert following.wait().exit_code == 75
