"""What a webhook puts before or beside a program: on a real cluster, with the chart's own images."""

import json
import time

import pytest

from tests.cluster.conftest import RELEASE, Place, articles_locked, kubectl, pods_of

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


@pytest.mark.prove
def test_a_sidecar_of_kubernetes_own_kind_that_does_not_listen_is_named_and_ends_with_its_grace_period(
    place: Place,
) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(9999)"
    mesh = {**SIDECAR, "name": "mesh", "restartPolicy": "Always", "command": ["python", "-c", deaf]}
    place.install(
        f"stages.harvest_extract.initContainers={json.dumps([mesh])}",
        "stages.harvest_extract.terminationGracePeriodSeconds=40",
    )
    outcome = place.harvest()

    assert (outcome.exit_code, outcome.attempts, outcome.interruptions) == (0, 1, {}), outcome
    assert outcome.made
    named = next(line for line in place.said if "told to end" in line)
    assert "and mesh, told to end, keeps the pod, and its GPU, for at most 40 s" in named
    assert "lower stages.harvest_extract.terminationGracePeriodSeconds" in named
    done = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl("wait", "pod", "--all", done, "--timeout=60s", namespace=place.namespace)


@pytest.mark.prove
def test_a_pod_that_is_deleted_by_force_is_one_interruption(place: Place) -> None:
    with place.following("harvest_extract", "--from-database") as following, articles_locked():
        pod = place.wait_until_running()
        kubectl("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0", namespace=place.namespace)
        kubectl(
            "wait", "pod", "-l", pods_of("harvest_extract"), "--for=create", "--timeout=60s", namespace=place.namespace
        )
        place.wait_until_running()
    outcome = following.wait()
    # its node may tell how it ended before it is forgotten, or not
    assert outcome.interruptions in ({"interrupted": 1}, {"killed": 1})
    assert (outcome.exit_code, outcome.attempts) == (0, 1), outcome


@pytest.mark.prove
def test_a_quota_on_jobs_says_that_a_launcher_is_one_and_a_job_from_a_template_needs_no_store(place: Place) -> None:
    kubectl("create", "quota", "few", "--hard=count/jobs.batch=0", namespace=place.namespace)
    place.install("launcher.pendingTimeout=20")
    outcome = place.harvest()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "quota exceeded"), outcome
    assert outcome.cause
    assert "a launcher in the cluster is a Job itself" in outcome.cause.remedy
    kubectl("delete", "quota", "few", namespace=place.namespace)

    # what a person does who tries a stage by hand
    template = f"cronjob/{RELEASE}-harvest-extract"
    made = kubectl(
        "create", "job", "by-hand", "--from", template, "--dry-run=client", "-o", "json", namespace=place.namespace
    )
    job = json.loads(made)
    job["spec"]["template"]["spec"]["containers"][0]["args"].append("--from-database")
    kubectl("apply", "-f", "-", namespace=place.namespace, given=json.dumps(job))
    kubectl("wait", "job/by-hand", "--for=condition=Complete", "--timeout=180s", namespace=place.namespace)
    said = kubectl("logs", "job/by-hand", namespace=place.namespace)
    assert f"{place.store.uri}/artifacts/harvest_extract/" in said


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
