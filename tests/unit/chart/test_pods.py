"""What pods are made of: their rights, environment, secrets, resources and images."""

import json

import pytest

from ctiforge.launcher.kubernetes.manifests import LAUNCHERS as LAUNCHER_JOBS
from ctiforge.launcher.kubernetes.manifests import RELEASE as JOBS_OF_RELEASE
from ctiforge.settings import settings_class
from tests.unit.chart.rendering import MATRIX, PROGRAMS, RELEASE, Chart, Pod

STAGES = {program.replace("_", "-"): program for program in PROGRAMS}
LAUNCHERS = {
    "launcher": ["ctiforge"],
    "retrain-extract": ["ctiforge", "run", "extract"],
    "retrain-os-bert": ["ctiforge", "run", "os-bert"],
    "doctor": ["ctiforge", "doctor"],
}
HUB_PODS = {
    "format-extract", "check-data", "train-extract", "eval-extract", "train-os-bert", "baselines-os", "eval-os-bert",
    "export-model",
    # it resolves names of the Hub to the commits that the others load
    *LAUNCHERS,
}  # fmt: skip
OF_RANKS = ("--nproc=", "--nodes=", "--first-node=", "--shards=")
"""Flags of what works in several processes."""
TRAIN_IMAGE = {"train-extract", "eval-extract", "train-os-bert", "baselines-os", "eval-os-bert", "export-model"}


def with_variable(pods: dict[str, Pod], name: str) -> set[str]:
    return {key for key, pod in pods.items() if name in pod.env}


@pytest.mark.parametrize("name", MATRIX)
def test_pod_security_is_restricted(chart: Chart, name: str) -> None:
    for pod in chart.pods(name).values():
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security.get("runAsUser", 1) > 0
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        assert name == "init-containers" or "initContainers" not in pod.spec
        kinds = {kind for volume in pod.spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "configMap", "persistentVolumeClaim", "ephemeral"}


@pytest.mark.parametrize("name", MATRIX)
def test_only_the_launcher_has_a_token(chart: Chart, name: str) -> None:
    accounts = {True: set(), False: set()}
    for key, pod in chart.pods(name).items():
        is_launcher = key in LAUNCHERS
        assert pod.spec["automountServiceAccountToken"] is is_launcher
        assert pod.spec["enableServiceLinks"] is False
        accounts[is_launcher].add(pod.spec["serviceAccountName"])
    assert not accounts[True] & accounts[False]
    (binding,) = chart.objects(name, "RoleBinding").values()
    assert accounts[True] == {binding["subjects"][0]["name"]}
    accounts = chart.objects(name, "ServiceAccount").values()
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


@pytest.mark.parametrize("name", MATRIX)
def test_containers_run_the_program_of_the_image(chart: Chart, name: str) -> None:
    for key, pod in chart.pods(name).items():
        assert "command" not in pod.container
        assert pod.labels.get("ctiforge.io/stage") == (key if key in STAGES else None)
        if key != "serve" and name != "retrain-suspended":
            own = [each for each in pod.container["args"] if not each.startswith(OF_RANKS)]
            assert own == LAUNCHERS.get(key, [STAGES.get(key)])


@pytest.mark.parametrize("name", MATRIX)
def test_no_manifest_holds_a_secret(chart: Chart, name: str) -> None:
    secrets = {
        "DATABASE_URL", "HF_TOKEN", "OPENAI_API_KEY", "CTIFORGE_WEBHOOK_URL", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "CTIFORGE_SERVE_API_KEY",
    }  # fmt: skip
    assert name == "extra-objects" or not (chart.objects(name, "Secret") or chart.objects(name, "ConfigMap"))
    for pod in chart.pods(name).values():
        for each in pod.container["env"]:
            if each["name"] in secrets:
                assert set(each) == {"name", "valueFrom"}
                assert set(each["valueFrom"]) == {"secretKeyRef"}


