"""Training that is evicted, killed or short of memory ends with the weights of one that nothing disturbed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ctiforge.launcher.backend import Command, Outcome, Task
from ctiforge.launcher.kubernetes.manifests import job_name, stage_job, work_key
from ctiforge.records.artifact import Manifest
from ctiforge.store.artifacts import read_manifest
from ctiforge.store.objects import ObjectStore
from tests.cluster.conftest import RELEASE, ROOT, Place, kubectl, new_place, pods_of, start_s3, stop_s3

FLAGS = (
    "--model=demo", "--no-qlora", "--max-length=304", "--format=messages", "--batch-size=16",
    "--gradient-accumulation-steps=1", "--learning-rate=0.002", "--max-steps=60", "--save-steps=10",
    "--eval-steps=1000",
)  # fmt: skip

OS_FLAGS = (
    "--base-model=demo", "--max-length=128", "--pooling=mean", "--batch-size=2", "--learning-rate=0.0002",
    "--max-steps=20", "--save-steps=5", "--eval-steps=1000",
)  # fmt: skip

LONGER = 150


@dataclass(frozen=True)
class Prepared:
    """Examples to train on, and what training on them makes."""

    program: str
    arguments: tuple[str, ...]
    fingerprint: str
    weights: str
    """SHA-256 of the weights of a run that nothing disturbed."""


@pytest.fixture(scope="module")
def prepared(undisturbed: Place) -> Prepared:
    """The demo's examples in the store, and the training that nothing disturbed."""
    harvest = undisturbed.harvest()
    assert harvest.made
    flags = ("--model=demo", "--max-length=304", "--format=messages", "--prompt=short-v1", "--window-tokens=128")
    examples = undisturbed.run("format_extract", f"--input={harvest.made.uri}/records.jsonl", *flags)
    assert examples.made
    return _trained(undisturbed, "train_extract", f"--data={examples.made.uri}", *FLAGS)


@pytest.fixture(scope="module")
def prepared_os(undisturbed: Place) -> Prepared:
    """Labeled articles in the store, and the training of OS-BERT that nothing disturbed."""
    articles = undisturbed.run("prepare_os", "--limit=40", "--force")
    assert articles.made, articles
    return _trained(undisturbed, "train_os_bert", f"--data={articles.made.uri}", *OS_FLAGS)


@pytest.fixture(scope="module")
def longer(undisturbed: Place, prepared: Prepared) -> Prepared:
    """A training that takes longer than it takes to stop the S3 server."""
    return _trained(undisturbed, "train_extract", *prepared.arguments, f"--max-steps={LONGER}")


def _trained(place: Place, program: str, *arguments: str) -> Prepared:
    fingerprint = _plan(program, *arguments)
    trained = place.run(program, *arguments, fingerprint=fingerprint)
    assert trained.exit_code == 0, trained
    return Prepared(program, arguments, fingerprint, _weights(place.store, trained))


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[Place]:
    """A place that lives as long as this file's tests."""
    with new_place() as place:
        yield place


