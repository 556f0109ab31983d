"""Jobs made from the chart's templates."""

import copy

import pytest

from ctiforge.launcher.backend import Command, Task
from ctiforge.launcher.kubernetes.manifests import (
    halved_batch,
    job_name,
    runner_job,
    stage_job,
    with_ranks_of,
    work_key,
)

TEMPLATE = {
    "metadata": {"name": "t-train-extract", "uid": "7"},
    "spec": {
        "jobTemplate": {
            "metadata": {"labels": {"app": "ctiforge"}, "annotations": {"note": "kept"}},
            "spec": {
                "backoffLimit": 3,
                "template": {
                    "metadata": {"labels": {"app": "ctiforge"}},
                    "spec": {
                        "containers": [
                            {"name": "stage", "args": ["train_extract"], "env": [{"name": "COLUMNS", "value": "80"}]}
                        ]
                    },
                },
            },
        }
    },
}
FINGERPRINT = "0123456789abcdef" * 4


def test_a_job_is_the_template_with_arguments_labels_and_environment_and_has_no_owner() -> None:
    command = Command("train_extract", ("--data=s3://b/a", "--epochs=3"), {"COLUMNS": "120"})
    job = stage_job(TEMPLATE, command, Task("run-1", "train_extract", FINGERPRINT), 2)
    assert job["metadata"]["name"] == "train-extract-0123456789ab-2"
    assert "ownerReferences" not in job["metadata"]
    labels = {
        "app": "ctiforge",
        "ctiforge.io/run": "run-1",
        "ctiforge.io/key": "train-extract-0123456789ab",
        "ctiforge.io/attempt": "2",
        "ctiforge.io/line-stage": "train-extract",
    }
    assert job["metadata"]["labels"] == labels
    assert job["spec"]["template"]["metadata"]["labels"] == labels
    assert job["metadata"]["annotations"] == {
        "note": "kept",
        "ctiforge.io/fingerprint": FINGERPRINT,
        "ctiforge.io/crashes-before": "0",
        "ctiforge.io/ran-before": "0",
    }
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["train_extract", "--data=s3://b/a", "--epochs=3"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    own = {"CTIFORGE_RUN": "run-1", "CTIFORGE_STAGE": "train_extract", "CTIFORGE_ATTEMPT": "2"}
    assert environment == {"COLUMNS": "120", **own}
    assert job["spec"]["backoffLimit"] == 3
    assert TEMPLATE["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"] == ["train_extract"]


def test_work_without_a_fingerprint_is_named_by_its_run() -> None:
    one, other = (work_key("harvest_extract", Task(run, "harvest_extract")) for run in ("a", "b"))
    assert one != other
    assert one == work_key("harvest_extract", Task("a", "harvest_extract"))
    assert len(job_name(one, 10)) <= 63


def test_two_releases_or_stores_share_no_job() -> None:
    tasks = [
        Task("run-1", "train_extract", FINGERPRINT, place=place)
        for place in ("dev s3://dev/x", "prod s3://dev/x", "prod s3://prod/x")
    ]
    keys = [work_key("train_extract", task) for task in tasks]
    assert len(set(keys)) == 3
    # the fingerprint is still read off a Job's name
    assert all(key.startswith("train-extract-0123456789ab-") for key in keys)
    command = Command("train_extract")
    assert {stage_job(TEMPLATE, command, task, 1)["metadata"]["name"] for task in tasks} == {
        job_name(key, 1) for key in keys
    }
    longest = work_key("harvest_extract", Task("run-1", "harvest_extract", place="prod s3://prod/x"))
    # with the index that the pods of several have behind it, it is a host's name
    assert len(f"{job_name(longest, 100)}-999") <= 63


def test_a_job_has_nothing_that_argo_cd_tracks_by() -> None:
    template = copy.deepcopy(TEMPLATE)
    job = template["spec"]["jobTemplate"]
    instance = {"app.kubernetes.io/instance": "t", "argocd.argoproj.io/instance": "t"}
    job["metadata"]["labels"] |= instance
    job["metadata"]["annotations"] |= {"argocd.argoproj.io/tracking-id": "t:batch/CronJob:ml/t-train-extract"}
    job["spec"]["template"]["metadata"]["labels"] |= instance
    made = [
        stage_job(template, Command("train_extract"), Task("run-1", "train_extract", FINGERPRINT), 1),
        runner_job(template, "run-1", ["run", "extract"], {}),
    ]
    for each in made:
        marks = {**each["metadata"]["labels"], **each["metadata"]["annotations"]}
        assert not {*instance, "argocd.argoproj.io/tracking-id"} & set(marks)
        assert marks["app"] == "ctiforge"
        # pods belong to their Job, and policies may select them by it
        assert each["spec"]["template"]["metadata"]["labels"].items() >= instance.items()


def test_the_runner_is_named_by_its_run() -> None:
    job = runner_job(TEMPLATE, "run-1", ["run", "extract"], {"CTIFORGE_MODEL": "demo"})
    assert job["metadata"]["name"] == job["metadata"]["labels"]["ctiforge.io/run"] == "run-1"
    assert "ctiforge.io/key" not in job["metadata"]["labels"]


@pytest.mark.parametrize(
    ("arguments", "usual", "expected"),
    [
        (("--a", "--batch-size=16", "--gradient-accumulation-steps=1"), (4, 4),
         ("--a", "--batch-size=8", "--gradient-accumulation-steps=2")),
        (("--a",), (4, 4), ("--a", "--batch-size=2", "--gradient-accumulation-steps=8")),
        (("--batch-size=6",), (4, 1), ("--batch-size=3", "--gradient-accumulation-steps=2")),
        (("--batch-size=9",), (4, 1), ("--batch-size=3", "--gradient-accumulation-steps=3")),
        (("--batch-size=5",), (4, 2), ("--batch-size=1", "--gradient-accumulation-steps=10")),
        ((), (32, None), ("--batch-size=16",)),
        (("--batch-size=1",), (4, 4), None),
    ],
)  # fmt: skip
def test_half_the_micro_batch_keeps_the_effective_batch(arguments, usual, expected) -> None:
    assert halved_batch(arguments, usual) == expected


@pytest.mark.parametrize(
    ("of_template", "given", "processes"),
    [
        ([], ["--fsdp"], None),
        (["--nproc=4"], ["--fsdp"], "--nproc=4"),
        (["--nproc=4", "--nodes=2", "--first-node=$(JOB_NAME)-0.x:29400"], ["--fsdp"], "--nproc=8"),
        # where GPUs are claims, the settings say how many processes use them
        (["--nodes=2", "--first-node=x:1"], ["--nproc=3", "--fsdp"], "--nproc=6"),
    ],
)
def test_a_training_is_planned_with_as_many_processes_as_its_pods_have(
    of_template: list[str], given: list[str], processes: str | None
) -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"] += of_template  # type: ignore[index]
    assert with_ranks_of(template, given) == (*given, *([processes] if processes else []))
