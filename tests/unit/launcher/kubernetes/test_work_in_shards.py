"""Shards of one piece of work are followed to its end: none of them is ended for what another waits for."""

import json
from typing import Any

from ctiforge.launcher.backend import Outcome
from ctiforge.launcher.kubernetes.doctor import trial_job
from ctiforge.launcher.kubernetes.members import LEAST_PODS, SHARDS
from tests.unit.launcher.kubernetes.cases import after
from tests.unit.launcher.kubernetes.scripted import KEY, TEMPLATE, ScriptedCluster, Step
from tests.unit.launcher.kubernetes.test_work import arguments_of, job
from tests.unit.launcher.kubernetes.test_work_together import SHORT, ended, put, running, says, unplaced

LOST = [
    {"type": "Ready", "status": "False", "lastTransitionTime": after(21).isoformat()},
    {"type": "ContainersReady", "status": "True", "lastTransitionTime": after(0).isoformat()},
]
"""What a pod says whose node does not answer."""


def follow(*steps: Step | float, shards: int = 2, **task: Any) -> tuple[ScriptedCluster, Outcome]:
    cluster = ScriptedCluster(*steps)
    return cluster, cluster.follow(shards=shards, **task)


def lost(index: int) -> Step:
    return put(index, "Running", {"running": {"startedAt": after(0).isoformat()}}, nodeName="n", conditions=LOST)


def kept(index: int) -> Step:
    """Its program has ended well, and a proxy beside it runs on: to Kubernetes the pod runs."""

    def step(cluster: ScriptedCluster) -> None:
        put(index, "Running", {"terminated": {"exitCode": 0, "reason": "Completed"}}, nodeName="n")(cluster)
        pod = cluster.found["pods"][f"{KEY}-1-{index}-a"]
        pod["status"]["containerStatuses"].append({"name": "proxy", "state": {"running": {}}})

    return step


def told(index: int, done: int, total: int, name: str = "a") -> Step:
    line = {"event": "progress", "stage": "eval_extract", "done": done, "total": total, "eta_s": 1.0, "metrics": {}}
    return says(index, json.dumps(line), name)


def test_with_one_place_they_run_one_after_the_other_however_long_that_takes() -> None:
    cluster, outcome = follow(
        running(0), unplaced(1), unplaced(2), 100,
        ended(0, 0), 5, running(1), 100,
        ended(1, 0), 5, running(2), 100,
        ended(2, 0),
        shards=3,
        limits=SHORT,
    )  # fmt: skip
    assert (outcome.exit_code, outcome.cause, outcome.attempts) == (0, None, 1)
    assert cluster.calls == ["create 1"]
    assert any("1 of 3 pods runs, another waits for its place: pod" in line for line in cluster.said)
    # waiting is none of it, and the first began at once
    assert 290 <= outcome.ran_s <= 320
    assert outcome.queued_s is not None
    assert outcome.queued_s < 5
    assert outcome.interruptions == {}


def test_where_none_gets_a_place_the_limit_holds() -> None:
    cluster, outcome = follow(running(0), unplaced(1), 100, ended(0, 0), 40, limits=SHORT)
    assert outcome.exit_code == 4
    assert outcome.cause
    assert outcome.cause.category == "no gpu"
    assert "no further pod of it started within 25 s" in outcome.cause.summary
    assert cluster.calls == ["create 1", "delete 1"]


def test_a_finished_shard_that_its_sidecar_keeps_is_named_for_taking_the_other_s_place() -> None:
    cluster, outcome = follow(running(0), unplaced(1), 10, kept(0), 40, limits=SHORT)
    assert outcome.exit_code == 4
    assert outcome.cause
    assert outcome.cause.category == "no gpu"
    keeps = f"pod {KEY}-1-0-a: its program has ended (exit code 0), and proxy keeps the pod"
    assert keeps in outcome.cause.summary
    assert "let proxy end with the program" in outcome.cause.remedy
    # at once, not when the limit has passed
    assert any(keeps in line and "within" not in line for line in cluster.said)