@pytest.mark.parametrize(
    ("examples", "step", "of"), [("prepared", 25, None), ("prepared_os", 4, 20)], ids=["extract", "os-bert"]
)
def test_an_evicted_pod_loses_nothing(
    place: Place, request: pytest.FixtureRequest, examples: str, step: int, of: int | None
) -> None:
    prepared: Prepared = request.getfixturevalue(examples)
    with place.following(prepared.program, *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(step, of)
        place.evict(_training_pod(place, prepared.program))
        outcome = following.wait()
    assert outcome.exit_code == 0
    assert outcome.attempts == 1, "Kubernetes itself replaces an evicted pod"
    assert _metadata(place.store, outcome)["resumed_from_step"] >= step
    assert _weights(place.store, outcome) == prepared.weights


def test_a_killed_pod_loses_no_more_than_the_steps_since_the_last_checkpoint(place: Place, prepared: Prepared) -> None:
    with place.following("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(25)
        pod = _training_pod(place, prepared.program)
        # as an out-of-memory kill or a node that loses power would: no signal that could be answered
        kubectl("delete", "pod", pod, "--grace-period=0", "--force", namespace=place.namespace)
        outcome = following.wait()
    assert outcome.exit_code == 0
    assert _metadata(place.store, outcome)["resumed_from_step"] >= 10
    assert _weights(place.store, outcome) == prepared.weights


def test_eviction_while_no_launcher_runs_leaves_the_log_behind(place: Place, prepared: Prepared) -> None:
    task = Task("alone", "train_extract", prepared.fingerprint)
    command = Command("train_extract", (*prepared.arguments, "--store", place.store.uri), task=task)
    place.cluster.create_job(stage_job(place.cluster.cron_job(f"{RELEASE}-train-extract"), command, task, 1))
    pod = place.wait_until_running("train_extract")["metadata"]["name"]
    place.evict(pod)
    # Kubernetes itself starts the next pod, which ends well
    job = job_name(work_key("train_extract", task), 1)
    kubectl("wait", f"job/{job}", "--for=condition=Complete", "--timeout=300s", namespace=place.namespace)
    tails = {info.key: place.store.read(info.key).decode() for info in place.store.list("runs/alone/logs")}
    evicted = next(text for key, text in tails.items() if pod in key)
    assert "exit code 75" in evicted
    assert any("exit code 0" in text and "steps in" in text for text in tails.values())


def test_too_little_memory_goes_on_with_half_the_micro_batch(place: Place, prepared: Prepared) -> None:
    place.install('stages.train_extract.resources={"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}')
    # 128 rows together take 2.7 GB, 64 take 1.6 GB
    arguments = (*prepared.arguments, "--batch-size=128", "--max-steps=2")
    fingerprint = _plan("train_extract", *arguments)
    outcome = place.run("train_extract", *arguments, fingerprint=fingerprint, batch=(4, 4))
    assert outcome.exit_code == 0, outcome
    assert outcome.made
    assert outcome.made.fingerprint == fingerprint, "a smaller micro-batch is the same work"
    assert outcome.attempts == 2
    assert any("--batch-size=64 --gradient-accumulation-steps=2" in line for line in place.said), place.said


def test_s3_that_is_down_while_checkpoints_are_written(place: Place, longer: Prepared) -> None:
    try:
        with place.following("train_extract", *longer.arguments, fingerprint=longer.fingerprint) as following:
            place.wait_until_done(15)
            stop_s3()
            place.wait_until_said("is not saved")
            start_s3()
            outcome = following.wait()
    finally:
        start_s3()
    assert outcome.exit_code == 0, outcome
    assert outcome.attempts == 1
    assert _metadata(place.store, outcome)["resumed_from_step"] == 0, "training itself went on"
    assert _weights(place.store, outcome) == longer.weights


def test_s3_that_is_down_when_the_result_is_published(place: Place, longer: Prepared) -> None:
    try:
        with place.following("train_extract", *longer.arguments, fingerprint=longer.fingerprint) as following:
            place.wait_until_done(LONGER - 35)
            stop_s3()
            place.wait_until_failed("train_extract")
            start_s3()
            outcome = following.wait()
    finally:
        start_s3()
    assert outcome.exit_code == 0, outcome
    assert _metadata(place.store, outcome)["resumed_from_step"] >= LONGER - 60
    assert _weights(place.store, outcome) == longer.weights


def test_scratch_that_overflows(place: Place, prepared: Prepared) -> None:
    place.install("stages.train_extract.scratchSize=1Mi")
    outcome = place.run("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint)
    assert outcome.exit_code == 4
    told = "\n".join(outcome.cause.lines() if outcome.cause else outcome.lines)
    assert "scratch" in told


def _training_pod(place: Place, program: str) -> str:
    pods = place.pods(pods_of(program))
    return str(next(pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"))


def _weights(store: ObjectStore, outcome: Outcome) -> str:
    files = _manifest(store, outcome).files
    return next(info.sha256 for path, info in files.items() if f"/{path}".endswith("/model.safetensors"))


def _metadata(store: ObjectStore, outcome: Outcome) -> dict[str, int]:
    manifest = _manifest(store, outcome)
    key = f"{_artifact(store, outcome)}/{manifest.key('training_metadata.json')}"
    found: dict[str, int] = json.loads(store.read(key))
    return found


def _manifest(store: ObjectStore, outcome: Outcome) -> Manifest:
    manifest = read_manifest(store, _artifact(store, outcome))
    assert manifest
    return manifest


def _artifact(store: ObjectStore, outcome: Outcome) -> str:
    """Where in the store it is."""
    assert outcome.made
    return outcome.made.uri.removeprefix(f"{store.uri}/")


def _plan(program: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "jobs" / f"{program}.py"), *arguments, "--plan"]
    answer = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=True)
    return str(json.loads(answer.stdout.strip().splitlines()[-1])["fingerprint"])
