import json
import re
from pathlib import Path
from typing import Any

import pytest

from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis
from ctiforge.launcher.kubernetes.doctor import (
    KUEUE_RIGHTS,
    RIGHTS,
    Checkup,
    chart_finding,
    check_stages,
    is_decided,
    permission_findings,
    queue_findings,
    stage_finding,
    trial_job,
)
from ctiforge.launcher.kubernetes.refusals import ClusterError, explain
from tests.unit.launcher.kubernetes.cases import event, unscheduled

ROLE = Path(__file__).parents[4] / "helm/ctiforge/templates/rbac.yaml"
TEMPLATE: dict[str, Any] = {
    "metadata": {"name": "ctiforge-train-extract", "annotations": {"ctiforge.io/chart-version": "0.1.0"}},
    "spec": {
        "suspend": True,
        "jobTemplate": {
            "metadata": {"labels": {"ctiforge.io/stage": "train-extract"}},
            "spec": {
                "backoffLimit": 3,
                "ttlSecondsAfterFinished": 604800,
                "template": {
                    "metadata": {"labels": {"ctiforge.io/stage": "train-extract"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "stage",
                                "image": "ctiforge-train:0.1.0",
                                "args": ["train_extract"],
                                "resources": {"limits": {"nvidia.com/gpu": 1}},
                            }
                        ]
                    },
                },
            },
        },
    },
}


