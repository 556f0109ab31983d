"""OS-BERT's line on the cluster: from articles to the comparison, and again with nothing new."""

import json
import re
from datetime import UTC, datetime

import pytest

from ctiforge.data.testsets import import_testset
from ctiforge.demo.articles import ANNOTATOR
from ctiforge.demo.os_articles import make_os_corpus
from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.records.article import OS_LABELS
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import load_run
from tests.cluster.conftest import RELEASE, Place, kubectl, secret_values

TINY = {
    "prepare_os": {"limit": 60, "force": True},
    "train_os_bert": {"max_steps": 3, "batch_size": 2, "pooling": "mean"},
}
SET = [f"--set={stage}.{name}={str(value).lower()}" for stage, flags in TINY.items() for name, value in flags.items()]
LATER = ("train_os_bert", "baselines_os", "eval_os_bert", "compare_os")


@pytest.mark.prove
def test_the_line_runs_and_a_second_time_only_asks_for_what_is_new(place: Place) -> None:
    add_small_test_set(place.store)
    output = run(place, "first")
    record = load_run(place.store, "first")
    assert record.state == "done"
    assert {stage.name: stage.state for stage in record.stages} == dict.fromkeys(("prepare_os", *LATER), "done")
    assert "beside the others on demo-os 1" in output, "the comparison is shown at the end"

    # a second time from inside, as the schedule would start it
    before = set(place.jobs())
    place.install("retrain.os-bert.enabled=true", f"settings.stages={json.dumps(TINY)}")
    begun = datetime.now(UTC)
    template = f"cronjob/{RELEASE}-retrain-os-bert"
    kubectl("create", "job", "weekly", f"--from={template}", namespace=place.namespace)
    kubectl("wait", "job/weekly", "--for=condition=Complete", "--timeout=300s", namespace=place.namespace)
    new = set(place.jobs()) - before - {"weekly"}
    print(f"retrain with nothing new: {(datetime.now(UTC) - begun).total_seconds():.0f} s, Jobs {sorted(new)}")
    assert [program_of(job) for job in new] == ["prepare-os"]
    weekly = load_run(place.store, "weekly")
    assert weekly.state == "done"
    assert {stage.name: stage.state for stage in weekly.stages}.items() >= dict.fromkeys(LATER, "cached").items()

    logs = place.ctiforge("logs", "first")
    said, _ = logs.communicate(timeout=60)
    # headed by the pod's name while the pod is there, by the stage's once it is gone
    assert re.search(r"--- train[-_]os[-_]bert", said), said
    assert not any(value in said for value in secret_values())


def run(place: Place, run_id: str) -> str:
    """Run the line to its end; gives back what it said."""
    started = place.ctiforge("run", "os-bert", *SET, "--run-id", run_id)
    output, _ = started.communicate(timeout=600)
    assert started.returncode == 0, output
    return output


def program_of(job: str) -> str:
    """`prepare-os` of `prepare-os-0123456789ab-cdef01-1`."""
    return job.rsplit("-", 3)[0]


def add_small_test_set(store: ObjectStore) -> None:
    """Register a test set `demo-os` of the two shortest articles of each class."""
    articles = sorted(make_os_corpus(0, find_evidence).test, key=lambda article: len(article.content))
    short = [[article for article in articles if article.os_label == label][:2] for label in OS_LABELS]
    import_testset(store, "demo-os", [article for pair in short for article in pair], ANNOTATOR, note="short")
