"""Every manifest is one that Kubernetes takes: its schemas, and what they do not say."""

import re
import subprocess

import pytest
from jsonschema import ValidationError

from tests.unit.chart.conftest import chart_of
from tests.unit.chart.rendering import CHART, FULL_NAMES, MATRIX, PROGRAMS, RELEASE, VALUES, Chart
from tests.unit.chart.schemas import validate

QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")


QUICK = ("minimal", "full", "common")


def test_the_matrix_is_large() -> None:
    assert len(MATRIX) >= 25


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in MATRIX])
def test_lint_finds_nothing(any_chart: Chart, name: str) -> None:
    command = [any_chart.helm, "lint", "--strict", str(CHART), "-f", str(VALUES / f"{name}.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout


@pytest.mark.parametrize("kubernetes", ["1.34", "1.37"])
@pytest.mark.parametrize("name", MATRIX)
def test_schemas_of_kubernetes(any_chart: Chart, name: str, kubernetes: str) -> None:
    documents = any_chart.render(name)
    assert len(documents) >= 11
    # what the Prometheus operator defines: promtool reads its rules in test_alerts.py
    for document in [each for each in documents if each["kind"] != "PrometheusRule"]:
        validate(document, kubernetes)


def test_the_schemas_refuse_what_kubernetes_does_not_know(chart: Chart) -> None:
    (role,) = chart.objects("minimal", "Role").values()
    for kubernetes in ("1.34", "1.37"):
        with pytest.raises(ValidationError):
            validate({**role, "spec": {}}, kubernetes)


@pytest.mark.slow
@pytest.mark.parametrize("name", MATRIX)
def test_both_helms_render_the_same(helm4: str, helm3: str, name: str) -> None:
    def by_name(chart: Chart) -> list[dict[str, object]]:
        return sorted(chart.render(name), key=lambda each: (each["kind"], each["metadata"]["name"]))

    assert by_name(chart_of(helm4)) == by_name(chart_of(helm3))


@pytest.mark.parametrize("name", MATRIX)
def test_names_and_labels(chart: Chart, name: str) -> None:
    seen = set()
    for document in chart.render(name):
        own = document["metadata"]["name"]
        is_own = name == "extra-objects" or (name.startswith("accounts") and document["kind"] == "ServiceAccount")
        assert own.startswith(f"{FULL_NAMES.get(name, RELEASE)}-") or is_own
        assert DNS_NAME.fullmatch(own)
        assert (document["kind"], own) not in seen
        seen.add((document["kind"], own))
        for key, value in document["metadata"].get("labels", {}).items():
            assert LABEL_KEY.fullmatch(key)
            assert LABEL_VALUE.fullmatch(value), (key, value)
    for pod in chart.pods(name).values():
        for key, value in pod.labels.items():
            assert LABEL_KEY.fullmatch(key)
            assert LABEL_VALUE.fullmatch(value), (key, value)
        assert pod.labels["app.kubernetes.io/instance"] == RELEASE


def test_names_of_cronjobs_fit_with_the_longest_release(chart: Chart) -> None:
    result = chart.try_template("retrain", release="r" * 36)
    assert result.returncode == 0, result.stderr
    names = re.findall(r"^  name: (.*)$", result.stdout, re.MULTILINE)
    assert max(map(len, names)) == 52
    refused = chart.refuse({}, release="r" * 37)
    assert "only 36 fit" in refused


@pytest.mark.parametrize("release", ["2team", "my.team"])
def test_a_release_that_no_service_may_be_named_after_is_refused(any_chart: Chart, release: str) -> None:
    refused = any_chart.refuse({}, release=release)
    assert f"release name {release}: a Service's name begins with a letter and has no dot" in refused
    named = any_chart.try_template("nodes", "--set=fullnameOverride=team", release=release)
    assert named.returncode == 0, named.stderr


@pytest.mark.parametrize("name", MATRIX)
def test_quantities(chart: Chart, name: str) -> None:
    for pod in chart.pods(name).values():
        resources = pod.container["resources"]
        sizes = [volume["emptyDir"]["sizeLimit"] for volume in pod.spec["volumes"] if "emptyDir" in volume]
        amounts = [*resources["requests"].values(), *resources["limits"].values(), *sizes]
        assert all(QUANTITY.fullmatch(str(amount)) for amount in amounts), amounts


@pytest.mark.parametrize("name", MATRIX)
def test_mounts_have_volumes_and_names_stand_once(chart: Chart, name: str) -> None:
    for pod in chart.pods(name).values():
        volumes = [volume["name"] for volume in pod.spec["volumes"]]
        mounts = pod.container["volumeMounts"]
        variables = [each["name"] for each in pod.container["env"]]
        assert {mount["name"] for mount in mounts} == set(volumes)
        for names in (volumes, variables, [mount["mountPath"] for mount in mounts]):
            assert len(names) == len(set(names)), names


@pytest.mark.parametrize("name", MATRIX)
def test_what_pods_refer_to_exists(chart: Chart, name: str) -> None:
    accounts, claims = (
        {each["metadata"]["name"] for each in chart.objects(name, kind).values()}
        for kind in ("ServiceAccount", "PersistentVolumeClaim")
    )
    there = {"accounts-there": {"batch", "starter", "server"}, "eks": {"pod-identity"}, "model-cache": {"models"}}
    accounts, claims = (each | there.get(name, set()) for each in (accounts, claims))
    for pod in chart.pods(name).values():
        assert pod.spec["serviceAccountName"] in accounts
        for volume in pod.spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims


@pytest.mark.parametrize("name", MATRIX)
def test_jobs_end_as_the_exit_codes_say(chart: Chart, name: str) -> None:
    for cronjob in chart.objects(name, "CronJob").values():
        job = cronjob["spec"]["jobTemplate"]["spec"]
        assert job["template"]["spec"]["restartPolicy"] == "Never"
        assert job["podReplacementPolicy"] == "Failed"
        if name != "limits":
            assert job["activeDeadlineSeconds"] == job["ttlSecondsAfterFinished"] == 7 * 24 * 3600
        assert 0 <= job["backoffLimit"] < 100
        fail, interrupted, disrupted = job["podFailurePolicy"]["rules"]
        assert fail["action"] == "FailJob"
        assert fail["onExitCodes"] == {"containerName": "stage", "operator": "In", "values": [2, 3, 4, 5]}
        assert interrupted["action"] == disrupted["action"] == "Ignore"
        assert interrupted["onExitCodes"] == {"containerName": "stage", "operator": "In", "values": [75]}
        assert disrupted["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
        assert [container["name"] for container in job["template"]["spec"]["containers"]] == ["stage"]


@pytest.mark.parametrize("name", MATRIX)
def test_templates_are_suspended_and_only_retraining_is_not(chart: Chart, name: str) -> None:
    cronjobs = chart.objects(name, "CronJob")
    templates = {program.replace("_", "-") for program in PROGRAMS} | {"launcher"}
    assert templates <= set(cronjobs)
    assert set(cronjobs) - templates <= {"retrain-extract", "retrain-os-bert"}
    for key, cronjob in cronjobs.items():
        suspended = key in templates or (name, key) == ("retrain-suspended", "retrain-extract")
        assert cronjob["spec"].get("suspend", False) is suspended


def test_retraining_is_scheduled_as_the_values_say(chart: Chart) -> None:
    assert not {"retrain-extract", "retrain-os-bert"} & set(chart.objects("minimal", "CronJob"))
    assert "retrain-os-bert" not in chart.objects("kueue", "CronJob")
    cronjobs = chart.objects("full", "CronJob")
    extract, os_bert = (
        {key: value for key, value in cronjobs[name]["spec"].items() if key != "jobTemplate"}
        for name in ("retrain-extract", "retrain-os-bert")
    )
    assert extract == {
        "schedule": "30 2 * * MON-FRI",
        "timeZone": "Europe/Vienna",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
    }
    assert os_bert == {**extract, "schedule": "@weekly", "timeZone": "Etc/UTC", "failedJobsHistoryLimit": 1}


def test_a_stage_tells_the_launcher_what_it_needs_to_know(chart: Chart) -> None:
    for cronjob in chart.objects("full", "CronJob").values():
        assert cronjob["metadata"]["annotations"] == {
            "ctiforge.io/chart-version": "0.1.0",
            "ctiforge.io/store": "s3://bucket/team/ctiforge",
            "ctiforge.io/store-endpoint": "http://localhost:30333",
            "ctiforge.io/node-lost-timeout": "60",
            "ctiforge.io/pending-timeout": "7200",
            "ctiforge.io/run-timeout": "86400",
        }


def test_jobs_with_a_gpu_wait_in_its_queue_the_launcher_and_the_other_stages_do_not(chart: Chart) -> None:
    assert {key: value for key, value in queues_of(chart, "kueue").items() if any(value)} == {
        **dict.fromkeys(("train-extract", "eval-extract", "train-os-bert", "eval-os-bert"), ("gpus", "low")),
        "check-data": ("own", "high"),
    }
    # pods that had the label would be queued a second time
    assert not any(label.startswith("kueue") for pod in chart.pods("kueue").values() for label in pod.labels)


def test_stages_without_a_gpu_may_have_a_queue_of_their_own(chart: Chart) -> None:
    found = queues_of(chart, "full")
    assert (found["train-extract"][0], found["harvest-extract"][0], found["launcher"][0]) == ("gpu", "cpu", None)


def queues_of(chart: Chart, values: str) -> dict[str, tuple[str | None, str | None]]:
    """Queue and priority in it of each Job template."""
    labels = {
        key: cronjob["spec"]["jobTemplate"]["metadata"]["labels"]
        for key, cronjob in chart.objects(values, "CronJob").items()
    }
    return {
        key: (each.get("kueue.x-k8s.io/queue-name"), each.get("kueue.x-k8s.io/priority-class"))
        for key, each in labels.items()
    }


def test_the_model_cache_is_shared_by_many_nodes(chart: Chart) -> None:
    claim = chart.objects("full", "PersistentVolumeClaim")["model-cache"]["spec"]
    assert claim == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "500Gi"}},
    }
    assert not chart.objects("model-cache", "PersistentVolumeClaim")