def test_each_secret_goes_where_it_is_needed(chart: Chart) -> None:
    pods = chart.pods("full")
    assert with_variable(pods, "DATABASE_URL") == {"harvest-extract", "prepare-os"}
    assert with_variable(pods, "OPENAI_API_KEY") == {"prepare-os", "eval-extract"}
    assert with_variable(pods, "HF_TOKEN") == HUB_PODS
    assert with_variable(pods, "CTIFORGE_WEBHOOK_URL") == set(LAUNCHERS)
    for key in ("harvest-extract", "prepare-os"):
        assert pods[key].env["DATABASE_URL"] == {"secretKeyRef": {"name": "database", "key": "uri"}}
    assert pods["prepare-os"].env["OPENAI_API_KEY"] == {"secretKeyRef": {"name": "labeler", "key": "api-key"}}
    assert pods["train-extract"].env["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert pods["launcher"].env["CTIFORGE_WEBHOOK_URL"] == {"secretKeyRef": {"name": "webhook", "key": "url"}}
    for pod in pods.values():
        assert pod.container["envFrom"] == [{"secretRef": {"name": "store"}}]


def test_a_pod_with_a_gpu_computes_on_it_or_not_at_all(chart: Chart) -> None:
    for key, pod in chart.pods("minimal").items():
        has_gpu = any("gpu" in name for name in pod.container["resources"]["limits"])
        assert ("CTIFORGE_GPU" in pod.env) is has_gpu, key
    assert with_variable(chart.pods("minimal"), "CTIFORGE_GPU") >= {"train-extract", "eval-extract"}


def test_without_secrets_pods_have_the_identity_of_their_accounts(chart: Chart) -> None:
    for pod in chart.pods("irsa").values():
        assert "envFrom" not in pod.container
        assert not any(isinstance(value, dict) and "secretKeyRef" in value for value in pod.env.values())
        assert pod.labels["azure.workload.identity/use"] == "true"
    for account in chart.objects("irsa", "ServiceAccount").values():
        assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(":role/ctiforge")


@pytest.mark.parametrize("name", MATRIX)
def test_everything_is_written_into_scratch(chart: Chart, name: str) -> None:
    places = ("HOME", "TMPDIR", "CTIFORGE_SCRATCH", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "MPLCONFIGDIR")
    for pod in chart.pods(name).values():
        assert all(pod.env[place].startswith("/scratch/") for place in places)
        mounts = {mount["mountPath"]: mount for mount in pod.container["volumeMounts"]}
        # the folder that TMPDIR names is there, and /tmp is the same one
        assert mounts["/tmp"] == {"name": "scratch", "mountPath": "/tmp", "subPath": "tmp"}
        assert pod.env["TMPDIR"] == "/scratch/tmp"
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        assert volumes["shm"]["emptyDir"]["medium"] == "Memory"
        assert mounts["/dev/shm"]["name"] == "shm"
        assert mounts["/scratch"]["name"] == "scratch"


def test_store_and_hub_are_named(chart: Chart) -> None:
    pods = chart.pods("full")
    for pod in pods.values():
        assert pod.env["CTIFORGE_STORE"] == "s3://bucket/team/ctiforge"
        assert pod.env["AWS_ENDPOINT_URL"] == "http://s3.dev.svc:8333"
        assert pod.env["AWS_REGION"] == pod.env["AWS_DEFAULT_REGION"] == "eu-central-1"
        assert pod.env["CTIFORGE_IMAGE"] == pod.container["image"]
    assert with_variable(pods, "HF_ENDPOINT") == HUB_PODS
    assert with_variable(pods, "HF_HUB_OFFLINE") == set()
    cached = chart.pods("model-cache")
    assert with_variable(cached, "HF_HUB_OFFLINE") == HUB_PODS & set(cached)
    assert "AWS_ENDPOINT_URL" not in chart.pods("minimal")["train-extract"].env


def test_models_lie_on_the_cache_where_there_is_one(chart: Chart) -> None:
    homes = {key: pod.env["HF_HOME"] for key, pod in chart.pods("model-cache").items()}
    assert {key for key, home in homes.items() if home == "/model-cache/huggingface"} == HUB_PODS & set(homes)
    assert {home for key, home in homes.items() if key not in HUB_PODS} == {"/scratch/huggingface"}
    assert {pod.env["HF_HOME"] for pod in chart.pods("minimal").values()} == {"/scratch/huggingface"}


def test_proxy_and_certificates(chart: Chart) -> None:
    for pod in chart.pods("full").values():
        assert pod.env["HTTP_PROXY"] == pod.env["http_proxy"] == "http://proxy.example:3128"
        assert pod.env["HTTPS_PROXY"] == pod.env["https_proxy"] == "http://proxy.example:3129"
        assert pod.env["NO_PROXY"] == pod.env["no_proxy"]
        assert pod.env["NO_PROXY"].endswith(",.cluster.local,$(KUBERNETES_SERVICE_HOST)")
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            assert pod.env[name] == "/etc/ctiforge/ca/ca.crt"
        volume = next(volume for volume in pod.spec["volumes"] if volume["name"] == "ca-bundle")
        assert volume["configMap"] == {"name": "company-ca", "items": [{"key": "bundle.pem", "path": "ca.crt"}]}
    only_https = chart.pods("proxy-ca")["launcher"].env
    assert "HTTP_PROXY" not in only_https
    assert only_https["NO_PROXY"] == "$(KUBERNETES_SERVICE_HOST)"
    assert not {"HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"} & set(chart.pods("minimal")["launcher"].env)


def test_the_launcher_knows_its_run_and_settings(chart: Chart) -> None:
    pods = chart.pods("full")
    assert {key for key in pods if "CTIFORGE_BACKEND" in pods[key].env} == set(LAUNCHERS)
    for key in ("launcher", "retrain-extract", "retrain-os-bert"):
        env = pods[key].env
        assert env["CTIFORGE_BACKEND"] == "kubernetes"
        assert env["CTIFORGE_RELEASE"] == RELEASE
        assert env["CTIFORGE_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
        job_name = "metadata.labels['batch.kubernetes.io/job-name']"
        assert env["CTIFORGE_RUN_ID"] == {"fieldRef": {"fieldPath": job_name}}
        # what it says is kept like what its stages say
        assert (env["CTIFORGE_RUN"], env["CTIFORGE_STAGE"]) == (env["CTIFORGE_RUN_ID"], "launcher")
        assert env["CTIFORGE_MODEL"] == "mistralai/Mistral-7B-Instruct-v0.2"
        assert env["CTIFORGE_TEST_SET"] == "analysts@3"
        assert env["CTIFORGE_IN_USE"] == "s3://bucket/ctiforge/artifacts/train_extract/0123"
        assert env["CTIFORGE_OS_MODEL"] == "ibm-research/CTI-BERT"
        assert env["CTIFORGE_OS_TEST_SET"] == "analysts-os@2"
        assert env["CTIFORGE_OS_IN_USE"] == "s3://bucket/ctiforge/artifacts/train_os_bert/4567"
        assert env["CTIFORGE_MAX_LENGTH"] == "4096"
        assert env["CTIFORGE_PROMOTE_AUTO"] == "true"
        assert env["CTIFORGE_OUTPUTS"].startswith("/scratch/")
        assert json.loads(env["CTIFORGE_STAGES"]) == {
            "train_extract": {
                "epochs": 2,
                "learning_rate": 2e-4,
                "qlora": False,
                "max_steps": 1000000,
                "report_to": "none",
            },
            "prepare_os": {"labeler": "openai", "endpoint": "https://llm.example:8000/v1", "labeler_model": "large"},
        }
    assert not {"CTIFORGE_RUN_ID", "CTIFORGE_RUN"} & set(pods["doctor"].env)
    # by these `cancel` and `status` find the Job of a run's launcher: its name is the run's
    label, _, value = LAUNCHER_JOBS.partition("=")
    for name, cron_job in chart.objects("full", "CronJob").items():
        labels = cron_job["spec"]["jobTemplate"]["metadata"]["labels"]
        assert (labels[label] == value) == (name.removeprefix(f"{RELEASE}-") in LAUNCHERS)
        assert labels[JOBS_OF_RELEASE] == RELEASE
    unset = {"CTIFORGE_MAX_LENGTH", "CTIFORGE_IN_USE", "CTIFORGE_OS_IN_USE"}
    assert not unset & set(chart.pods("minimal")["launcher"].env)


def test_a_refusal_fails_no_scheduled_run_unless_asked_for(chart: Chart) -> None:
    pods = chart.pods("full")
    ends = {key: pods[key].env.get("CTIFORGE_REFUSAL_FAILS") for key in LAUNCHERS}
    # by hand it does
    assert ends == {"launcher": None, "doctor": None, "retrain-extract": "false", "retrain-os-bert": "true"}


def test_a_webhook_is_told_what_it_asks_for(chart: Chart) -> None:
    assert json.loads(chart.pods("full")["retrain-extract"].env["CTIFORGE_WEBHOOK_RESULTS"]) == ["failed", "refused"]
    assert "CTIFORGE_WEBHOOK_RESULTS" not in chart.pods("minimal")["launcher"].env
    assert "results" in chart.refuse({"webhook": {"results": ["succeeded"]}})


@pytest.mark.parametrize("name", MATRIX)
def test_the_launchers_settings_are_settings(chart: Chart, name: str) -> None:
    known = {f"CTIFORGE_{field.upper()}" for field in settings_class().model_fields}
    # what containers know of themselves, beside the settings
    own = {"CTIFORGE_IMAGE", "CTIFORGE_SCRATCH", "CTIFORGE_SCRATCH_LIMIT", "CTIFORGE_RUN", "CTIFORGE_STAGE"}
    for key in ("launcher", "doctor"):
        variables = {variable for variable in chart.pods(name)[key].env if variable.startswith("CTIFORGE_")}
        assert variables - own <= known


def test_settings_without_values_are_those_of_the_package(chart: Chart) -> None:
    env = chart.pods("minimal")["launcher"].env
    for name in ("model", "test_set", "os_model", "os_test_set"):
        assert env[f"CTIFORGE_{name.upper()}"] == settings_class().model_fields[name].default


def test_train_and_eval_ask_for_one_gpu(chart: Chart) -> None:
    def gpus(name: str) -> dict[str, dict[str, int]]:
        return {
            key: {what: amount for what, amount in pod.container["resources"]["limits"].items() if "/" in what}
            for key, pod in chart.pods(name).items()
        }

    assert {key: each for key, each in gpus("minimal").items() if each} == {
        "train-extract": {"nvidia.com/gpu": 1},
        "eval-extract": {"nvidia.com/gpu": 1},
        "train-os-bert": {"nvidia.com/gpu": 1},
        "eval-os-bert": {"nvidia.com/gpu": 1},
    }
    assert {key: each for key, each in gpus("gpu").items() if each} == {
        key: {"amd.com/gpu": 1} for key in ("train-extract", "train-os-bert", "baselines-os", "eval-os-bert")
    }


def test_images(chart: Chart) -> None:
    images = {key: pod.container["image"] for key, pod in chart.pods("minimal").items()}
    assert images == {key: f"ctiforge-{'train' if key in TRAIN_IMAGE else 'cpu'}:0.1.0" for key in images}

    pods = chart.pods("full")
    images = {key: pod.container["image"] for key, pod in pods.items()}
    assert images["train-extract"] == "registry.example:5000/team/ctiforge-train:2026-11"
    assert images["harvest-extract"] == "registry.example:5000/team/ctiforge-cpu:debug"
    assert images["launcher"] == "registry.example:5000/team/ctiforge-cpu@sha256:" + "0" * 64
    assert pods["train-extract"].container["imagePullPolicy"] == "Always"
    assert pods["harvest-extract"].container["imagePullPolicy"] == "IfNotPresent"
    assert all(pod.spec["imagePullSecrets"] == [{"name": "registry"}] for pod in pods.values())


def test_a_stage_has_the_defaults_and_its_own(chart: Chart) -> None:
    pods = chart.pods("full")
    harvest, train, launcher = pods["harvest-extract"], pods["train-extract"], pods["launcher"]
    for pod in (harvest, train, launcher):
        assert pod.spec["nodeSelector"] == {"pool": "batch"}
        assert pod.spec["tolerations"] == [{"key": "batch", "operator": "Exists", "effect": "NoSchedule"}]
        assert pod.labels["team"] == "intel"
    assert harvest.container["resources"] == {
        "requests": {"cpu": 1, "memory": "1.5Gi", "ephemeral-storage": "2Gi"},
        "limits": {"memory": "3G"},
    }
    assert harvest.spec["priorityClassName"] == "low"
    assert harvest.env["PGSSLROOTCERT"] == "/etc/pg/ca.crt"
    assert {"name": "pg", "mountPath": "/etc/pg", "readOnly": True} in harvest.container["volumeMounts"]
    assert train.spec["runtimeClassName"] == "nvidia"
    assert train.spec["terminationGracePeriodSeconds"] == 900
    assert "nodeAffinity" in train.spec["affinity"]
    assert train.env["HF_HOME"] == "/scratch/mine"
    assert not {"affinity", "runtimeClassName", "priorityClassName"} & set(launcher.spec)

    jobs = {key: each["spec"]["jobTemplate"] for key, each in chart.objects("full", "CronJob").items()}
    assert {key: job["spec"]["backoffLimit"] for key, job in jobs.items() if key in STAGES} == {
        **dict.fromkeys(STAGES, 3),
        "harvest-extract": 0,
    }
    assert jobs["train-extract"]["metadata"]["annotations"]["example.com/owner"] == "intel"
    assert jobs["train-extract"]["spec"]["template"]["metadata"]["annotations"] == {"example.com/owner": "intel"}


def test_labels_of_the_chart_cannot_be_overridden(chart: Chart) -> None:
    flags = ["--set", r"defaults.labels.app\.kubernetes\.io/instance=other"]
    result = chart.try_template("minimal", *flags)
    assert result.returncode == 0
    assert "other" not in result.stdout


def test_helm_test_runs_the_doctor(chart: Chart) -> None:
    (doctor,) = chart.objects("minimal", "Pod").values()
    assert doctor["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert doctor["spec"]["restartPolicy"] == "Never"
