"""What the values may be, and what is said where they are something else."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from ctiforge.lines import LINES
from tests.unit.chart.rendering import CHART, PROGRAMS, Chart

SCRIPT = CHART.parent / "values_table.py"


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


WRONG: list[tuple[str, Any]] = [
    ("store.uri", "/data"),
    ("store.uri", "s3://"),
    ("store.region", 5),
    ("store.endpoint", "s3.example:9000"),
    ("store.existingSecret", "My Secret"),
    ("store.secretKeys.accessKey", "access key"),
    ("global.imageRegistry", "https://mirror.example"),
    ("global.imagePullSecrets", [{"secret": "mirror"}]),
    ("fullnameOverride", "Agent"),
    ("commonLabels", {"cost-center": 4711}),
    ("commonAnnotations", ["owner"]),
    ("extraObjects", [5]),
    ("serviceAccounts.stage.create", "false"),
    ("serviceAccounts.serve.name", "My Account"),
    ("defaults.schedulerName", 5),
    ("defaults.scratchClaim.enabled", "true"),
    ("stages.train_extract.activeDeadlineSeconds", "2d"),
    ("stages.train_extract.ttlSecondsAfterFinished", 10),
    ("stages.train_extract.topologySpreadConstraints", [{"maxSkew": 1}]),
    ("stages.train_extract.envFrom", [{"secret": "wandb"}]),
    ("stages.train_extract.initContainers", [{"name": "copy"}]),
    ("hub.offline", "yes"),
    ("labeler.existingSecret", "My Secret"),
    ("labeler.key", ""),
    ("images.cpu.digest", "latest"),
    ("images.train.pullPolicy", "Sometimes"),
    ("defaults.resources.limits.memory", "16 GB"),
    ("defaults.scratchSize", 20),
    ("stages.train_extract.retries", "3"),
    ("stages.train_extract.retries", -1),
    ("stages.train_extract.gpu.count", 0.5),
    ("stages.train_extract.nodes", 0),
    ("stages.train_os_bert.nodes", "2"),
    ("stages.eval_extract.shards", 0),
    ("stages.eval_extract.shards", "2"),
    ("stages.train_extract.tolerations", {"key": "gpu"}),
    ("stages.eval_extract.nodeSelector", {"gpu": True}),
    ("launcher.pod.extraEnv", [{"value": "no name"}]),
    ("launcher.nodeLostTimeout", "5m"),
    ("stages.train_os_bert.gpu.count", "1"),
    ("settings.maxLength", "2048"),
    ("settings.osModel", ""),
    ("settings.osTestSet", 2),
    ("settings.osInUse", 5),
    ("settings.stages.train_extract", {"epochs": [1, 2]}),
    ("settings.export.format", "lmstudio"),
    ("settings.export.types", "q8_0,q9"),
    ("promote.auto", "true"),
    ("retrain.extract.enabled", "true"),
    ("retrain.extract.suspend", "true"),
    ("retrain.os-bert.args", "--no-database"),
    ("retrain.extract.timeZone", "Local"),
    ("retrain.extract.startingDeadlineSeconds", 5),
    ("retrain.os-bert.schedule", "weekly"),
    ("serve.enabled", "true"),
    ("serve.model", ""),
    ("serve.replicas", -1),
    ("serve.upstream", "lmstudio:1235"),
    ("serve.upstreamKey.existingSecret", "My Secret"),
    ("serve.args", "--poll 30"),
    ("serve.pod.gpu.count", "1"),
    ("networkPolicy.serve.from", "10.8.0.0/16"),
    ("networkPolicy.store.ports", [70000]),
    ("networkPolicy.podIdentity", ["azure"]),
    ("networkPolicy.labeler.to", "10.8.0.0/16"),
    ("rbac.users", "ann"),
]
"""Values that are refused, by their keys."""
UNKNOWN = [
    ("", "stor"),
    ("store", "bucket"),
    ("store.secretKeys", "access_key"),
    ("serviceAccounts", "server"),
    ("serviceAccounts.launcher", "annotation"),
    ("defaults.scratchClaim", "size"),
    ("retrain.extract", "suspended"),
    ("hub", "token"),
    ("images", "gpu"),
    ("defaults", "replicas"),
    ("defaults.gpu", "counts"),
    ("defaults.resources", "limit"),
    ("labeler", "apiKey"),
    ("stages", "compare_extract"),
    ("stages", "train-os-bert"),
    ("stages.train_extract", "gpus"),
    ("launcher", "timeout"),
    ("settings", "os_model"),
    ("retrain", "nightly"),
    ("retrain", "os_bert"),
    ("retrain.extract", "cron"),
    ("serve", "champion"),
    ("serve.apiKey", "secret"),
    ("serve.pod", "replicas"),
    ("networkPolicy", "s3"),
    ("networkPolicy.serve", "to"),
    ("networkPolicy.store", "cidrs"),
    ("networkPolicy.labeler", "port"),
    ("kueue", "queue"),
]
"""Keys that there are not, and where."""


@pytest.fixture(scope="module")
def refused(any_chart: Chart) -> list[str]:
    """What Helm says of everything that is wrong, a line each: it is asked once for all that fits into one file."""
    unknown = [(f"{path}.{key}".lstrip("."), {}) for path, key in UNKNOWN]
    said = [any_chart.refuse(values) for values in together([*WRONG, *unknown])]
    return [dotted(line) for text in said for line in text.splitlines()]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_wrong_value_is_refused_by_its_key(refused: list[str], path: str, value: Any) -> None:
    times = sum(other == path for other, _ in WRONG)
    assert sum(path in line for line in refused) >= times, f"{path}: {value}"


@pytest.mark.parametrize(("path", "key"), UNKNOWN)
def test_an_unknown_key_is_refused_by_its_name(refused: list[str], path: str, key: str) -> None:
    assert any(path in line and key in re.split("[ ',]", line) for line in refused)


def test_every_object_of_the_schema_refuses_unknown_keys() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def objects(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [each for item in node for each in objects(item)]
        if not isinstance(node, dict):
            return []
        own = [node] if "properties" in node and node.get("type") == "object" else []
        return own + [each for item in node.values() for each in objects(item)]

    # an umbrella chart keeps there what is for its other charts
    assert schema["properties"].pop("global")["properties"]
    found = objects(schema)
    assert len(found) > 20
    assert all(each["additionalProperties"] is False for each in found)


def test_a_value_that_is_taken_away_is_refused_by_its_name(any_chart: Chart) -> None:
    # Helm takes away what is null: its number would be 0, its list or object the end of the rendering
    said = any_chart.refuse(
        {
            "defaults": {"terminationGracePeriodSeconds": None, "gpu": None, "labels": None},
            "launcher": {"pendingTimeout": None, "pod": None},
            "networkPolicy": {"database": {"ports": None}},
            "stages": {"train_extract": None},
            "hub": None,
        }
    )
    for name in (
        "terminationGracePeriodSeconds",
        "gpu",
        "labels",
        "pendingTimeout",
        "pod",
        "ports",
        "train_extract",
        "hub",
    ):
        assert re.search(rf"\b{name}\b", said), said


def test_only_what_may_be_empty_or_null_may_be_taken_away() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def parts(node: dict[str, Any]) -> list[dict[str, Any]]:
        """The node and what it refers to or is made of."""
        below = node.get("allOf", [])
        if "$ref" in node:
            below = [schema["definitions"][node["$ref"].rpartition("/")[2]]]
        return [node, *(part for each in below for part in parts(each))]

    def lacking(value: dict[str, Any], nodes: list[dict[str, Any]], path: str) -> list[str]:
        required = {name for node in nodes for name in node.get("required", [])}
        found = []
        for key, default in value.items():
            if default not in ("", None) and key not in required | {"global", "fsGroup"}:
                found.append(f"{path}{key}")
            below = [part for node in nodes for part in parts(node.get("properties", {}).get(key, {}))]
            is_over_defaults = schema["definitions"]["pod"] in below and key != "defaults"
            if isinstance(default, dict) and key != "resources" and not is_over_defaults:
                found += lacking(default, below, f"{path}{key}.")
        return found

    assert lacking(values, [schema], "") == []


def test_an_address_that_is_taken_away_is_none(any_chart: Chart) -> None:
    addresses = json.dumps({"store": {"endpoint": None}, "hub": {"endpoint": None}})
    result = any_chart.try_template("minimal", "-f", "-", stdin=addresses)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("release", ["my.team", "9lives"])
def test_a_release_whose_names_would_be_none_is_refused_unless_they_begin_otherwise(
    any_chart: Chart, release: str
) -> None:
    # a scheduled run is called like its Job, and no run's id has a dot; no Service begins with a digit
    refused = any_chart.try_template("minimal", release=release)
    assert f"release name {release}: names of Services and runs are made of it" in refused.stderr
    assert any_chart.try_template("minimal", "--set", "fullnameOverride=team", release=release).returncode == 0


BAD_CRON = (
    "0 3 * *", "0 3 * * * *", "61 * * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 7", "0 3 * * MO",
    "*/0 * * * *", "0 3 * * 1-", "daily", "@every", "TZ=UTC 0 3 * * *", "",
)  # fmt: skip
GOOD_CRON = ("0 3 * * *", "*/15 0-6,22 1,15 */2 MON-FRI", "59 23 31 12 6", "5/10 ? * jan sun", "00 03 * * *", "@daily")


def test_a_cron_string_is_one() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    pattern = re.compile(schema["definitions"]["cron"]["pattern"])
    assert [cron for cron in BAD_CRON if pattern.search(cron)] == []
    assert [cron for cron in GOOD_CRON if not pattern.search(cron)] == []


def test_a_good_cron_string_is_taken(any_chart: Chart) -> None:
    values = nested("retrain.extract.schedule", GOOD_CRON[1])
    result = any_chart.try_template("retrain", "-f", "-", stdin=json.dumps(values))
    assert result.returncode == 0, result.stderr
    assert f'schedule: "{GOOD_CRON[1]}"' in result.stdout


def test_other_charts_have_globals_of_their_own(any_chart: Chart) -> None:
    result = any_chart.try_template("minimal", "--set", "global.storageClass=fast")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("which", ["stage", "launcher"])
def test_an_account_that_is_not_made_is_named(any_chart: Chart, which: str) -> None:
    said = any_chart.refuse(nested(f"serviceAccounts.{which}.create", False))
    assert f"serviceAccounts.{which}.create is false: name the account that is there" in said


def test_no_store_is_refused_in_words(any_chart: Chart) -> None:
    assert "store.uri is required" in any_chart.refuse({"store": {"uri": ""}})


def test_more_than_one_gpu_is_refused_in_words(any_chart: Chart) -> None:
    said = any_chart.refuse(nested("stages.eval_extract.gpu.count", 2))
    assert "stages.eval_extract.gpu.count is 2: it uses one GPU" in said


def test_a_training_on_several_gpus_has_a_process_for_each(any_chart: Chart) -> None:
    values = json.dumps(nested("stages.train_os_bert.gpu.count", 4))
    rendered = any_chart.try_template("minimal", "-f", "-", stdin=values)
    assert rendered.returncode == 0, rendered.stderr
    [template] = [
        each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for each in yaml.load_all(rendered.stdout, yaml.CSafeLoader)
        if each and each["kind"] == "CronJob" and each["metadata"]["name"].endswith("-train-os-bert")
    ]
    [container] = template["containers"]
    assert container["args"] == ["train_os_bert", "--nproc=4"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 4
    assert next(each for each in template["volumes"] if each["name"] == "shm")["emptyDir"]["sizeLimit"] == "4Gi"


def test_shared_memory_which_is_multiplied_by_the_gpus_is_of_whole_units(chart: Chart) -> None:
    assert "shmSize" in chart.refuse(nested("stages.train_extract.shmSize", "1.5Gi"))


def test_notes_say_what_to_run_next(helm4: str) -> None:
    # Helm 3 renders no notes without a cluster
    chart = Chart(helm4)
    notes = notes_of(chart, "minimal")
    assert "helm test demo -n intel" in notes
    assert "CTIFORGE_BACKEND=kubernetes CTIFORGE_NAMESPACE=intel CTIFORGE_RELEASE=demo" in notes
    assert "ctiforge run os-bert" in notes
    assert "retrain.extract.enabled=true" in notes
    assert "retrain.os-bert.enabled=true" in notes
    assert "database.existingSecret is not set" in notes
    notes = notes_of(chart, "full")
    assert "--from=cronjob/demo-retrain-extract" in notes
    assert "--from=cronjob/demo-retrain-os-bert" in notes
    assert "database.existingSecret" not in notes
    assert "Nothing runs yet" in notes
    notes = notes_of(chart, "serve")
    assert "http://demo-serve.intel.svc:1234/v1" in notes
    assert "Nothing runs yet" not in notes


def test_the_table_of_values_is_current() -> None:
    result = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_schema_knows_the_values_and_the_programs() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(schema["properties"]) == set(values)
    assert set(schema["properties"]["global"]["properties"]) == set(values["global"])
    assert set(schema["properties"]["stages"]["properties"]) == set(values["stages"]) == set(PROGRAMS)
    assert set(schema["definitions"]["pod"]["properties"]) == set(values["defaults"])


def test_the_chart_knows_the_lines() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(PROGRAMS) == {stage.program for line in LINES.values() for stage in line.stages}
    assert set(values["retrain"]) == set(LINES)


def test_the_development_cluster_has_room_for_every_stage(chart: Chart) -> None:
    result = chart.try_template("minimal", "-f", str(CHART.parents[1] / "k8s/values.yaml"))
    assert result.returncode == 0, result.stderr
    documents = [document for document in yaml.safe_load_all(result.stdout) if document]
    pods = [
        document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for document in documents
        if document["kind"] == "CronJob"
    ]
    assert len(pods) == len(PROGRAMS) + 1
    for pod in pods:
        (container,) = pod["containers"]
        assert not any("/" in what for what in container["resources"]["limits"])
        assert container["resources"]["requests"]["cpu"] in ("1", "500m", "100m")
        # the large image is loaded onto one node alone
        is_large = container["image"] == "ctiforge-train:dev"
        assert ("node-role.kubernetes.io/control-plane" in pod.get("nodeSelector", {})) is is_large


def together(cases: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """The cases as values, in as few files as their keys allow."""
    files: list[dict[str, Any]] = []
    for path, value in cases:
        if not any(put(values, path, value) for values in files):
            files.append(nested(path, value))
    return files


def put(values: dict[str, Any], path: str, value: Any) -> bool:
    """Set the value unless the path, or what it lies below, is set already."""
    *above, last = path.split(".")
    for key in above:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            return False
    return values.setdefault(last, value) is value


def dotted(said: str) -> str:
    """Helm 4 says `/store/uri` where Helm 3 says `store.uri`."""
    return said.replace("/", ".")


def notes_of(chart: Chart, name: str) -> str:
    command = ["install", "demo", str(CHART), "-n", "intel", "--dry-run=client", "-f"]
    path = CHART.parents[1] / f"tests/unit/chart/values/{name}.yaml"
    result = subprocess.run([chart.helm, *command, str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.partition("NOTES:")[2]
