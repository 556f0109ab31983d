"""An evaluation in shards is that of one pod: through a kill and an eviction, and where one pod alone has room."""

import json
from typing import Any

import pytest

from ctiforge.data.testsets import import_testset
from ctiforge.demo.articles import make_corpus
from ctiforge.launcher.backend import Outcome
from ctiforge.store.objects import ObjectStore
from tests.cluster.conftest import Place, kubectl, pods_of
from tests.cluster.training import plan, read_file, training_pod

ARTICLES = 9
FLAGS = ("--model=demo", "--constrained", "--batch-size=4", "--device=cpu", "--test-data=testset:shards")
PROVE = pytest.mark.prove
"""For `make prove-cluster` alone."""


def evaluate(place: Place) -> tuple[tuple[str, ...], str]:
    """Put the test set into the place's store; gives the arguments and the fingerprint of its evaluation."""
    short = sorted(make_corpus(0).test, key=lambda each: len(each.content))[:ARTICLES]
    import_testset(place.store, "shards", short, "tester")
    return FLAGS, plan("eval_extract", *FLAGS, f"--store={place.store.uri}")


def evaluation(store: ObjectStore, outcome: Outcome) -> dict[str, Any]:
    """The evaluation, without the seconds that each article took."""
    assert outcome.exit_code == 0, outcome
    found: dict[str, Any] = json.loads(read_file(store, outcome, "evaluation.json"))
    del found["metrics"]["seconds_per_article"]
    for article in found["articles"]:
        del article["answers"]["seconds"]
    return found


@pytest.fixture(scope="module")
def alone(lasting: Place) -> dict[str, Any]:
    """The evaluation by one pod that nothing disturbed."""
    arguments, fingerprint = evaluate(lasting)
    return evaluation(lasting.store, lasting.run("eval_extract", *arguments, fingerprint=fingerprint))


@PROVE
def test_shards_go_on_when_one_is_killed_and_another_evicted(place: Place, alone: dict[str, Any]) -> None:
    small = {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}
    place.install("stages.eval_extract.shards=3", f"stages.eval_extract.resources={json.dumps(small)}")
    arguments, fingerprint = evaluate(place)
    with place.following("eval_extract", *arguments, fingerprint=fingerprint) as following:
        place.wait_until_done(2)
        killed = training_pod(place, "eval_extract", 1)
        kubectl("delete", "pod", killed, "--grace-period=0", "--force", namespace=place.namespace)
        place.evict(training_pod(place, "eval_extract", 2))
        outcome = following.wait(600)
    assert evaluation(place.store, outcome) == alone
    assert outcome.attempts == 1, "Kubernetes itself replaces both, and the third goes on"
    assert not place.store.list("checkpoints/eval_extract")


@PROVE
def test_where_one_pod_alone_has_room_shards_run_one_after_the_other(place: Place, alone: dict[str, Any]) -> None:
    small = {"requests": {"cpu": "700m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}
    place.install(
        "stages.eval_extract.shards=2",
        f"stages.eval_extract.resources={json.dumps(small)}",
        # shorter than a shard takes
        "launcher.pendingTimeout=20",
    )
    arguments, fingerprint = evaluate(place)
    with place.following("eval_extract", *arguments, fingerprint=fingerprint) as following:
        place.wait_until_said("1 of 2 pods runs, another waits for its place: ")
        outcome = following.wait(600)
    assert evaluation(place.store, outcome) == alone
    assert outcome.attempts == 1
    assert len(place.pods(pods_of("eval_extract"))) == 2
