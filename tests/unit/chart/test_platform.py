"""What a platform team sets: who places pods and as whom, for how long, on which disk, and from which registry."""

import pytest

from tests.unit.chart.rendering import PROGRAMS, RELEASE, Chart, Document, Pod

STAGES = {program.replace("_", "-") for program in PROGRAMS}


def by_pod(chart: Chart, name: str, field: str) -> dict[str, object]:
    """A field of every pod that has it."""
    return {key: pod.spec[field] for key, pod in chart.pods(name).items() if field in pod.spec}


def scratch(pod: Pod) -> Document:
    return next(volume for volume in pod.spec["volumes"] if volume["name"] == "scratch")


def job_specs(chart: Chart, name: str) -> dict[str, Document]:
    return {key: each["spec"]["jobTemplate"]["spec"] for key, each in chart.objects(name, "CronJob").items()}


def test_a_scheduler_is_named_for_all_and_for_one_stage(chart: Chart) -> None:
    placed = by_pod(chart, "scheduler", "schedulerName")
    assert set(placed) == STAGES | {"launcher", "doctor", "serve"}
    assert {key for key, scheduler in placed.items() if scheduler == "volcano"} == {"train-extract", "eval-extract"}
    assert set(placed.values()) == {"volcano", "bin-packing"}
    assert not by_pod(chart, "minimal", "schedulerName")


def test_service_accounts_that_are_there_are_used_and_none_is_made(chart: Chart) -> None:
    used = by_pod(chart, "accounts-there", "serviceAccountName")
    assert not chart.objects("accounts-there", "ServiceAccount")
    assert used == {**dict.fromkeys(STAGES, "batch"), "launcher": "starter", "doctor": "starter", "serve": "server"}
    (binding,) = chart.objects("accounts-there", "RoleBinding").values()
    assert [subject["name"] for subject in binding["subjects"]] == ["starter"]


def test_service_accounts_are_made_under_their_names(chart: Chart) -> None:
    accounts = chart.objects("accounts-named", "ServiceAccount")
    assert set(accounts) == {"batch", "launcher", "serve"}
    annotations = {
        "iam.gke.io/gcp-service-account": "batch@team.iam.gserviceaccount.com",
        "example.com/owner": "intel",
    }
    assert accounts["batch"]["metadata"]["annotations"] == annotations
    used = by_pod(chart, "accounts-named", "serviceAccountName")
    assert (used["train-extract"], used["serve"]) == ("batch", f"{RELEASE}-serve")
    assert used["launcher"] == used["retrain-extract"] == f"{RELEASE}-launcher"
    # without a word the server has the account of the stages
    assert by_pod(chart, "lmstudio", "serviceAccountName")["serve"] == f"{RELEASE}-stage"
    assert set(chart.objects("lmstudio", "ServiceAccount")) == {"stage", "launcher"}


def test_a_jobs_deadline_and_how_long_it_is_kept(chart: Chart) -> None:
    specs = job_specs(chart, "limits")
    week = 7 * 24 * 3600
    deadlines = {key: spec["activeDeadlineSeconds"] for key, spec in specs.items()}
    assert deadlines == {**dict.fromkeys(STAGES, week), "train-extract": 172800, "launcher": 259200}
    kept = {key: spec["ttlSecondsAfterFinished"] for key, spec in specs.items()}
    assert kept == {**dict.fromkeys(STAGES, 86400), "launcher": 3600}


def test_scratch_lies_on_a_claim_of_the_size_that_the_program_is_told(chart: Chart) -> None:
    pods = chart.pods("scratch-claim")
    claims = {
        key: scratch(pod)["ephemeral"]["volumeClaimTemplate"]["spec"]
        for key, pod in pods.items()
        if "ephemeral" in scratch(pod)
    }
    assert set(claims) == set(pods) - {"harvest-extract"}
    assert scratch(pods["harvest-extract"])["emptyDir"] == {"sizeLimit": "20Gi"}
    assert claims["train-extract"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast-ssd",
        "resources": {"requests": {"storage": "500Gi"}},
    }
    assert "storageClassName" not in claims["serve"]
    for key, claim in claims.items():
        assert pods[key].env["CTIFORGE_SCRATCH_LIMIT"] == claim["resources"]["requests"]["storage"]
        # the node's disk need not have the room any more
        assert pods[key].container["resources"]["requests"].get("ephemeral-storage", "1Gi") == "1Gi"
    assert pods["harvest-extract"].container["resources"]["requests"]["ephemeral-storage"] == "2Gi"


def test_pods_are_spread_where_it_is_asked_for(chart: Chart) -> None:
    spread = by_pod(chart, "spread", "topologySpreadConstraints")
    assert set(spread) == {"train-extract", "serve"}
    for key, (constraint,) in spread.items():
        labels = chart.pods("spread")[key].labels
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()


