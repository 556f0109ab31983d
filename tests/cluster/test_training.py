"""Training that is evicted, killed or short of memory ends with the weights of one that nothing disturbed."""

import pytest

from ctiforge.launcher.backend import Command, Task
from ctiforge.launcher.kubernetes.manifests import job_name, stage_job, work_key
from tests.cluster.conftest import RELEASE, Place, kubectl, start_s3, stop_s3
from tests.cluster.training import LIMITS, Prepared, kill_rank, metadata, plan, trained, training_pod, weights

OS_FLAGS = (
    "--base-model=demo", "--max-length=128", "--pooling=mean", "--batch-size=2", "--learning-rate=0.0002",
    "--max-steps=20", "--save-steps=5", "--eval-steps=1000",
)  # fmt: skip

LONGER = 150
PROVE = pytest.mark.prove
"""For `make prove-cluster` alone."""


@pytest.fixture(scope="module")
def prepared_os(lasting: Place) -> Prepared:
    """Labeled articles in the store, and the training of OS-BERT that nothing disturbed."""
    articles = lasting.run("prepare_os", "--limit=40", "--force")
    assert articles.made, articles
    return trained(lasting, "train_os_bert", f"--data={articles.made.uri}", *OS_FLAGS)


@pytest.fixture(scope="module")
def shorter(lasting: Place, flags: tuple[str, ...]) -> Prepared:
    """A training that is just long enough for one eviction."""
    return trained(lasting, "train_extract", *flags, "--max-steps=40", "--save-steps=8")


@pytest.fixture(scope="module")
def longer(lasting: Place, prepared: Prepared) -> Prepared:
    """A training that takes longer than it takes to stop the S3 server."""
    return trained(lasting, "train_extract", *prepared.arguments, f"--max-steps={LONGER}")


@pytest.mark.parametrize(
    ("examples", "step", "of"),
    [pytest.param("shorter", 10, None, id="extract"), pytest.param("prepared_os", 4, 20, id="os-bert", marks=PROVE)],
)
def test_an_evicted_pod_loses_nothing(
    place: Place, request: pytest.FixtureRequest, examples: str, step: int, of: int | None
) -> None:
    prepared: Prepared = request.getfixturevalue(examples)
    place.install(*LIMITS)
    with place.following(prepared.program, *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(step, of)
        place.evict(training_pod(place, prepared.program))
        outcome = following.wait()
    assert outcome.exit_code == 0
    assert outcome.attempts == 1, "Kubernetes itself replaces an evicted pod"
    assert metadata(place.store, outcome)["resumed_from_step"] >= step
    assert weights(place.store, outcome) == prepared.weights


@PROVE
def test_a_killed_pod_loses_no_more_than_the_steps_since_the_last_checkpoint(place: Place, prepared: Prepared) -> None:
    with place.following("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(25)
        pod = training_pod(place, prepared.program)
        # as an out-of-memory kill or a node that loses power would: no signal that could be answered
        kubectl("delete", "pod", pod, "--grace-period=0", "--force", namespace=place.namespace)
        outcome = following.wait()
    assert outcome.exit_code == 0
    assert metadata(place.store, outcome)["resumed_from_step"] >= 10
    assert weights(place.store, outcome) == prepared.weights


@PROVE
def test_two_processes_in_a_pod_go_on_when_one_is_killed_and_when_their_pod_is_evicted(
    place: Place, prepared: Prepared
) -> None:
    arguments = (*prepared.arguments, "--nproc=2")
    with place.following("train_extract", *arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(15)
        pod = training_pod(place, prepared.program)
        kubectl("exec", pod, "--container=stage", "--", "python", "-c", kill_rank(1), namespace=place.namespace)
        place.wait_until_done(35)
        place.evict(training_pod(place, prepared.program))
        outcome = following.wait()
    assert outcome.exit_code == 0
    assert outcome.attempts == 1, "Kubernetes itself makes the next pod"
    found = metadata(place.store, outcome)
    assert (found["ranks"], found["steps_done"]) == (2, 60)
    assert found["resumed_from_step"] >= 35


@PROVE
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


@PROVE
def test_too_little_memory_goes_on_with_half_the_micro_batch(place: Place, flags: tuple[str, ...]) -> None:
    place.install('stages.train_extract.resources={"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}')
    # 128 rows together take 2.7 GB, 64 take 1.6 GB
    arguments = (*flags, "--batch-size=128", "--max-steps=2")
    fingerprint = plan("train_extract", *arguments)
    outcome = place.run("train_extract", *arguments, fingerprint=fingerprint, batch=(4, 4))
    assert outcome.exit_code == 0, outcome
    assert outcome.made
    assert outcome.made.fingerprint == fingerprint, "a smaller micro-batch is the same work"
    assert outcome.attempts == 2
    assert any("--batch-size=64 --gradient-accumulation-steps=2" in line for line in place.said), place.said


@PROVE
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
    assert metadata(place.store, outcome)["resumed_from_step"] == 0, "training itself went on"
    assert weights(place.store, outcome) == longer.weights


@PROVE
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
    assert metadata(place.store, outcome)["resumed_from_step"] >= LONGER - 60
    assert weights(place.store, outcome) == longer.weights


@PROVE
def test_scratch_that_overflows(place: Place, prepared: Prepared) -> None:
    place.install("stages.train_extract.scratchSize=1Mi")
    outcome = place.run("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint)
    assert outcome.exit_code == 4
    told = "\n".join(outcome.cause.lines() if outcome.cause else outcome.lines)
    assert "scratch" in told
