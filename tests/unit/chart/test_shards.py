"""An evaluation in shards is an Indexed Job of pods that need nothing of each other."""

import pytest

from tests.unit.chart.rendering import Chart, Document
from tests.unit.chart.test_values import nested

SHARDS = 4
"""As `values/shards.yaml` has them."""


def template(chart: Chart, values: str) -> Document:
    found: Document = chart.objects(values, "CronJob")["eval-extract"]["spec"]["jobTemplate"]
    return found


def test_the_job_has_a_pod_for_each_shard_and_retries_for_each(any_chart: Chart) -> None:
    spec, alone = (template(any_chart, values)["spec"] for values in ("shards", "minimal"))
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", SHARDS, SHARDS)
    assert spec["backoffLimit"] == alone["backoffLimit"] * SHARDS
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"] == alone["podFailurePolicy"]
    assert "completionMode" not in alone


def test_each_is_told_among_how_many_it_is_and_has_a_log_of_its_own(chart: Chart) -> None:
    pod, alone = (chart.pods(values)["eval-extract"] for values in ("shards", "minimal"))
    assert pod.container["args"] == ["eval_extract", f"--shards={SHARDS}"]
    # all pods of an index have the same host name
    assert pod.env["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert alone.container["args"] == ["eval_extract"]
    assert pod.container["resources"] == alone.container["resources"]


def test_they_neither_meet_nor_are_spread(chart: Chart) -> None:
    assert not chart.objects("shards", "Service")
    assert set(chart.objects("shards", "NetworkPolicy")) == set(chart.objects("minimal", "NetworkPolicy"))
    assert not {"subdomain", "topologySpreadConstraints"} & set(chart.pods("shards")["eval-extract"].spec)


def test_the_launcher_and_kueue_are_told_that_one_pod_alone_gets_on(chart: Chart) -> None:
    own = {"ctiforge.io/shards": str(SHARDS), "kueue.x-k8s.io/job-min-parallelism": "1"}
    assert own.items() <= template(chart, "shards")["metadata"]["annotations"].items()
    for values, stage in (("shards", "train-extract"), ("minimal", "eval-extract"), ("nodes", "train-extract")):
        job = chart.objects(values, "CronJob")[stage]["spec"]["jobTemplate"]
        assert not own.keys() & job["metadata"]["annotations"].keys()


@pytest.mark.parametrize(
    "key", ["stages.eval_os_bert", "stages.train_extract", "stages.promote", "launcher.pod", "serve.pod", "defaults"]
)
def test_what_reads_no_test_set_has_no_shards(any_chart: Chart, key: str) -> None:
    values = nested(f"{key}.shards", 2)
    values.setdefault("serve", {})["enabled"] = True
    said = any_chart.refuse(values)
    assert (key if key != "defaults" else "shards is 2") in said
    assert "its work is not shared among pods; set it to 1 (stages.eval_extract takes several)" in said


def test_no_shard_at_all_is_refused(chart: Chart) -> None:
    assert "shards" in chart.refuse(nested("stages.eval_extract.shards", 0))
