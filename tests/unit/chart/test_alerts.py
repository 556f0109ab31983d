"""The alerts on scheduled runs: Prometheus reads them, and they fire when they should."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ctiforge.launcher.metrics import DECISIONS
from tests.unit.chart.rendering import CHART, Chart, Document

CASES = Path(__file__).with_name("alerts.yaml")
FETCHED = CHART.parents[1] / "build/promtool/usr/bin/promtool"


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool") or (str(FETCHED) if FETCHED.exists() else None)
    if not found:
        pytest.skip("no promtool: make build/promtool fetches it")
    return found


def alerts(chart: Chart, flags: str = "") -> list[Document]:
    """The rules that the chart renders with `values/full.yaml` and these values over them."""
    documents = chart.render("full")
    if flags:
        result = chart.try_template("full", "--set", flags, "--show-only", "templates/prometheusrule.yaml")
        assert result.returncode == 0, result.stderr
        documents = [*yaml.safe_load_all(result.stdout)]
    found = [each for each in documents if each["kind"] == "PrometheusRule"]
    return [rule for each in found for group in each["spec"]["groups"] for rule in group["rules"]]


def test_prometheus_reads_them_and_they_fire_when_they_should(chart: Chart, promtool: str, tmp_path: Path) -> None:
    (rule,) = chart.objects("full", "PrometheusRule").values()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"], allow_unicode=True))
    shutil.copy(CASES, tmp_path)
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", CASES.name]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_metric_is_called_as_the_launcher_pushes_it(chart: Chart) -> None:
    expressions = [each["expr"] for each in alerts(chart) if "ctiforge_" in each["expr"]]
    # ctiforge.decisions with the unit {decision}, as OpenTelemetry maps names for Prometheus
    assert {name for each in expressions for name in re.findall(r"ctiforge_\w+", each)} == {"ctiforge_decisions_total"}
    assert {name for each in expressions for name in re.findall(r'decision="(.*?)"', each)} <= set(DECISIONS)


def test_each_scheduled_line_has_its_own(chart: Chart) -> None:
    names = {"CtiforgeRetrainFailed", "CtiforgeLauncherCannotStart", "CtiforgeRetrainNoSuccess"}
    told = {each["labels"]["line"] for each in alerts(chart)}
    assert told == {"extract", "os-bert"}
    assert {each["alert"] for each in alerts(chart)} == {*names, "CtiforgeGateRefusesOften"}
    assert {each["alert"] for each in alerts(chart, "telemetry.otlpEndpoint=")} == names
    off = alerts(chart, "prometheusRule.noSuccessDays.extract=0,prometheusRule.refusals.extract=0")
    assert len(off) == len(alerts(chart)) - 2
    suspended = alerts(chart, "retrain.extract.suspend=true")
    assert {each["labels"]["line"] for each in suspended} == {"os-bert"}


def test_none_is_made_where_nobody_asks_or_nothing_is_scheduled(chart: Chart) -> None:
    assert not chart.objects("minimal", "PrometheusRule")
    assert not chart.objects("retrain", "PrometheusRule")
    nothing = chart.try_template("full", "--set", "retrain.extract.enabled=false,retrain.os-bert.enabled=false")
    assert (nothing.returncode, "PrometheusRule" in nothing.stdout) == (0, False)


def test_launchers_know_the_receiver_of_metrics(chart: Chart) -> None:
    pods = chart.pods("full")
    knowing = {key for key, pod in pods.items() if "OTEL_EXPORTER_OTLP_ENDPOINT" in pod.env}
    assert knowing == {"launcher", "retrain-extract", "retrain-os-bert", "doctor"}
    env = pods["retrain-extract"].env
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.monitoring.svc:4318"
    assert env["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "collector", "key": "headers"}}
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in chart.pods("minimal")["launcher"].env
