"""Who may do what: the launcher's role, and which pod reaches which address."""

import re

import pytest
import yaml

from ctiforge.lines import LINES
from tests.unit.chart.rendering import CHART, MATRIX, NAMESPACE, RELEASE, Chart, Document, Pod

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
DNS = ({NAMESPACE_LABEL: "kube-system"}, {NAMESPACE_LABEL: "openshift-dns"})
NODE_LOCAL_DNS = "169.254.20.10/32"
POD_IDENTITY = {"169.254.170.23/32": {80}, "fd00:ec2::23/128": {80}}
COMMON = {"dns": {53, 5353}, NODE_LOCAL_DNS: {53, 5353}, **POD_IDENTITY}
EVERY_POD = {
    **COMMON,
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
    if "ipBlock" in peer:
        return peer["ipBlock"]["cidr"]
    labels = next(iter(peer.values()))["matchLabels"]
    return "dns" if labels in DNS else next(iter(labels.values()))


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
        ("", "events"): {"create", "get", "list", "watch"},
        ("kueue.x-k8s.io", "workloads"): {"get", "list", "watch"},
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
    # test_nodes.py says who reaches trainings of several nodes
    assert {key for key in open_to if not key.endswith("-nodes")} <= {"serve"}


def test_pods_reach_what_they_need(chart: Chart) -> None:
    store_and_hub = {**EVERY_POD, "10.3.0.0/16": {8443}}
    launcher = {**store_and_hub, "10.4.0.0/16": {443, 6443}, "10.5.0.0/16": {443}, "10.9.0.0/16": {4318}}
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
        assert reached(chart, "model-cache", pods[key]) == {**COMMON, "any": {443}}
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
    assert "-endpoints" not in closed.stdout
    policies = [each for each in opened.stdout.split("---") if "-endpoints" in each]
    assert [re.findall(r"ctiforge.io/stage: (.*)", each) for each in policies] == [["eval-extract"], ["prepare-os"]]
    assert [re.findall(r"port: (\d+)", each) for each in policies] == [["443"], ["443"]]


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
    assert common.count("port:") == 7


def test_every_address_in_the_settings_is_reached_by_the_stages_that_ask_it(chart: Chart) -> None:
    opened = {
        key: reached(chart, "endpoints", pod)["any"] - {443, 6443} for key, pod in chart.pods("endpoints").items()
    }
    # teacher, served model and a stage's own; the labeler's has the port 443
    assert {key: ports for key, ports in opened.items() if ports} == {"eval-extract": {8000, 1234, 9999}}
    assert set(chart.objects("endpoints", "NetworkPolicy")) == {
        "pods", "launcher", "eval-extract-endpoints", "prepare-os-endpoints",
    }  # fmt: skip
    assert not any(key.endswith("-endpoints") for key in chart.objects("minimal", "NetworkPolicy"))


def test_a_served_model_in_the_cluster_is_reached_where_it_is_alone(chart: Chart) -> None:
    asks = {"lmstudio": {1234}}
    pods = chart.pods("served")
    assert reached(chart, "served", pods["eval-extract"]) == {**COMMON, "any": {443}, **asks}
    assert "lmstudio" not in reached(chart, "served", pods["train-extract"])


def test_the_servers_upstream_is_reached_on_its_port(chart: Chart) -> None:
    pods = chart.pods("lmstudio")
    assert reached(chart, "lmstudio", pods["serve"])["any"] == {443, 1234}
    assert reached(chart, "lmstudio", pods["train-extract"])["any"] == {443}


def test_the_other_names_of_a_programs_stages_are_those_of_the_lines() -> None:
    names: dict[str, set[str]] = {}
    for line in LINES.values():
        for stage in line.stages:
            names.setdefault(stage.program, set()).add(stage.name)
    text = (CHART / "templates/_names.tpl").read_text(encoding="utf-8")
    table = yaml.safe_load(text.partition('define "ctiforge.programs" -}}')[2].partition("{{- end")[0])
    assert {key: {key, *needs.get("stages", [])} for key, needs in table.items()} == {
        key: {key, *stages} for key, stages in names.items()
    }


def test_openshifts_dns_alone(chart: Chart) -> None:
    to = reached(chart, "openshift", chart.pods("openshift")["train-extract"])
    assert to == {"dns": {5353}, "any": {443}}


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("eks", POD_IDENTITY),
        ("gke", {"169.254.169.254/32": {80}, "169.254.169.252/32": {988}}),
        ("openshift", {}),
    ],
)
def test_pods_get_the_identity_of_their_account(chart: Chart, name: str, identity: dict[str, set[int]]) -> None:
    for pod in chart.pods(name).values():
        to = reached(chart, name, pod)
        assert {where: to[where] for where in to if where.startswith(("169.254.16", "169.254.17", "fd00:"))} == identity
