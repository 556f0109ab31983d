"""A value of the chart reaches the launcher under the variable that its setting has."""

import json

import pytest
import yaml

from ctiforge.settings import setting_names, settings_class
from tests.unit.chart.rendering import Chart

VALUES = {
    "max_length": 777,
    "promote_auto": True,
    "promote_approval": "required",
    "refusal_fails": True,
    "webhook_results": ["refused", "nothing-new"],
    "examples": "4",
    "export_format": "gguf",
    "export_types": "q4_k_m,q8_0",
    "teacher_price": "0.15,0.60",
    "template_args": '{"enable_thinking": false}',
    "stages": {"train_extract": {"epochs": 9}},
}
"""What is given where a setting is no text."""
PREFIX = dict.fromkeys(("served_endpoint", "teacher_endpoint"), "http://") | dict.fromkeys(
    ("store", "served_prompt", "prompt_file", "template_file"), "s3://team/"
)
BY_SECRET = ("database_url", "webhook_url")
"""Settings whose value names a Secret."""
OF_CHART = {name: names.chart for name in settings_class().model_fields if (names := setting_names(name)).chart}


def nested(path: str, value: object) -> dict[str, object]:
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def merged(one: dict, other: dict) -> dict:
    both = {**one, **other}
    return both | {key: merged(one[key], other[key]) for key in one.keys() & other.keys() if isinstance(one[key], dict)}


@pytest.fixture(scope="module")
def environment(chart: Chart) -> dict[str, object]:
    """The launcher's environment, every setting that the chart has being set."""
    values: dict[str, object] = {"retrain": {"extract": {"enabled": True}}}
    for name, path in OF_CHART.items():
        given = VALUES.get(name, f"{PREFIX.get(name, '')}of-{name.replace('_', '-')}")
        values = merged(values, nested(path, given))
    done = chart.try_template("minimal", "-f", "-", stdin=json.dumps(values))
    assert done.returncode == 0, done.stderr
    documents = [each for each in yaml.safe_load_all(done.stdout) if each]
    pods = [
        each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for each in documents
        if each["kind"] == "CronJob" and "retrain" in each["metadata"]["name"]
    ]
    found = {each["name"]: each.get("value", each.get("valueFrom")) for each in pods[0]["containers"][0]["env"]}
    everywhere = json.dumps(documents)
    return found | {"everywhere": everywhere}


@pytest.mark.parametrize("name", [name for name in OF_CHART if name not in BY_SECRET])
def test_a_value_of_the_chart_is_the_variable_of_its_setting(environment: dict[str, object], name: str) -> None:
    value = environment[setting_names(name).variable]
    if name in ("stages", "webhook_results"):
        assert json.loads(str(value)) == VALUES[name]
    elif name in VALUES:
        assert str(value).lower() == str(VALUES[name]).lower()
    else:
        assert name.replace("_", "-") in str(value)


@pytest.mark.parametrize("name", BY_SECRET)
def test_a_secret_of_the_chart_is_the_variable_of_its_setting(environment: dict[str, object], name: str) -> None:
    assert f'"name": "{setting_names(name).variable}"' in str(environment["everywhere"])
    assert f"of-{name.replace('_', '-')}" in str(environment["everywhere"])
