"""What Argo CD and Flux find: objects that are theirs, and Jobs that are nobody's."""

import pytest

from tests.unit.chart.rendering import MATRIX, RELEASE, Chart, Document
from tests.unit.chart.test_access import selects

TRACKED_BY = "app.kubernetes.io/instance"
LEFT_ALONE = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false",
}


def jobs_of(chart: Chart, name: str) -> dict[str, Document]:
    return {key: each["spec"]["jobTemplate"] for key, each in chart.objects(name, "CronJob").items()}


@pytest.mark.parametrize("name", MATRIX)
def test_jobs_lack_the_label_that_argo_cd_prunes_by(chart: Chart, name: str) -> None:
    for key, job in jobs_of(chart, name).items():
        labels, annotations = job["metadata"]["labels"], job["metadata"]["annotations"]
        assert TRACKED_BY not in labels
        assert LEFT_ALONE.items() <= annotations.items()
        # pods have it: their owner is the Job, and monitoring goes by it
        assert job["spec"]["template"]["metadata"]["labels"][TRACKED_BY] == RELEASE
        template = chart.objects(name, "CronJob")[key]["metadata"]
        assert template["labels"][TRACKED_BY] == RELEASE
        assert not LEFT_ALONE.items() <= template["annotations"].items(), "a template is pruned with its release"


@pytest.mark.parametrize("name", MATRIX)
def test_nothing_is_selected_by_a_label_that_argo_cd_writes(chart: Chart, name: str) -> None:
    selectors = [policy["spec"]["podSelector"] for policy in chart.objects(name, "NetworkPolicy").values()]
    selectors += [each["spec"]["selector"] for each in chart.objects(name, "Deployment").values()]
    selectors += [each["spec"]["selector"] for each in chart.objects(name, "PodDisruptionBudget").values()]
    selectors += [{"matchLabels": each["spec"]["selector"]} for each in chart.objects(name, "Service").values()]
    for selector in selectors:
        assert TRACKED_BY not in selector["matchLabels"]
        # and by one that tells this release's pods from those of another in the namespace
        assert "ctiforge.io/release" in selector["matchLabels"]


@pytest.mark.parametrize("name", MATRIX)
def test_every_policy_of_a_stage_selects_pods(chart: Chart, name: str) -> None:
    pods = chart.pods(name).values()
    for key, policy in chart.objects(name, "NetworkPolicy").items():
        assert any(selects(policy, pod) for pod in pods), key


def test_common_labels_and_annotations_are_on_every_object_and_pod(chart: Chart) -> None:
    documents = chart.render("common")
    jobs = list(jobs_of(chart, "common").values())
    assert {each["kind"] for each in documents} >= {
        "CronJob", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget", "Role",
        "RoleBinding", "Service", "ServiceAccount",
    }  # fmt: skip
    pods = [job["spec"]["template"] for job in jobs]
    pods += [each["spec"]["template"] for each in documents if each["kind"] == "Deployment"]
    for each in [*documents, *jobs, *pods]:
        assert each["metadata"]["labels"]["cost-center"] == "4711"
        assert "example.com/owner" in each["metadata"]["annotations"]
    # what is special goes before what is common, and the chart's own before both
    for each in [*jobs, *pods]:
        assert each["metadata"]["labels"]["team"] == "research"
        assert each["metadata"]["annotations"]["example.com/owner"] == "research"
    assert {each["metadata"]["labels"][TRACKED_BY] for each in [*documents, *pods]} == {RELEASE}
    plain = [each for each in documents if each["kind"] not in ("CronJob", "Pod")]
    for each in plain:
        assert each["metadata"]["labels"]["team"] == "intel"
        assert each["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Replace=true"


def test_nothing_common_means_no_annotations(chart: Chart) -> None:
    assert "annotations" not in chart.objects("minimal", "Role")["launcher"]["metadata"]
