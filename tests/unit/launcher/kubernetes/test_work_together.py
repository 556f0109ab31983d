"""Work of two pods is followed as one: to its right end, and with what says most about it."""

from typing import Any

from ctiforge.launcher.backend import Outcome
from ctiforge.launcher.kubernetes.watching import Logged
from tests.unit.launcher.kubernetes.cases import after
from tests.unit.launcher.kubernetes.scripted import KEY, ScriptedCluster, Step
from tests.unit.launcher.kubernetes.test_work import arguments_of, job

SHORT = {"ctiforge.io/pending-timeout": "25", "ctiforge.io/node-lost-timeout": "25"}
NO_ROOM = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes are available: …",
}


def put(index: int, phase: str, state: Any = None, name: str = "a", attempt: int = 1, **more: Any) -> Step:
    return lambda cluster: cluster.put_pod(attempt, f"{index}-{name}", phase, state, index=index, **more)


def unplaced(index: int, **more: Any) -> Step:
    return put(index, "Pending", conditions=[NO_ROOM], **more)


def running(index: int, **more: Any) -> Step:
    def step(cluster: ScriptedCluster) -> None:
        put(index, "Running", {"running": {"startedAt": cluster.now().isoformat()}}, nodeName="n", **more)(cluster)

    return step


def ended(index: int, code: int, reason: str = "Error", **more: Any) -> Step:
    times = {"startedAt": after(0).isoformat(), "finishedAt": after(1).isoformat()}
    state = {"terminated": {"exitCode": code, "reason": reason, **times}}
    return put(index, "Failed" if code else "Succeeded", state, **more)


def says(index: int, line: str, name: str = "a") -> Step:
    return lambda cluster: cluster.changes.queue.append(Logged(f"{KEY}-1-{index}-{name}", line))


def follow(*steps: Step | float, **task: Any) -> tuple[ScriptedCluster, Outcome]:
    cluster = ScriptedCluster(*steps)
    return cluster, cluster.follow(pods=2, **task)


BOTH_RUN: tuple[Step | float, ...] = (running(0), running(1), 20)


def test_it_is_done_when_both_are_and_its_time_counts_once() -> None:
    cluster, outcome = follow(*BOTH_RUN, ended(1, 0), 5, ended(0, 0))
    assert (outcome.exit_code, outcome.cause, outcome.attempts) == (0, None, 1)
    assert cluster.calls == ["create 1"]
    assert 20 <= outcome.ran_s <= 30
    assert outcome.interruptions == {}


def test_one_that_is_killed_costs_a_pod_of_each_and_is_one_interruption() -> None:
    _, outcome = follow(
        *BOTH_RUN,
        ended(1, 137),
        ended(0, 75),
        job(failed=1),
        10,
        running(0, name="b"),
        running(1, name="b"),
        20,
        ended(0, 0, name="b"),
        ended(1, 0, name="b"),
    )
    assert (outcome.exit_code, outcome.attempts) == (0, 1)
    assert outcome.interruptions == {"killed": 1}


def test_the_first_is_heard_and_of_the_other_the_last_words_when_it_fails() -> None:
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}]}
    cluster, outcome = follow(
        *BOTH_RUN,
        says(0, "loaded 40 examples"),
        says(1, "loaded 40 examples too"),
        says(1, "error: the disk is full"),
        5,
        ended(1, 4),
        ended(0, 75),
        job(**failed),
    )
    assert outcome.exit_code == 4
    assert outcome.cause
    assert outcome.cause.summary.startswith(f"pod {KEY}-1-1-a: ")
    assert outcome.cause.detail == "error: the disk is full"
    assert "loaded 40 examples" in cluster.said
    assert "loaded 40 examples too" not in cluster.said
    assert outcome.lines == ("loaded 40 examples", "pod 1: loaded 40 examples too", "pod 1: error: the disk is full")


def test_one_without_a_node_lets_the_other_wait_no_longer_than_the_limit() -> None:
    cluster, outcome = follow(running(0), unplaced(1), 40, limits=SHORT)
    assert outcome.exit_code == 4
    assert outcome.cause
    assert outcome.cause.category == "no gpu"
    assert "1 of 2 pods runs and waits for the others" in outcome.cause.summary
    assert "not all of its pods started within 25 s" in outcome.cause.summary
    assert any("1 of 2 pods runs and waits" in line for line in cluster.said)
    # the one that waits is no longer there
    assert cluster.calls == ["create 1", "delete 1"]
    assert outcome.ran_s == 0


def test_too_little_memory_in_one_begins_both_again_with_half() -> None:
    cluster, outcome = follow(
        *BOTH_RUN,
        ended(1, 137, reason="OOMKilled"),
        ended(0, 75),
        5,
        lambda c: c.calls.append(arguments_of(c, 2)[-2]),  # type: ignore[arg-type]
        running(0, attempt=2),
        running(1, attempt=2),
        20,
        ended(0, 0, attempt=2),
        ended(1, 0, attempt=2),
    )
    assert (outcome.exit_code, outcome.attempts) == (0, 2)
    assert cluster.calls == ["create 1", "create 2", "delete 1", "--batch-size=4"]


def test_a_node_that_is_lost_begins_both_again_elsewhere() -> None:
    lost = [
        {"type": "Ready", "status": "False", "lastTransitionTime": after(21).isoformat()},
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": after(0).isoformat()},
    ]
    state = {"running": {"startedAt": after(0).isoformat()}}
    cluster, outcome = follow(
        *BOTH_RUN,
        put(1, "Running", state, nodeName="n", conditions=lost),
        40,
        running(0, attempt=2),
        running(1, attempt=2),
        20,
        ended(0, 0, attempt=2),
        ended(1, 0, attempt=2),
        limits=SHORT,
    )
    assert (outcome.exit_code, outcome.attempts) == (0, 2)
    assert cluster.calls == ["create 1", "create 2", "delete 1"]
    assert outcome.interruptions == {"node lost": 1}