def test_a_trial_asks_for_all_that_the_stage_does_and_runs_nothing() -> None:
    job = trial_job(TEMPLATE, "doctor-train-extract-0a1b2c")
    container = job["spec"]["template"]["spec"]["containers"][0]
    own = TEMPLATE["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container == {**own, "args": ["train_extract", "--help"], "env": []}
    assert job["kind"] == "Job"
    assert job["metadata"]["name"] == "doctor-train-extract-0a1b2c"
    assert "ownerReferences" not in job["metadata"]
    labels = {"ctiforge.io/stage": "train-extract", "ctiforge.io/run": "doctor-train-extract-0a1b2c"}
    assert labels.items() <= job["metadata"]["labels"].items()
    assert labels.items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    assert TEMPLATE["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 3


def test_rights_that_lack_are_named_with_who_gives_them() -> None:
    assert list(permission_findings("ml", "ctiforge", {name: [] for name in RIGHTS})) == [
        Checkup("ok", "all rights that a launcher needs in namespace ml")
    ]
    denied = {"cronjobs.batch": [], "jobs.batch": ["create", "delete"], "pods/log": ["get"]}
    jobs, logs = permission_findings("ml", "forge", denied)
    assert jobs.level == "problem"
    assert jobs.text == "you may not create, delete jobs.batch in namespace ml"
    assert "forge-launcher" in jobs.remedy
    assert "rbac.users" in jobs.remedy
    assert "get pods/log" in logs.text


def test_the_charts_version_is_compared_with_the_packages() -> None:
    annotations = TEMPLATE["metadata"]["annotations"]
    assert chart_finding("ctiforge", annotations, "0.1.0").level == "ok"
    other = chart_finding("ctiforge", annotations, "0.2.0")
    assert (other.level, "helm upgrade" in other.remedy) == ("warning", True)
    assert "0.1.0" in other.text
    assert "0.2.0" in other.text
    assert chart_finding("web", {}, "0.1.0").level == "problem"


def test_what_became_of_a_trial() -> None:
    assert stage_finding("train_extract", 2.4).level == "ok"
    secret = Diagnosis(Category.SECRET_MISSING, "pod p: there is no secret db", 'secret "db" not found', "create it")
    found = stage_finding("harvest_extract", secret)
    assert found == Checkup(
        "problem",
        'harvest_extract: pod p: there is no secret db; the cluster says: secret "db" not found',
        "create it",
    )
    assert stage_finding("train_extract", None).level == "problem"


def test_the_rights_asked_for_are_those_of_the_charts_role() -> None:
    rules = re.findall(r"\{apiGroups: \[(.*?)\], resources: \[(.*?)\], verbs: \[(.*?)\]\}", ROLE.read_text())
    granted = {
        resource + (f".{group}" if group != '""' else ""): tuple(verbs.split(", ")) for group, resource, verbs in rules
    }
    assert granted == RIGHTS | KUEUE_RIGHTS


def test_queues_that_cannot_be_read_are_no_problem_of_a_run() -> None:
    assert [each.level for each in queue_findings("web", {"workloads.kueue.x-k8s.io": []})] == ["ok"]
    (found,) = queue_findings("web", {"workloads.kueue.x-k8s.io": ["watch"]})
    assert (found.level, "web-launcher" in found.remedy) == ("warning", True)


def test_a_pod_with_a_gpu_computes_on_it_in_its_trial() -> None:
    template = {"jobTemplate": {"spec": {"template": {"spec": {"containers": [stage_with("CTIFORGE_GPU")]}}}}}
    job = trial_job({"metadata": {}, "spec": template}, "doctor-train")
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["check_devices", "--device=cuda"]
    template["jobTemplate"]["spec"]["template"]["spec"]["containers"] = [stage_with("OTHER")]
    plain = trial_job({"metadata": {}, "spec": template}, "doctor-train")
    assert plain["spec"]["template"]["spec"]["containers"][0]["args"] == ["train_extract", "--help"]


def stage_with(variable: str) -> dict[str, object]:
    return {"name": "stage", "args": ["train_extract"], "env": [{"name": variable, "value": "required"}]}


GROWING = event("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 3)}]")


@pytest.mark.parametrize(
    ("category", "events", "waited_s", "decided"),
    [
        (Category.SECRET_MISSING, [], 0, True),
        (Category.CRASHED, [], 0, True),
        (Category.NO_GPU, [], 0, False),
        (Category.NO_GPU, [], 59, False),
        (Category.NO_GPU, [], 61, True),
        (Category.NO_MATCHING_NODE, [], 30, False),
        # a node that is on its way takes minutes
        (Category.NO_GPU, [GROWING], 600, False),
        (Category.SUSPENDED, [], 61, True),
    ],
)
def test_a_pool_that_is_busy_or_scaled_to_zero_is_waited_for(category, events, waited_s, decided) -> None:
    found = Diagnosis(category, "no node has free 1 nvidia.com/gpu", "", "add one")
    assert is_decided(found, [unscheduled("0/3 nodes")], events, waited_s) is decided


def test_a_pool_that_stays_busy_is_a_warning() -> None:
    busy = stage_finding("train_extract", Diagnosis(Category.NO_GPU, "no node has free 1 nvidia.com/gpu", "", "wait"))
    assert busy.level == "warning"


class Refusing:
    """A cluster with the templates of some programs that refuses every Job."""

    namespace = "ml"

    def __init__(self, *programs: str) -> None:
        self.programs = programs

    def cron_job(self, name: str) -> dict[str, Any]:
        if name not in [f"t-{program}" for program in self.programs]:
            said = json.dumps({"message": f'cronjobs.batch "{name}" not found'})
            raise ClusterError(explain(f"get cronjob {name}", "ml", 404, said), 404)
        return TEMPLATE

    def create_job(self, job: dict[str, Any], *, dry_run: bool = False) -> bool:
        name = job["metadata"]["name"]
        words = f'jobs.batch "{name}" is forbidden: unable to create new content in namespace ml'
        said = json.dumps({"message": f"{words} because it is being terminated"})
        raise ClusterError(explain(f"create job {name}", "ml", 403, said), 403)


def test_what_the_cluster_refuses_every_stage_is_told_once() -> None:
    programs = ["train_extract", "eval_extract", "prepare_os"]
    there = [program.replace("_", "-") for program in programs]
    (deleted,) = check_stages(Refusing(*there), "t", programs)  # type: ignore[arg-type]
    assert deleted.text.startswith("train_extract, eval_extract, prepare_os: cannot create job doctor-… in namespace")
    assert deleted.text.endswith("namespace ml is being deleted: name another with --namespace")
    missing, refused = check_stages(Refusing(there[0]), "t", programs[::-1])  # type: ignore[arg-type]
    assert missing.text.startswith("prepare_os, eval_extract: cannot get cronjob t-… in namespace ml")
    assert refused.text.startswith("train_extract: cannot create job")