def test_a_device_is_claimed_in_the_place_of_a_counted_gpu(chart: Chart) -> None:
    claims = by_pod(chart, "resource-claims", "resourceClaims")
    assert claims == {"train-extract": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]}
    resources = chart.pods("resource-claims")["train-extract"].container["resources"]
    assert resources["claims"] == [{"name": "gpu"}]
    assert "nvidia.com/gpu" not in resources["limits"]


def test_variables_come_from_objects_of_the_team_beside_the_stores_secret(chart: Chart) -> None:
    store, tracker = {"secretRef": {"name": "store"}}, {"configMapRef": {"name": "tracker", "optional": True}}
    sources = {key: pod.container["envFrom"] for key, pod in chart.pods("env-from").items()}
    assert sources.pop("train-extract") == [store, {"secretRef": {"name": "wandb"}, "prefix": "WANDB_"}]
    assert all(each == [store, tracker] for each in sources.values())


def test_init_containers_and_sidecars_stand_before_the_program(chart: Chart) -> None:
    started = by_pod(chart, "init-containers", "initContainers")
    assert set(started) == {"train-extract"}
    copy, proxy = started["train-extract"]
    assert copy["args"] == ["copy", "remote:models", "/scratch/models"]
    assert proxy["restartPolicy"] == "Always"
    (container,) = chart.pods("init-containers")["train-extract"].spec["containers"]
    assert container["name"] == "stage"


def test_a_registry_takes_the_place_of_the_one_in_every_image(chart: Chart) -> None:
    pods = chart.pods("registry")
    images = {key: pod.container["image"] for key, pod in pods.items()}
    mirror = "mirror.example:5000/ghcr"
    assert images.pop("promote") == f"{mirror}/ctiforge-cpu:debug"
    train = f"{mirror}/ctiforge-train@sha256:{'1' * 64}"
    assert set(images.values()) == {f"{mirror}/team/ctiforge-cpu:0.1.0", train}
    assert images["serve"] == images["train-extract"] == train
    assert all(pod.env["CTIFORGE_IMAGE"] == pod.container["image"] for pod in pods.values())


def test_pull_secrets_of_all_charts_are_every_pods_each_once(chart: Chart) -> None:
    secrets = by_pod(chart, "registry", "imagePullSecrets")
    assert set(secrets) == set(chart.pods("registry"))
    assert all(each == [{"name": "mirror"}, {"name": "second"}, {"name": "own"}] for each in secrets.values())
    assert not by_pod(chart, "minimal", "imagePullSecrets")


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("secret-keys", {"AWS_ACCESS_KEY_ID": "root-user", "AWS_SECRET_ACCESS_KEY": "root-password"}),
        ("session-token", {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SESSION_TOKEN": "token"}),
    ],
)
def test_the_stores_secret_may_have_keys_of_its_own(chart: Chart, name: str, keys: dict[str, str | None]) -> None:
    secret = {"secret-keys": "minio", "session-token": "sts"}[name]
    for pod in chart.pods(name).values():
        assert "envFrom" not in pod.container
        given = {key: value for key, value in pod.env.items() if key.startswith("AWS_") and isinstance(value, dict)}
        assert given == {
            variable: {"secretKeyRef": {"name": secret, "key": key or variable}} for variable, key in keys.items()
        }


def test_a_schedule_may_be_suspended_and_has_further_flags(chart: Chart) -> None:
    extract, os_bert = (
        chart.objects("retrain-suspended", "CronJob")[f"retrain-{line}"]["spec"] for line in ("extract", "os-bert")
    )
    assert (extract["suspend"], os_bert.get("suspend")) == (True, None)
    pods = chart.pods("retrain-suspended")
    run = ["ctiforge", "run"]
    assert pods["retrain-extract"].container["args"] == [*run, "extract", "--set", "train_extract.epochs=2"]
    assert pods["retrain-os-bert"].container["args"] == [*run, "os-bert", "--no-database"]


def test_another_name_is_everywhere_and_told_to_the_launcher(chart: Chart) -> None:
    for document in chart.render("fullname"):
        assert document["metadata"]["name"].startswith("agent-")
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE
    pods = chart.pods("fullname")
    for key in ("launcher", "retrain-extract", "doctor"):
        assert pods[key].env["CTIFORGE_RELEASE"] == "agent"
    assert set(chart.objects("fullname", "CronJob")) == STAGES | {"launcher", "retrain-extract"}


def test_further_objects_are_rendered_as_templates(chart: Chart) -> None:
    (config,) = chart.objects("extra-objects", "ConfigMap").values()
    assert config["metadata"]["name"] == f"{RELEASE}-tracker"
    assert config["data"] == {"WANDB_PROJECT": "demo", "port": "8080"}
    (secret,) = chart.objects("extra-objects", "Secret").values()
    assert secret["metadata"]["name"] == f"{RELEASE}-own"
    assert secret["metadata"]["labels"]["app.kubernetes.io/component"] == "own"
