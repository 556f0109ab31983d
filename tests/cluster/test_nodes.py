"""Two pods that train one model: their speed, kills, evictions, a node that is gone; tables (`make prove-nodes`)."""

import json
import random
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from ctiforge.tables import print_tables, table_of, wide_console
from tests.cluster.conftest import WORKER, Place, kubectl, new_place, pods_of
from tests.cluster.training import Prepared, kill_rank, metadata, tensors, training_pod

pytestmark = pytest.mark.prove

STEPS = 60
SMALL = {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}
TWO = ("stages.train_extract.nodes=2", f"stages.train_extract.resources={json.dumps(SMALL)}")
CHOSEN = "node-role.kubernetes.io/control-plane"
"""The label that the development cluster's values choose the trainings' node by."""
TURNS = 3
"""So often the speed of one pod and of two is measured, in turn."""
NEARLY = 1e-3
"""Two pods add a step's gradients up in another order than one: so far may a weight of 60 steps in fp32 be apart."""


@dataclass
class Table:
    """What was done to trainings of two pods, and what came of each; beside it how fast they are undisturbed."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    speeds: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, what: str, found: Mapping[str, float], most: float, begun: float) -> None:
        """Note a training that ended well: what its metadata say, and how far its weights are from one pod's."""
        steps, went_on = str(found["steps_done"]), str(found["resumed_from_step"])
        self.rows.append((what, steps, went_on, f"{most:.1e}", f"{time.monotonic() - begun:.0f}"))


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """The table, printed when all are done."""
    table = Table()
    yield table
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        heads = ("what was done to two pods", "steps", "last went on from", "weights apart, most", "s in all")
        speeds = ("pods", "tokens/s, median", "each", "beside one")
        print_tables([table_of(heads, table.rows, left=(0,)), table_of(speeds, table.speeds)], wide_console(150))


def test_two_pods_go_on_when_one_is_killed_and_when_one_is_evicted(
    place: Place, lasting: Place, prepared: Prepared
) -> None:
    place.install(*TWO)
    with place.following("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(15)
        pod = training_pod(place, "train_extract", 1)
        kubectl("exec", pod, "--container=stage", "--", "python", "-c", kill_rank(1), namespace=place.namespace)
        place.wait_until_done(35)
        place.evict(training_pod(place, "train_extract", 0))
        outcome = following.wait()
    assert outcome.exit_code == 0, outcome
    # of each two one has a cause, and the other ended for it
    assert outcome.interruptions == {"killed": 1, "evicted": 1}
    found = metadata(place.store, outcome)
    assert (found["ranks"], found["steps_done"]) == (2, STEPS)
    assert found["resumed_from_step"] >= 35
    assert apart(lasting, place, prepared) < NEARLY


def test_two_pods_beside_one_in_tokens_a_second(lasting: Place, prepared: Prepared, table: Table) -> None:
    # the pods share the cores of this machine: one thread for each, as if each had a core of its own
    one_thread = f"stages.train_extract.extraEnv={json.dumps([{'name': 'OMP_NUM_THREADS', 'value': '1'}])}"
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(TURNS):
        for pods, speeds in found.items():
            with new_place() as place:
                place.install(*TWO, f"stages.train_extract.nodes={pods}", one_thread)
                outcome = place.run("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint)
                assert outcome.exit_code == 0, outcome
                speeds.append(metadata(place.store, outcome)["tokens_per_s"])
                assert apart(lasting, place, prepared) < NEARLY
    one = statistics.median(found[1])
    for pods, speeds in found.items():
        median, each = statistics.median(speeds), ", ".join(f"{speed:,.0f}" for speed in speeds)
        table.speeds.append((str(pods), f"{median:,.0f}", each, f"{median / one:.2f}"))


def test_a_pod_that_finds_no_node_ends_the_one_that_waits_for_it(place: Place, prepared: Prepared) -> None:
    small = {"requests": {"cpu": "700m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}
    place.install(
        "stages.train_extract.nodes=2",
        f"stages.train_extract.resources={json.dumps(small)}",
        "launcher.pendingTimeout=60",
    )
    outcome = place.run("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint)
    assert outcome.exit_code == 4
    assert outcome.cause
    assert "of 2 pods" in outcome.cause.summary
    assert "not all of its pods started within 60 s" in outcome.cause.summary
    gone = ("wait", "pod", f"--selector={pods_of('train_extract')}", "--for=delete", "--timeout=120s")
    kubectl(*gone, namespace=place.namespace, check=False)
    assert not place.pods(pods_of("train_extract"))


@pytest.mark.parametrize("number", range(5))
def test_four_kills_at_random_steps(
    place: Place, lasting: Place, prepared: Prepared, table: Table, number: int
) -> None:
    place.install(*TWO, "stages.train_extract.retries=6")
    numbers, done, begun = random.Random(number), list[str](), time.monotonic()
    with place.following("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        for first, last in ((1, 11), (16, 26), (31, 41), (46, 56)):
            step, index = numbers.randint(first, last), numbers.randrange(2)
            chosen = numbers.choice([signal.SIGTERM, signal.SIGKILL])
            place.wait_until_done(step)
            pod, program = training_pod(place, "train_extract", index), kill_rank(index, chosen)
            kubectl("exec", pod, "--container=stage", "--", "python", "-c", program, namespace=place.namespace)
            done.append(f"{chosen.name} to {index} at step {place.reached}")
        outcome = following.wait(600)
    assert outcome.exit_code == 0, outcome
    found, most = metadata(place.store, outcome), apart(lasting, place, prepared)
    table.add(", ".join(done), found, most, begun)
    assert (found["ranks"], found["steps_done"]) == (2, STEPS)
    assert most < NEARLY


def test_one_of_two_nodes_is_gone_for_good(place: Place, lasting: Place, prepared: Prepared, table: Table) -> None:
    # the large image lies on the control plane alone
    load = ["kind", "load", "docker-image", "ctiforge-train:dev", "--name", "ctiforge", "--nodes", WORKER, "--quiet"]
    subprocess.run(load, check=True, capture_output=True)
    kubectl("label", "node", WORKER, f"{CHOSEN}=")
    place.install(*TWO, "launcher.nodeLostTimeout=5")
    begun = time.monotonic()
    with place.following("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(15)
        pods = place.pods(pods_of("train_extract"))
        assert len({pod["spec"]["nodeName"] for pod in pods}) == 2, "each on a node of its own"
        subprocess.run(["docker", "pause", WORKER], check=True, capture_output=True)
        try:
            kubectl("wait", f"node/{WORKER}", "--for=condition=Ready=Unknown", "--timeout=180s")
            outcome = following.wait(900)
        finally:
            subprocess.run(["docker", "unpause", WORKER], check=True, capture_output=True)
            kubectl("wait", f"node/{WORKER}", "--for=condition=Ready", "--timeout=180s")
            kubectl("label", "node", WORKER, f"{CHOSEN}-")
    assert outcome.exit_code == 0, outcome
    found, most = metadata(place.store, outcome), apart(lasting, place, prepared)
    table.add("a node gone for good", found, most, begun)
    assert (found["ranks"], found["steps_done"]) == (2, STEPS)
    # a checkpoint is begun two steps before the ten that may be lost are over
    assert found["resumed_from_step"] >= 8
    assert most < NEARLY


def apart(one: Place, two: Place, prepared: Prepared) -> float:
    """The largest difference of a weight between the trainings of two places."""
    alone, together = (tensors(each.store, prepared.fingerprint) for each in (one, two))
    assert alone.keys() == together.keys()
    return max(float(abs(alone[name] - together[name]).max()) for name in alone)
