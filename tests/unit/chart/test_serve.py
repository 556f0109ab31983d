"""The server in the cluster: what it is started with, who asks it, and what it asks."""

import json

import pytest
import yaml

from ctiforge.programs.serve import API_KEY
from ctiforge.serving.running import FINISH_SECONDS
from tests.unit.chart.rendering import MATRIX, RELEASE, VALUES, Chart, Document
from tests.unit.chart.test_access import COMMON, reached

ARGS = ["serve", "models:extract@champion", "--profile", "huntable", "--host", "0.0.0.0", "--port", "1234"]


def served(chart: Chart, **values: object) -> dict[str, Document]:
    """What the chart makes with a server and these values, by kind and name."""
    done = chart.try_template("minimal", "-f", "-", stdin=json.dumps({"serve": {"enabled": True}, **values}))
    assert done.returncode == 0, done.stderr
    made = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {f"{each['kind']} {each['metadata']['name'].removeprefix(RELEASE + '-')}": each for each in made}


def is_serving(name: str) -> bool:
    values = yaml.safe_load((VALUES / f"{name}.yaml").read_text(encoding="utf-8"))
    return bool(values.get("serve", {}).get("enabled"))


@pytest.mark.parametrize("name", [name for name in MATRIX if not is_serving(name)])
def test_nothing_is_served_unless_it_is_enabled(chart: Chart, name: str) -> None:
    assert not chart.objects(name, "Deployment")
    assert "serve" not in chart.objects(name, "Service")
    assert "serve" not in chart.objects(name, "NetworkPolicy")


def test_a_new_pod_is_ready_before_an_old_one_ends(chart: Chart) -> None:
    spec = chart.objects("serve", "Deployment")["serve"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Always"
    assert pod["terminationGracePeriodSeconds"] >= max(200, FINISH_SECONDS)
    (container,) = pod["containers"]
    startup, ready, alive = (container[f"{which}Probe"] for which in ("startup", "readiness", "liveness"))
    assert {each["httpGet"]["port"] for each in (startup, ready, alive)} == {"http"}
    assert [each["httpGet"]["path"] for each in (startup, ready, alive)] == ["/healthz", "/readyz", "/healthz"]
    # a model may take a quarter of an hour to load, and the rollout waits for it
    waits = startup["periodSeconds"] * startup["failureThreshold"]
    assert 15 * 60 <= waits < spec["progressDeadlineSeconds"]
    # who makes room for another model says so 15 seconds before
    assert ready["periodSeconds"] * ready["failureThreshold"] < 15


@pytest.mark.parametrize(("replicas", "kinds"), [(1, 0), (2, 1)])
def test_a_drain_takes_one_of_several_pods_at_a_time(chart: Chart, replicas: int, kinds: int) -> None:
    made = [document for key, document in served(chart, serve={"enabled": True, "replicas": replicas}).items()
            if document["kind"] == "PodDisruptionBudget"]  # fmt: skip
    assert len(made) == kinds
    assert all(each["spec"]["maxUnavailable"] == 1 for each in made)


def test_the_service_and_the_deployment_select_the_server_alone(chart: Chart) -> None:
    deployment, service = (chart.objects("serve", kind)["serve"] for kind in ("Deployment", "Service"))
    selector = service["spec"]["selector"]
    assert deployment["spec"]["selector"] == {"matchLabels": selector}
    selected = [
        key for key, pod in chart.pods("serve").items() if all(pod.labels.get(k) == v for k, v in selector.items())
    ]
    assert selected == ["serve"]
    (port,) = service["spec"]["ports"]
    assert port["port"] == 1234
    assert chart.pods("serve")["serve"].container["ports"] == [{"name": port["targetPort"], "containerPort": 1234}]


def test_the_server_has_its_flags_image_and_settings(chart: Chart) -> None:
    pod = chart.pods("serve")["serve"]
    upstream = ["--upstream", "http://lmstudio.models.svc:1235/v1", "--upstream-model", "qwen"]
    assert pod.container["args"] == [*ARGS, *upstream, "--poll", "30"]
    assert pod.container["image"] == "registry.example/ctiforge-train:2026-11"
    assert pod.container["resources"]["limits"] == {"memory": "24Gi"}
    assert pod.labels["team"] == "intel"
    assert pod.env["CTIFORGE_STORE"] == "s3://bucket/ctiforge"
    assert pod.env[API_KEY] == {"secretKeyRef": {"name": "serve", "key": API_KEY}}
    assert pod.env["OPENAI_API_KEY"] == {"secretKeyRef": {"name": "upstream", "key": "key"}}
    assert pod.env["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}
    template = chart.objects("serve", "Deployment")["serve"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"prometheus.io/port": "1234"}


def test_without_more_than_enabled_the_champion_is_served_on_a_gpu(chart: Chart) -> None:
    made = served(chart)
    (container,) = made["Deployment serve"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ARGS
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert not {API_KEY, "OPENAI_API_KEY"} & {each["name"] for each in container["env"]}
    # nobody but the namespace asks it, and it asks the Hub alone
    policy = made["NetworkPolicy serve"]["spec"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": 1234}], "from": [{"podSelector": {}}]}]
    assert policy["egress"] == [{"ports": [{"protocol": "TCP", "port": 443}]}]


def test_the_server_is_asked_on_its_port_and_asks_store_hub_and_upstream(chart: Chart) -> None:
    policy = chart.objects("serve", "NetworkPolicy")["serve"]["spec"]
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 1234}]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "huntable"}}}]
    pods = chart.pods("serve")
    to = {**COMMON, "any": {443}, "10.3.0.0/16": {8443}, "10.9.0.0/16": {1235}}
    assert reached(chart, "serve", pods["serve"]) == to
    assert not any("10.9.0.0/16" in reached(chart, "serve", pod) for key, pod in pods.items() if key != "serve")


def test_a_server_without_hub_and_upstream_asks_the_store_alone(chart: Chart) -> None:
    assert served(chart, hub={"offline": True})["NetworkPolicy serve"]["spec"]["egress"] == []
    engine = {"to": [{"podSelector": {"matchLabels": {"app": "vllm"}}}], "ports": [8000]}
    made = served(chart, hub={"offline": True}, networkPolicy={"upstream": engine})
    rule = {"ports": [{"protocol": "TCP", "port": 8000}], "to": engine["to"]}
    assert made["NetworkPolicy serve"]["spec"]["egress"] == [rule]
    assert "NetworkPolicy serve" not in served(chart, networkPolicy={"enabled": False})
