"""The values in examples/ are ones that the chart and Kubernetes take."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import RELEASE, Chart
from tests.unit.chart.schemas import validate

VALUES = Path(__file__).parents[3] / "examples/retrain.yaml"


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