def test_one_that_is_killed_or_evicted_is_replaced_while_the_others_go_on() -> None:
    cluster, outcome = follow(
        running(0), running(1), 20,
        ended(1, 137), job(failed=1), 60,
        running(1, name="b"), 20,
        ended(1, 75, name="b"), 60,
        running(1, name="c"), 20,
        ended(1, 0, name="c"), 5,
        ended(0, 0),
    )  # fmt: skip
    assert (outcome.exit_code, outcome.attempts) == (0, 1)
    assert cluster.calls == ["create 1"]
    # that one saved and ended is its own interruption: it did not end for another
    assert outcome.interruptions == {"killed": 1, "interrupted": 1}


def test_a_lost_node_s_shard_begins_again_once_the_others_are_done() -> None:
    cluster, outcome = follow(
        running(0), running(1), 20,
        lost(1), 100,
        lambda c: c.calls.append("the other ends"),
        ended(0, 0), 10,
        running(0, attempt=2), running(1, attempt=2), 20,
        ended(0, 0, attempt=2), ended(1, 0, attempt=2),
        limits=SHORT,
    )  # fmt: skip
    assert (outcome.exit_code, outcome.attempts) == (0, 2)
    assert cluster.calls == ["create 1", "the other ends", "create 2", "delete 1"]


def test_too_little_memory_in_one_begins_all_again_with_half() -> None:
    cluster, outcome = follow(
        running(0), running(1), 20,
        ended(1, 137, reason="OOMKilled"), 5,
        lambda c: c.calls.append(arguments_of(c, 2)[-2]),  # type: ignore[arg-type]
        running(0, attempt=2), running(1, attempt=2), 20,
        ended(0, 0, attempt=2), ended(1, 0, attempt=2),
    )  # fmt: skip
    assert (outcome.exit_code, outcome.attempts) == (0, 2)
    assert cluster.calls == ["create 1", "create 2", "delete 1", "--batch-size=4"]


def test_one_that_fails_for_good_ends_the_work_with_its_words() -> None:
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}]}
    _, outcome = follow(running(0), running(1), 20, says(1, "error: too many windows"), 5, ended(1, 4), job(**failed))
    assert outcome.exit_code == 4
    assert outcome.cause
    assert outcome.cause.detail == "error: too many windows"


def test_every_shard_is_heard_and_their_progress_is_added_up() -> None:
    cluster, outcome = follow(
        running(0), unplaced(1), 5,
        says(0, "shard 0 of 2: its part is there"),
        told(0, 30, 40), 5,
        ended(0, 0), running(1), 5,
        told(0, 40, 40), told(1, 10, 44), 5,
        ended(1, 75), running(1, name="b"), 5,
        # it begins anew
        told(1, 2, 44, name="b"), 5,
        says(1, "12 articles scored", name="b"), ended(1, 0, name="b"),
    )  # fmt: skip
    assert outcome.exit_code == 0
    assert {"shard 0 of 2: its part is there", "12 articles scored"} <= set(cluster.said)
    assert [(each.done, each.total) for each in cluster.progress] == [(30, 80), (40, 80), (50, 84), (42, 84)]


def test_doctor_tries_one_pod_which_no_queue_refuses() -> None:
    template = {**TEMPLATE, "spec": {"jobTemplate": {**TEMPLATE["spec"]["jobTemplate"]}}}
    inner = template["spec"]["jobTemplate"]
    inner["metadata"] = {"annotations": {SHARDS: "4", LEAST_PODS: "1"}}
    inner["spec"] = {**inner["spec"], "completionMode": "Indexed", "completions": 4, "parallelism": 4}
    tried = trial_job(template, "doctor-x")
    assert (tried["spec"]["completions"], tried["spec"]["parallelism"]) == (1, 1)
    assert LEAST_PODS not in tried["metadata"]["annotations"]
