"""The values in examples/ are ones that the chart and Kubernetes take."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import RELEASE, Chart
from tests.unit.chart.schemas import validate

EXAMPLES = Path(__file__).parents[3] / "examples"
VALUES = EXAMPLES / "retrain.yaml"
GITOPS = {path.name: path for path in sorted((EXAMPLES / "gitops").glob("*.yaml"))}


@pytest.fixture(scope="module")
def documents(chart: Chart) -> dict[tuple[str, str], dict[str, Any]]:
    """What the chart makes of examples/retrain.yaml, by kind and name."""
    done = chart.try_template("minimal", "-f", str(VALUES))
    assert done.returncode == 0, done.stderr
    made = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"].removeprefix(f"{RELEASE}-")): each for each in made}


def test_kubernetes_takes_it(documents: dict[tuple[str, str], dict[str, Any]]) -> None:
    for document in documents.values():
        validate(document, "1.37")


@pytest.mark.parametrize("line", ["extract", "os-bert"])
def test_both_lines_are_retrained_on_a_schedule(line: str, documents: dict[tuple[str, str], dict[str, Any]]) -> None:
    spec = documents["CronJob", f"retrain-{line}"]["spec"]
    assert not spec.get("suspend")
    assert spec["schedule"] == yaml.safe_load(VALUES.read_text())["retrain"][line]["schedule"]
    container = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["ctiforge", "run", line]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert environment["CTIFORGE_PROMOTE_AUTO"] == "true"
    assert environment["CTIFORGE_STORE"] == "s3://bucket/ctiforge"


def gitops(name: str) -> dict[str, dict[str, Any]]:
    """The objects of an example, by kind and name."""
    documents = yaml.safe_load_all(GITOPS[name].read_text(encoding="utf-8"))
    return {f"{each['kind']} {each['metadata']['name']}": each for each in documents}


@pytest.mark.parametrize("name", GITOPS)
def test_what_no_cluster_has_tried_says_so(name: str) -> None:
    assert GITOPS[name].read_text(encoding="utf-8").startswith("# Untested: ")
    for each in gitops(name).values():
        assert {"apiVersion", "kind", "metadata", "spec"} == set(each)


def test_values_of_argo_cd_and_flux_are_the_charts(chart: Chart) -> None:
    application = gitops("argocd-application.yaml")["Application ctiforge-prod"]["spec"]["source"]
    release = gitops("flux-helmrelease.yaml")["HelmRelease ctiforge"]["spec"]
    for values, line in ((application["helm"]["valuesObject"], "extract"), (release["values"], "os-bert")):
        done = chart.try_template("minimal", "-f", "-", stdin=json.dumps(values))
        assert done.returncode == 0, done.stderr
        documents = {each["metadata"]["name"]: each for each in yaml.safe_load_all(done.stdout) if each}
        for document in documents.values():
            validate(document, "1.34")
        pod = documents[f"{RELEASE}-retrain-{line}"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == "registry.example/team/ctiforge-cpu:0.1.0"


def test_the_secrets_are_those_that_the_values_name() -> None:
    values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    secrets = {
        each["spec"]["target"]["name"]: {entry["secretKey"] for entry in each["spec"]["data"]}
        for each in gitops("external-secret.yaml").values()
    }
    assert secrets == {
        values["store"]["existingSecret"]: {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
        values["database"]["existingSecret"]: {"DATABASE_URL"},
    }
