"""A training on several nodes is an Indexed Job, whose pods find and reach each other and nobody else."""

import json

import pytest

from tests.unit.chart.rendering import RELEASE, Chart, Document
from tests.unit.chart.test_values import nested

STAGES = {"train-extract": 2, "train-os-bert": 3}
"""Nodes by stage, as `values/nodes.yaml` has them."""


def job(chart: Chart, stage: str, values: str = "nodes") -> Document:
    spec: Document = chart.objects(values, "CronJob")[stage]["spec"]["jobTemplate"]["spec"]
    return spec


@pytest.mark.parametrize(("stage", "nodes"), STAGES.items())
def test_the_job_has_a_pod_for_each_node_and_retries_for_each(any_chart: Chart, stage: str, nodes: int) -> None:
    spec, alone = job(any_chart, stage), job(any_chart, stage, "minimal")
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", nodes, nodes)
    retries = {"train-extract": alone["backoffLimit"], "train-os-bert": 2}[stage]
    assert spec["backoffLimit"] == retries * nodes
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"] == alone["podFailurePolicy"]
    assert "completionMode" not in alone
    assert not {"subdomain", "topologySpreadConstraints"} & set(alone["template"]["spec"])


@pytest.mark.parametrize(("stage", "nodes"), STAGES.items())
def test_pods_meet_at_the_first_of_their_own_job(chart: Chart, stage: str, nodes: int) -> None:
    pod = chart.pods("nodes")[stage]
    service = chart.objects("nodes", "Service")[stage]
    name = service["metadata"]["name"]
    # Kubernetes calls the pods of an Indexed Job <job>-0, <job>-1 … in this domain
    assert pod.spec["subdomain"] == name == f"{RELEASE}-{stage}"
    assert pod.container["args"][-2:] == [f"--nodes={nodes}", f"--first-node=$(JOB_NAME)-0.{name}:29400"]
    assert pod.env["JOB_NAME"] == {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}
    # its log is kept by its own name: the one that replaces it has the same host name
    assert pod.env["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert service["spec"]["clusterIP"] == "None"
    # they meet before any of them is ready
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= pod.labels.items()


def test_several_gpus_of_several_nodes_have_a_process_each(chart: Chart) -> None:
    container = chart.pods("nodes")["train-extract"].container
    assert container["args"][:3] == ["train_extract", "--nproc=8", "--nodes=2"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 8


@pytest.mark.parametrize("stage", STAGES)
def test_pods_of_the_stage_reach_each_other_and_no_other_reaches_them(chart: Chart, stage: str) -> None:
    policy = chart.objects("nodes", "NetworkPolicy")[f"{stage}-nodes"]["spec"]
    own = policy["podSelector"]
    assert own["matchLabels"]["ctiforge.io/stage"] == stage
    assert own["matchLabels"].items() <= chart.pods("nodes")[stage].labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    # gloo and NCCL listen at ports that they choose
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP"}], "from": [{"podSelector": own}]}]
    assert policy["egress"] == [{"ports": [{"protocol": "TCP"}], "to": [{"podSelector": own}]}]


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_training_under_way_needs_outlives_its_values_and_its_release(chart: Chart, stage: str) -> None:
    found = chart.objects("nodes", "Service")[stage], chart.objects("nodes", "NetworkPolicy")[f"{stage}-nodes"]
    for each in found:
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert each["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
        assert each["metadata"]["labels"]["ctiforge.io/release"] == RELEASE
    assert "keep" not in json.dumps(chart.objects("nodes", "NetworkPolicy")["pods"]["metadata"])


def test_pods_are_spread_over_nodes_where_the_values_do_not_say_otherwise(chart: Chart) -> None:
    [spread] = chart.pods("nodes")["train-extract"].spec["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    # with the pods of the same Job alone
    assert spread["matchLabelKeys"] == ["batch.kubernetes.io/job-name"]
    [own] = chart.pods("nodes")["train-os-bert"].spec["topologySpreadConstraints"]
    assert own["topologyKey"] == "topology.kubernetes.io/zone"


def test_one_node_has_nothing_of_it(chart: Chart) -> None:
    assert set(chart.objects("nodes", "Service")) == set(STAGES)
    assert not chart.objects("minimal", "Service")
    assert not any(key.endswith("-nodes") for key in chart.objects("minimal", "NetworkPolicy"))
    assert "JOB_NAME" not in chart.pods("minimal")["train-extract"].env


@pytest.mark.parametrize("key", ["stages.eval_extract", "stages.promote", "launcher.pod", "serve.pod", "defaults"])
def test_what_is_no_training_runs_in_one_pod(any_chart: Chart, key: str) -> None:
    values = nested(f"{key}.nodes", 2)
    values.setdefault("serve", {})["enabled"] = True
    said = any_chart.refuse(values)
    named = key if key != "defaults" else "nodes is 2"
    assert named in said
    assert "it runs in one pod; set it to 1 (trainings take several)" in said


def test_without_policies_there_is_none_for_them(chart: Chart) -> None:
    values = json.dumps(nested("networkPolicy.enabled", False))
    rendered = chart.try_template("nodes", "-f", "-", stdin=values)
    assert rendered.returncode == 0, rendered.stderr
    assert "NetworkPolicy" not in rendered.stdout
