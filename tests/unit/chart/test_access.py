"""Who may do what: the launcher's role, and which pod reaches which address."""

import re

import pytest

from tests.unit.chart.rendering import MATRIX, NAMESPACE, RELEASE, Chart, Document, Pod

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
DNS = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}}}
EVERY_POD = {
    "dns": {53},
    "10.1.0.0/16": {8333},  # the store's endpoint
    "10.6.0.0/16": {3128, 3129},  # the proxy's
    "10.7.0.0/16": {5000},  # extraEgress
}


def selects(policy: Document, pod: Pod) -> bool:
    selector = policy["spec"]["podSelector"]
    matched = all(pod.labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return matched and all(pod.labels.get(each["key"]) in each["values"] for each in expressions)


def place(peer: Document) -> str:
    if peer == DNS:
        return "dns"
    return peer["ipBlock"]["cidr"] if "ipBlock" in peer else peer["namespaceSelector"]["matchLabels"][NAMESPACE_LABEL]


def reached(chart: Chart, name: str, pod: Pod) -> dict[str, set[int]]:
    """Ports by destination (a CIDR, a namespace, `dns`, or `any`) that some policy opens for the pod."""
    ports: dict[str, set[int]] = {}
    for policy in chart.objects(name, "NetworkPolicy").values():
        for rule in policy["spec"]["egress"] if selects(policy, pod) else []:
            peers = [place(peer) for peer in rule.get("to", [])]
            for peer in peers or ["any"]:
                ports.setdefault(peer, set()).update(port["port"] for port in rule["ports"])
    return ports


def test_the_role_has_these_verbs_and_no_others(chart: Chart) -> None:
    (role,) = chart.objects("full", "Role").values()
    verbs = {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert verbs == {
        ("batch", "cronjobs"): {"get"},
        ("batch", "jobs"): {"create", "get", "list", "watch", "delete"},
        ("", "pods"): {"get", "list", "watch"},
        ("", "pods/log"): {"get"},
        ("", "events"): {"get", "list", "watch"},
    }
    assert not chart.objects("full", "ClusterRole")


def test_the_role_is_bound_to_the_launcher_and_to_those_named(chart: Chart) -> None:
    (binding,) = chart.objects("full", "RoleBinding").values()
    assert binding["roleRef"]["name"] == f"{RELEASE}-launcher"
    account, user, group = binding["subjects"]
    assert account == {"kind": "ServiceAccount", "name": f"{RELEASE}-launcher", "namespace": NAMESPACE}
    assert (user["kind"], user["name"]) == ("User", "ann@example.com")
    assert (group["kind"], group["name"]) == ("Group", "intel")
    (binding,) = chart.objects("minimal", "RoleBinding").values()
    assert len(binding["subjects"]) == 1


@pytest.mark.parametrize("name", [name for name in MATRIX if name != "retrain"])
def test_every_pod_is_denied_what_is_not_allowed(chart: Chart, name: str) -> None:
    policies = chart.objects(name, "NetworkPolicy").values()
    for pod in chart.pods(name).values():
        types = {kind for policy in policies if selects(policy, pod) for kind in policy["spec"]["policyTypes"]}
        assert types == {"Ingress", "Egress"}
    open_to = {key for key, each in chart.objects(name, "NetworkPolicy").items() if each["spec"].get("ingress")}
    assert open_to <= {"serve"}


def test_pods_reach_what_they_need(chart: Chart) -> None:
    store_and_hub = {**EVERY_POD, "10.3.0.0/16": {8443}}
    launcher = {**store_and_hub, "10.4.0.0/16": {443, 6443}, "10.5.0.0/16": {443}}
    assert {key: reached(chart, "full", pod) for key, pod in chart.pods("full").items()} == {
        "harvest-extract": {**EVERY_POD, "10.2.0.0/16": {5432}},
        "format-extract": store_and_hub,
        "check-data": store_and_hub,
        "train-extract": store_and_hub,
        "eval-extract": {**store_and_hub, "10.8.0.0/16": {8000}},
        "prepare-os": {**EVERY_POD, "10.2.0.0/16": {5432}, "10.8.0.0/16": {8000}},
        "train-os-bert": store_and_hub,
        "baselines-os": store_and_hub,
        "eval-os-bert": store_and_hub,
        "compare": EVERY_POD,
        "promote": EVERY_POD,
        "export-model": store_and_hub,
        "launcher": launcher,
        "retrain-extract": launcher,
        "retrain-os-bert": launcher,
        "doctor": launcher,
    }


def test_what_is_not_set_up_is_not_reached(chart: Chart) -> None:
    pods = chart.pods("model-cache")
    for key in ("harvest-extract", "train-extract", "prepare-os", "train-os-bert"):
        assert reached(chart, "model-cache", pods[key]) == {"dns": {53}, "any": {443}}
    assert set(chart.objects("model-cache", "NetworkPolicy")) == {"pods", "launcher"}
    assert not chart.objects("retrain", "NetworkPolicy")


def test_an_endpoint_is_reached_by_the_stages_that_ask_it_alone(chart: Chart) -> None:
    pods = chart.pods("own-labeler")
    reaching = {key for key, pod in pods.items() if "models" in reached(chart, "own-labeler", pod)}
    assert reaching == {"prepare-os", "eval-extract"}
    assert reached(chart, "own-labeler", pods["prepare-os"])["models"] == {8000}
    assert "OPENAI_API_KEY" not in pods["prepare-os"].env

    flags = ["--set", "store.endpoint=http://s3.dev.svc:8333", "--show-only", "templates/networkpolicies.yaml"]
    closed = chart.try_template("minimal", *flags)
    opened = chart.try_template("minimal", "--set", "labeler.existingSecret=labeler", *flags)
    assert (closed.returncode, opened.returncode) == (0, 0), closed.stderr + opened.stderr
    assert f"name: {RELEASE}-labeler" not in closed.stdout
    policy = opened.stdout.partition(f"name: {RELEASE}-labeler")[2].partition("---")[0]
    assert 'values: ["eval-extract","prepare-os"]' in policy
    assert re.findall(r"port: (\d+)", policy) == ["443"]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://s3.dev.svc:8333", 8333),
        ("https://s3.example/path:1", 443),
        ("http://s3.example", 80),
        ("https://[fd00::1]:9000", 9000),
        ("https://[fd00::1]", 443),
        ("", 443),
    ],
)
def test_the_stores_port_is_its_endpoints(chart: Chart, endpoint: str, port: int) -> None:
    flags = ["--set", f"store.endpoint={endpoint}", "--show-only", "templates/networkpolicies.yaml"]
    result = chart.try_template("minimal", *flags)
    assert result.returncode == 0, result.stderr
    common = result.stdout.partition("egress:")[2].partition("---")[0]
    assert f"{{protocol: TCP, port: {port}}}" in common
    assert common.count("port:") == 3
