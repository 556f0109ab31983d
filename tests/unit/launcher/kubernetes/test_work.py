"""A piece of work is followed to its right end whatever its Job's age, and whoever else follows it."""

import json
from typing import Any

import pytest

from ctiforge.launcher.backend import Outcome
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.refusals import ClusterError, explain
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded
from tests.unit.launcher.kubernetes.cases import after
from tests.unit.launcher.kubernetes.scripted import KEY, ScriptedCluster, Step

HOURS = 3 * 3600
SHORT = {"ctiforge.io/pending-timeout": "25", "ctiforge.io/node-lost-timeout": "25"}
"""Every limit passes in the time of a step; a Job is hours old."""


def pending(name: str = "a", attempt: int = 1, **more: Any) -> Step:
    return lambda cluster: cluster.put_pod(
        attempt, name, "Pending", {"waiting": {"reason": "ContainerCreating"}}, **more
    )


def running(name: str = "a", attempt: int = 1) -> Step:
    return lambda cluster: cluster.put_pod(attempt, name, "Running", {"running": {"startedAt": now(cluster)}})


def ended(code: int, name: str = "a", attempt: int = 1, reason: str = "Error") -> Step:
    phase = "Succeeded" if code == 0 else "Failed"
    times = {"startedAt": after(0).isoformat(), "finishedAt": after(1).isoformat()}
    state = {"terminated": {"exitCode": code, "reason": reason, **times}}
    return lambda cluster: cluster.put_pod(attempt, name, phase, state)


def killed(name: str = "a", attempt: int = 1) -> Step:
    return ended(137, name, attempt, reason="OOMKilled")


def job(attempt: int = 1, **status: Any) -> Step:
    return lambda cluster: cluster.job_with(attempt, **status)


def gone(name: str, attempt: int = 1) -> Step:
    return lambda cluster: cluster.found["pods"].pop(f"{KEY}-{attempt}-{name}")


def arguments_of(cluster: ScriptedCluster, attempt: int) -> list[str]:
    found: list[str] = cluster.found["jobs"][f"{KEY}-{attempt}"]["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


def now(cluster: ScriptedCluster) -> str:
    return cluster.now().isoformat()


def done(outcome: Outcome) -> Outcome:
    assert (outcome.exit_code, outcome.cause) == (0, None), outcome
    return outcome


ENDS_WELL = (running("b"), 40, ended(0, "b"))


@pytest.mark.parametrize(
    "disturbance",
    [
        # evicted and saved: Kubernetes' own pause is longer than the limit
        pytest.param((ended(75), 60, pending("b"), 20), id="eviction"),
        pytest.param((ended(1), job(failed=1), 60, pending("b"), 20), id="crash"),
        pytest.param((gone("a"), 60, pending("b"), 20), id="pod deleted by force"),
        pytest.param(
            (lambda c: c.suspend(1, True), gone("a"), HOURS, lambda c: c.suspend(1, False), 20, pending("b"), 20),
            id="suspended for hours and resumed",
        ),
        pytest.param(
            (ended(75), pending("b", schedulingGates=[{"name": "queue"}]), HOURS, pending("b"), 20),
            id="queued for hours",
        ),
    ],
)
def test_what_disturbs_an_old_job_does_not_end_it(disturbance: tuple[Step | float, ...]) -> None:
    cluster = ScriptedCluster(pending(), 10, running(), HOURS, *disturbance, *ENDS_WELL)
    outcome = done(cluster.follow(limits=SHORT))
    assert outcome.attempts == 1
    assert cluster.calls == ["create 1"]


def test_a_suspended_job_is_told_with_who_holds_it() -> None:
    cluster = ScriptedCluster(lambda c: c.suspend(1, True), 10, lambda c: c.suspend(1, False), pending("b"), *ENDS_WELL)
    done(cluster.follow())
    assert any("it is suspended" in line and "not counted" in line for line in cluster.said)


def test_why_a_queue_holds_a_job_is_told_and_told_anew_when_the_reason_is_another() -> None:
    def tell(cluster: ScriptedCluster, reason: str, *more: Any) -> None:
        metadata = {"name": "job-x", "ownerReferences": [{"uid": f"uid-{KEY}-1"}]}
        reserved = {"type": "QuotaReserved", "status": "False", "reason": reason, "message": "1 more needed"}
        value = {"metadata": metadata, "spec": {"queueName": "gpus"}, "status": {"conditions": [reserved, *more]}}
        cluster.changes.queue.append(Changed("workloads", "job-x", value))

    evicted = {"type": "Evicted", "status": "True", "reason": "Preempted"}
    cluster = ScriptedCluster(
        lambda c: c.suspend(1, True),
        lambda c: tell(c, "Pending"),
        HOURS,
        lambda c: tell(c, "Pending", evicted),
        10,
        lambda c: c.suspend(1, False),
        pending("b"),
        *ENDS_WELL,
    )
    done(cluster.follow(limits=SHORT))
    told = [line for line in cluster.said if "queue gpus" in line]
    assert len(told) == 2, cluster.said
    assert "1 more needed" in told[0]
    assert "made room for other work" in told[1]


def test_events_that_lack_what_is_read_of_them_end_nothing() -> None:
    def odd(cluster: ScriptedCluster) -> None:
        for number, event in enumerate(
            [
                {"involvedObject": {"name": f"{KEY}-1-a"}},
                {"regarding": {"name": f"{KEY}-1-a"}, "note": "of the newer API", "reason": None},
                {"message": "about nothing"},
            ]
        ):
            cluster.changes.queue.append(Changed("events", f"e{number}", {"metadata": {"name": f"e{number}"}, **event}))

    done(ScriptedCluster(pending(), odd, 5, *ENDS_WELL).follow(limits=SHORT))


def test_nodes_that_refuse_the_pods_are_no_crashes_of_the_program() -> None:
    def refused(name: str, attempt: int = 1) -> Step:
        def put(cluster: ScriptedCluster) -> None:
            cluster.put_pod(attempt, name, "Failed")
            cluster.found["pods"][f"{KEY}-{attempt}-{name}"]["status"]["reason"] = "UnexpectedAdmissionError"

        return put

    given_up = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    cluster = ScriptedCluster(refused("a"), refused("b"), job(failed=7, conditions=[given_up]), 5)
    cluster.steps.extend([pending("c", 2), 5, running("c", 2), ended(0, "c", 2)])
    outcome = done(cluster.follow())
    assert outcome.attempts == 2
    assert any("its program never ran" in line for line in cluster.said)


def test_a_node_that_is_started_again_is_no_crash_of_the_program() -> None:
    def restarted(cluster: ScriptedCluster) -> None:
        times = {"startedAt": after(0).isoformat(), "finishedAt": after(9).isoformat()}
        cluster.put_pod(1, "a", "Failed", {"terminated": {"exitCode": 255, "reason": "Unknown", **times}})

    given_up = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    cluster = ScriptedCluster(running(), 5, restarted, job(failed=1, conditions=[given_up]), 5)
    cluster.steps.extend([pending("b", 2), 5, running("b", 2), ended(0, "b", 2)])
    outcome = done(cluster.follow())
    assert outcome.attempts == 2
    assert outcome.interruptions == {"node restarted": 1}
    assert not any("crashed" in line for line in cluster.said)


def test_an_api_that_is_silent_is_told_and_so_is_its_return() -> None:
    def silent(cluster: ScriptedCluster) -> None:
        cluster.silent_since = cluster.seconds

    def back(cluster: ScriptedCluster) -> None:
        cluster.silent_since = None

    done(ScriptedCluster(pending(), 5, running(), 10, silent, 60, back, 5, ended(0)).follow(limits=SHORT))
    cluster = ScriptedCluster(pending(), 5, running(), 10, silent, 10, back, 5, ended(0))
    done(cluster.follow(limits=SHORT))
    assert not any("has not answered" in line for line in cluster.said), "shorter than anybody cares"
    cluster = ScriptedCluster(pending(), 5, running(), 10, silent, 60, back, 5, ended(0))
    done(cluster.follow(limits=SHORT))
    told = [line for line in cluster.said if "API" in line]
    assert len(told) == 2
    assert "has not answered for 16 s: what runs there goes on" in told[0]
    assert "answers again, after 6" in told[1]


RUNS_ON: dict[str, Any] = {"running": {}}


def ended_beside_a_sidecar(code: int, name: str = "a", attempt: int = 1, beside: dict[str, Any] = RUNS_ON) -> Step:
    """The program has ended, and a proxy that a webhook put in runs on: to Kubernetes the pod runs."""

    def put(cluster: ScriptedCluster) -> None:
        times = {"startedAt": after(0).isoformat(), "finishedAt": after(1).isoformat()}
        cluster.put_pod(attempt, name, "Running", {"terminated": {"exitCode": code, "reason": "Error", **times}})
        statuses = cluster.found["pods"][f"{KEY}-{attempt}-{name}"]["status"]["containerStatuses"]
        statuses.append({"name": "proxy", "state": beside})

    return put


def test_a_finished_program_that_a_sidecar_keeps_frees_its_place() -> None:
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended_beside_a_sidecar(0), 40)
    done(cluster.follow())
    assert cluster.calls == ["create 1", "delete 1"]
    assert 15 <= cluster.seconds - 15 <= 30, "seconds after its end"
    assert any("proxy keeps the pod" in line for line in cluster.said)


def test_a_sidecar_without_an_image_keeps_no_finished_pod() -> None:
    no_image = {"waiting": {"reason": "ImagePullBackOff"}}
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended_beside_a_sidecar(0, beside=no_image), 40)
    done(cluster.follow())
    assert cluster.calls == ["create 1", "delete 1"]
    assert any("proxy keeps the pod" in line for line in cluster.said)


def test_a_program_that_is_done_is_not_run_again_because_a_sidecar_failed() -> None:
    failed = {"terminated": {"exitCode": 7}}
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended_beside_a_sidecar(0, beside=failed), 5)
    done(cluster.follow())
    assert cluster.calls == ["create 1", "delete 1"]
    assert any("its program ended well, proxy did not (exit code 7)" in line for line in cluster.said)


def test_a_sidecar_that_ends_by_itself_is_left_to_do_so() -> None:
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended_beside_a_sidecar(0), 5, ended(0), 40)
    done(cluster.follow())
    assert cluster.calls == ["create 1"]


def beside_a_native_sidecar(phase: str, sidecar: dict[str, Any]) -> Step:
    """The program has ended well, beside an init container that runs as long as it does."""

    def put(cluster: ScriptedCluster) -> None:
        times = {"startedAt": after(0).isoformat(), "finishedAt": after(1).isoformat()}
        beside = {
            "initContainers": [{"name": "proxy", "restartPolicy": "Always"}],
            "terminationGracePeriodSeconds": 600,
        }
        cluster.put_pod(1, "a", phase, {"terminated": {"exitCode": 0, **times}}, **beside)
        cluster.found["pods"][f"{KEY}-1-a"]["status"]["initContainerStatuses"] = [{"name": "proxy", "state": sidecar}]

    return put


def test_a_native_sidecar_that_does_not_listen_is_named_with_how_long_it_keeps_the_pod() -> None:
    cluster = ScriptedCluster(pending(), 5, running(), 10, beside_a_native_sidecar("Running", RUNS_ON), 40)
    done(cluster.follow())
    assert cluster.calls == ["create 1"], "Kubernetes has told it to end: a deletion would not be quicker"
    assert 15 <= cluster.seconds - 15 <= 30, "seconds after its end"
    [told] = [line for line in cluster.said if "proxy" in line]
    assert told.startswith(
        f"pod {KEY}-1-a: its program has ended, and proxy, told to end, keeps the pod, and its GPU, for at most 600 s"
    )
    assert told.endswith("terminationGracePeriodSeconds")


def test_a_native_sidecar_that_ends_is_not_spoken_of() -> None:
    steps = [beside_a_native_sidecar("Running", RUNS_ON), 5]
    steps += [beside_a_native_sidecar("Succeeded", {"terminated": {"exitCode": 143}}), 40]
    cluster = ScriptedCluster(pending(), 5, running(), 10, *steps)
    done(cluster.follow())
    assert not [line for line in cluster.said if "proxy" in line]


@pytest.mark.parametrize("code", [1, 75])
def test_what_ended_beside_a_living_sidecar_is_tried_again(code: int) -> None:
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended_beside_a_sidecar(code), 20)
    cluster.steps.extend([pending("b", 2), 5, running("b", 2), ended(0, "b", 2)])
    outcome = done(cluster.follow())
    assert outcome.attempts == 2
    assert cluster.calls == ["create 1", "create 2", "delete 1"]


def test_crashes_beside_a_sidecar_are_as_many_as_retries_are() -> None:
    steps: list[Step | float] = []
    for attempt in range(1, 8):
        steps += [running("a", attempt), 5, ended_beside_a_sidecar(139, "a", attempt), 20]
    outcome = ScriptedCluster(*steps).follow()
    assert outcome.exit_code == 139
    assert outcome.cause
    assert outcome.cause.category == "crashed"
    assert outcome.attempts == 7, "six retries, as the template says"


def test_a_refused_command_beside_a_sidecar_ends_the_run_and_its_job() -> None:
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended_beside_a_sidecar(2), 5)
    outcome = cluster.follow()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (2, "usage error")
    assert cluster.calls == ["create 1", "delete 1"]


def test_the_last_words_of_an_init_container_are_read_from_its_own_log() -> None:
    def fails(cluster: ScriptedCluster) -> None:
        cluster.put_pod(1, "a", "Failed")
        status = cluster.found["pods"][f"{KEY}-1-a"]["status"]
        terminated = {"exitCode": 3, "reason": "Error", "finishedAt": after(1).isoformat()}
        status["initContainerStatuses"] = [{"name": "vault", "state": {"terminated": terminated}}]

    given_up = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    cluster = ScriptedCluster(fails, 5, job(failed=7, conditions=[given_up]))
    cluster.logs["vault"] = ["2026-01-01T00:00:00Z permission denied"]
    outcome = cluster.follow()
    assert outcome.exit_code == 4
    assert outcome.cause
    assert "init container vault failed (exit code 3)" in outcome.cause.summary
    assert outcome.cause.detail == "permission denied"


def test_a_log_that_may_not_be_read_is_told() -> None:
    def refuses(cluster: ScriptedCluster) -> None:
        cluster.changes.queue.append(LogEnded(f"{KEY}-1-a", "pods/log is forbidden"))

    cluster = ScriptedCluster(pending(), 5, running(), refuses, 5, ended(0))
    done(cluster.follow())
    assert "what the program says is not shown: pods/log is forbidden" in cluster.said


@pytest.mark.parametrize("is_backing_off", [True, False])
def test_a_sidecar_before_the_program_that_fails_again_and_again_is_named(is_backing_off: bool) -> None:
    def fails(cluster: ScriptedCluster) -> None:
        cluster.put_pod(1, "a", "Pending", {"waiting": {"reason": "PodInitializing"}})
        cluster.found["pods"][f"{KEY}-1-a"]["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
        status = cluster.found["pods"][f"{KEY}-1-a"]["status"]
        waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
        end = {"terminated": {"exitCode": 7, "reason": "Error", "finishedAt": after(1).isoformat()}}
        proxy = {"state": waits, "lastState": end} if is_backing_off else {"state": end, "lastState": {}}
        status["initContainerStatuses"] = [{"name": "proxy", "started": False, **proxy}]

    cluster = ScriptedCluster(fails, 30)
    cluster.logs["proxy"] = ["2026-01-01T00:00:00Z no certificate"]
    outcome = cluster.follow(limits=SHORT)
    assert outcome.exit_code == 4
    assert outcome.cause
    assert "init container proxy failed (exit code 7), and is started again" in outcome.cause.summary
    assert outcome.cause.detail == "no certificate"


def test_a_job_that_was_cleared_away_when_it_was_done_is_no_lost_one() -> None:
    def cleared(cluster: ScriptedCluster) -> None:
        cluster.delete_job(f"{KEY}-1")
        cluster.is_made = True

    done(ScriptedCluster(pending(), 5, running(), 10, cleared, 120).follow())


def refusal(status: int, said: str) -> ClusterError:
    return ClusterError(explain("create job a", "ml", status, json.dumps({"message": said})), status)


@pytest.mark.parametrize(
    ("status", "said", "detail", "remedy"),
    [
        (
            403,
            "jobs.batch a is forbidden: ValidatingAdmissionPolicy 'cost' with binding 'cost' denied request: kein Ort",
            "denied request: kein Ort",
            "the policy cost refuses it: give the chart's values what it asks for",
        ),
        (403, 'jobs.batch is forbidden: User "bob" cannot create resource', 'User "bob" cannot create', "rbac.users"),
        (422, "Job.batch a is invalid: spec.suspend: Forbidden", "spec.suspend: Forbidden", "helm upgrade --install"),
        (400, "json: unknown field", "json: unknown field", "mend what it names in the chart's values"),
    ],
)
def test_a_job_that_the_cluster_does_not_take_is_a_failure_with_its_cause(
    status: int, said: str, detail: str, remedy: str
) -> None:
    cluster = ScriptedCluster()
    cluster.refusal = refusal(status, said)
    outcome = cluster.follow()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (2, "admission refused")
    assert outcome.cause
    assert detail in outcome.cause.detail
    assert remedy in outcome.cause.remedy
    assert remedy not in outcome.cause.detail


@pytest.mark.parametrize("status", [401, 404, 409, 500])
def test_what_may_pass_or_is_about_the_launcher_is_no_failure_of_the_work(status: int) -> None:
    cluster = ScriptedCluster()
    cluster.refusal = refusal(status, "not now")
    with pytest.raises(ClusterError, match="not now"):
        cluster.follow()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (refusal(403, "unable to create new content in namespace ml because it is being terminated"), "namespace ml"),
        (refusal(404, 'namespaces "ml" not found'), "it was deleted with its namespace ml"),
        (refusal(403, "no room"), "it was deleted"),
        (None, "it was deleted"),
    ],
)
def test_a_job_that_went_with_its_namespace_is_told_so(said: ClusterError | None, words: str) -> None:
    def gone(cluster: ScriptedCluster) -> None:
        cluster.delete_job(f"{KEY}-1")
        cluster.refusal, cluster.is_alone = said, True

    outcome = ScriptedCluster(pending(), 5, running(), 10, gone, 120).follow()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (75, "job deleted")
    assert outcome.cause
    assert outcome.cause.summary.endswith(words)
    assert ("install the release again" in outcome.cause.remedy) == ("namespace ml" in words)


def test_what_interrupted_a_program_is_counted_by_its_cause() -> None:
    cluster = ScriptedCluster(pending(), 5, running(), 10, ended(75), 20, running("b"), 10, killed("b"))
    cluster.steps.extend([5, running("c", 2), 10, ended(1, "c", 2), 20, running("d", 2), 5, ended(0, "d", 2)])
    outcome = done(cluster.follow())
    assert outcome.interruptions == {"interrupted": 1, "out of memory": 1, "crashed": 1}


def test_a_pod_that_an_eviction_took_away_is_counted() -> None:
    """It is deleted, so that no list has it when the work ends."""

    def evicted(cluster: ScriptedCluster) -> None:
        target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        ended = {"terminated": {"exitCode": 75, "startedAt": after(0).isoformat(), "finishedAt": after(9).isoformat()}}
        cluster.put_pod(1, "a", "Failed", ended, conditions=[target])

    def taken(cluster: ScriptedCluster) -> None:
        del cluster.found["pods"][f"{KEY}-1-a"]

    outcome = done(ScriptedCluster(running(), 10, evicted, 2, taken, 10, running("b"), 10, ended(0, "b")).follow())
    assert outcome.interruptions == {"evicted": 1}


def test_a_pod_that_was_deleted_by_force_is_counted_as_killed() -> None:
    """Nothing tells how its program ended: it is gone in the moment in which it was deleted."""

    def forced(cluster: ScriptedCluster) -> None:
        deletion = {"deletionTimestamp": now(cluster), "deletionGracePeriodSeconds": 0}
        cluster.put_pod(1, "a", "Running", {"running": {"startedAt": after(0).isoformat()}}, metadata=deletion)

    outcome = done(ScriptedCluster(running(), 10, forced, 1, gone("a"), 10, running("b"), 10, ended(0, "b")).follow())
    assert outcome.interruptions == {"killed": 1}


def test_a_pod_that_really_waits_too_long_ends_the_run_with_its_reason() -> None:
    outcome = ScriptedCluster(pending(), 30).follow(limits=SHORT)
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "pending too long")
    assert outcome.cause
    assert "within 25 s" in outcome.cause.summary
    assert "launcher.pendingTimeout" in outcome.cause.remedy


def test_a_state_that_was_told_long_ago_is_read_again_before_anything_is_deleted() -> None:
    def fall_behind(cluster: ScriptedCluster) -> None:
        cluster.stale = True
        running()(cluster)

    cluster = ScriptedCluster(pending(), fall_behind, 600, ended(0))
    cluster.steps.append(lambda c: setattr(c, "stale", False))
    done(cluster.follow(limits=SHORT))
    assert cluster.calls == ["create 1"]


def test_a_watch_that_lags_does_not_take_back_what_was_read_since() -> None:
    def lag(cluster: ScriptedCluster) -> None:
        told_late.extend(cluster.news())
        cluster.stale = True

    def catch_up(cluster: ScriptedCluster) -> None:
        cluster.stale = False
        cluster.changes.queue.extend(told_late)

    told_late: list[Any] = []
    cluster = ScriptedCluster(pending(), 5, pending(), lag, running(), 60, catch_up, 60, ended(0))
    done(cluster.follow(limits=SHORT))
    assert cluster.calls == ["create 1"]


def test_a_launcher_that_was_stopped_past_every_limit_goes_on() -> None:
    def stop(cluster: ScriptedCluster) -> None:
        cluster.seconds += HOURS

    limits = {**SHORT, "ctiforge.io/run-timeout": "600"}
    done(ScriptedCluster(pending(), 5, stop, 5, running(), 60, stop, 60, stop, ended(0)).follow(limits=limits))


def test_the_next_attempt_is_made_before_the_last_is_deleted() -> None:
    cluster = ScriptedCluster(pending(), running(), killed(), running("b", 2), ended(0, "b", 2))
    outcome = done(cluster.follow())
    assert outcome.attempts == 2
    assert cluster.calls == ["create 1", "create 2", "delete 1"]


def test_where_a_quota_refuses_the_next_attempt_the_last_goes_first() -> None:
    cluster = ScriptedCluster(pending(), running(), killed(), 3, running("b", 2), ended(0, "b", 2))
    # the quota is told of a deletion some seconds later
    cluster.refuses = lambda name: name.endswith("-2") and (bool(cluster.found["jobs"]) or cluster.seconds < 6)
    outcome = done(cluster.follow())
    assert outcome.attempts == 2
    assert cluster.calls == ["create 1", "delete 1", "create 2"]


@pytest.mark.parametrize(("attempt", "calls"), [(1, []), (2, ["create 1", "delete 1"])])
def test_a_quota_that_never_has_room_ends_the_run_with_its_reason(attempt: int, calls: list[str]) -> None:
    cluster = ScriptedCluster(pending(), running(), killed(), 70)
    cluster.refuses = lambda name: name.endswith(f"-{attempt}")
    outcome = cluster.follow()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "quota exceeded")
    assert outcome.cause
    assert "exceeded quota: jobs" in outcome.cause.detail
    assert "\n".join(outcome.cause.lines()).count("describe resourcequota") == 1
    assert "a run there takes two" in outcome.cause.remedy
    assert outcome.attempts == attempt - 1
    assert cluster.calls == calls


def test_where_another_launcher_takes_a_quotas_room_its_attempt_is_followed() -> None:
    cluster = ScriptedCluster(
        pending(), running(), killed(), 10, lambda c: replaced(c, c.kept), running("b", 2), 30, ended(0, "b", 2)
    )

    def refuses(name: str) -> bool:
        cluster.kept = cluster.found["jobs"].get(f"{KEY}-1") or cluster.kept
        return name.endswith("-2")

    cluster.refuses = refuses
    assert done(cluster.follow()).attempts == 2
    assert cluster.calls == ["create 1", "delete 1"]


def test_a_job_that_completes_as_its_limit_passes_is_done() -> None:
    def completed(cluster: ScriptedCluster) -> None:
        cluster.stale = True
        cluster.job_with(1, conditions=[{"type": "Complete", "status": "True"}])

    cluster = ScriptedCluster(pending(), running(), 27, completed, 60)
    outcome = cluster.follow(limits={"ctiforge.io/run-timeout": "30"})
    assert outcome.exit_code == 0
    assert cluster.calls == ["create 1"]


def test_an_init_container_that_never_ends_is_named_under_a_short_limit() -> None:
    def begins(cluster: ScriptedCluster) -> None:
        pending(nodeName="node")(cluster)
        (pod,) = cluster.found["pods"].values()
        pod["status"]["initContainerStatuses"] = [{"name": "wait-for-db", "state": {"running": {}}}]

    outcome = ScriptedCluster(begins, 90).follow(limits={"ctiforge.io/pending-timeout": "30"})
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "pending too long")
    assert outcome.cause
    assert outcome.cause.summary.endswith(
        "its init container wait-for-db still runs; its pod did not start within 30 s"
    )
    assert "-c wait-for-db" in outcome.cause.remedy


def test_a_limit_ends_a_running_program_without_waiting_for_its_last_words() -> None:
    cluster = ScriptedCluster(pending(), running(), 60)
    outcome = cluster.follow(limits={"ctiforge.io/run-timeout": "30"})
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "ran too long")
    assert cluster.seconds < 36


def replaced(cluster: ScriptedCluster, first: Object | None = None) -> None:
    """Another launcher starts attempt 2 and deletes the first."""
    made = dict(first or cluster.found["jobs"][f"{KEY}-1"])
    metadata = {
        **made["metadata"],
        "name": f"{KEY}-2",
        "uid": f"uid-{KEY}-2",
        "labels": {**made["metadata"]["labels"], "ctiforge.io/attempt": "2"},
        "annotations": {"ctiforge.io/crashes-before": "5"},
    }
    template = {"spec": {"containers": [{"name": "stage", "args": ["train_extract", "--batch-size=4"]}]}}
    cluster.put_job({**made, "metadata": metadata, "spec": {**made["spec"], "template": template}, "status": {}})


def test_an_attempt_that_another_launcher_made_in_the_room_that_a_quota_left_is_followed() -> None:
    def replace(cluster: ScriptedCluster) -> None:
        cluster.found["jobs"].update(kept)
        replaced(cluster)
        del cluster.found["jobs"][f"{KEY}-1"]

    kept: dict[str, Any] = {}
    keep = (running(), lambda c: kept.update(c.found["jobs"]))
    cluster = ScriptedCluster(pending(), *keep, killed(), 5, replace, running("b", 2), 90, ended(0, "b", 2))
    cluster.refuses = lambda name: name.endswith("-2")
    assert done(cluster.follow()).attempts == 2
    assert cluster.calls == ["create 1", "delete 1"]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((replaced, lambda c: c.delete_job(f"{KEY}-1")), id="created first"),
        pytest.param((replaced, 10, lambda c: c.delete_job(f"{KEY}-1")), id="both there for a while"),
        pytest.param((lambda c: (replaced(c), c.delete_job(f"{KEY}-1")),), id="at once"),
        pytest.param(
            (lambda c: setattr(c, "kept", dict(c.found["jobs"])), lambda c: c.delete_job(f"{KEY}-1"), 55,
             lambda c: (c.found["jobs"].update(c.kept), replaced(c), c.found["jobs"].pop(f"{KEY}-1"))),
            id="a gap, where a quota made the first go first",
        ),
    ],
)  # fmt: skip
def test_another_launchers_attempt_is_followed(steps: tuple[Step | float, ...]) -> None:
    cluster = ScriptedCluster(running(), *steps, running("b", 2), 30, ended(0, "b", 2))
    assert done(cluster.follow()).attempts == 2


def test_who_follows_goes_on_with_the_other_launchers_micro_batch_and_count_of_crashes() -> None:
    cluster = ScriptedCluster(running(), replaced, killed("b", 2), running("c", 3), ended(0, "c", 3))
    done(cluster.follow())
    assert "--batch-size=2" in arguments_of(cluster, 3)
    assert cluster.found["jobs"][f"{KEY}-3"]["metadata"]["annotations"]["ctiforge.io/crashes-before"] == "5"


def test_a_run_that_is_started_again_after_a_halved_attempt_failed_asks_for_its_own_micro_batch() -> None:
    def fail(cluster: ScriptedCluster) -> None:
        ended(2, "b", 2)(cluster)
        cluster.job_with(2, conditions=[{"type": "Failed", "status": "True"}])

    cluster = ScriptedCluster(pending(), running(), killed(), running("b", 2), fail)
    assert cluster.follow().exit_code == 2
    assert "--batch-size=4" in arguments_of(cluster, 2)
    cluster.steps.extend((running("c", 3), ended(0, "c", 3)))
    done(cluster.follow())
    assert "--batch-size=8" in arguments_of(cluster, 3)
    assert not any(each.startswith("--gradient-accumulation-steps") for each in arguments_of(cluster, 3))


def test_a_job_that_is_deleted_and_never_replaced_ends_the_run_with_its_reason() -> None:
    outcome = ScriptedCluster(running(), lambda c: c.delete_job(f"{KEY}-1"), 90).follow()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (75, "job deleted")


def test_where_no_other_launcher_lives_a_deleted_job_is_told_within_seconds() -> None:
    cluster = ScriptedCluster(running(), 10, lambda c: c.delete_job(f"{KEY}-1"), 90)
    cluster.is_alone = True
    outcome = cluster.follow()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (75, "job deleted")
    assert cluster.seconds < 18


def test_what_a_watch_says_is_gone_is_not_where_a_list_has_it() -> None:
    def mislead(cluster: ScriptedCluster) -> None:
        cluster.changes.queue.append(Changed("jobs", f"{KEY}-1", None))

    cluster = ScriptedCluster(running(), *[mislead] * 20, 30, ended(0))
    cluster.is_alone = True
    assert done(cluster.follow()).attempts == 1


def test_a_job_that_comes_again_is_asked_about_anew_when_it_is_gone_again() -> None:
    def put(cluster: ScriptedCluster) -> None:
        cluster.found["jobs"].update(kept)

    def others(live: bool) -> Step:
        return lambda c: setattr(c, "is_alone", not live)

    kept: dict[str, Any] = {}
    remove: Step = lambda c: c.delete_job(f"{KEY}-1")  # noqa: E731
    begin = (pending(), running(), lambda c: kept.update(c.found["jobs"]), others(False), remove, 2, put)
    cluster = ScriptedCluster(*begin, 10, others(True), remove, 60, put, running("b"), 5, ended(0, "b"))
    done(cluster.follow())


def test_an_attempt_that_a_launcher_left_between_creating_and_deleting_is_cleared_away() -> None:
    first = ScriptedCluster(pending(), running(), ended(0))
    first.follow()
    cluster = ScriptedCluster(running("b", 2), ended(0, "b", 2))
    for attempt in ("1", "2"):
        (left,) = first.found["jobs"].values()
        labels = {**left["metadata"]["labels"], "ctiforge.io/attempt": attempt}
        name = f"{KEY}-{attempt}"
        cluster.put_job(
            {**left, "metadata": {**left["metadata"], "name": name, "uid": f"uid-{name}", "labels": labels}}
        )
    done(cluster.follow())
    assert cluster.calls == ["delete 1"]


def test_the_runs_limit_holds_over_pods_attempts_and_stages() -> None:
    limits = {**SHORT, "ctiforge.io/run-timeout": "100"}
    script = (
        pending(),
        20,
        running(),
        30,
        ended(75),
        15,
        pending("b"),
        20,
        running("b"),
        30,
        ended(137, "b", reason="OOMKilled"),
    )
    well = ScriptedCluster(*script, running("c", 2), 15, ended(0, "c", 2)).follow(limits=limits)
    assert 75 <= done(well).ran_s <= 85
    outcome = ScriptedCluster(*script, running("c", 2), 60).follow(limits=limits)
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "ran too long")
    assert 100 < outcome.ran_s < 105
    # what other stages of the run took counts too
    outcome = ScriptedCluster(pending(), running(), 60).follow(limits=limits, ran_before_s=80)
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "ran too long")
    assert 20 < outcome.ran_s < 25
    late = ScriptedCluster()
    outcome = late.follow(limits=limits, ran_before_s=101)
    assert (outcome.exit_code, late.calls) == (4, [])


def test_a_limit_of_ours_ends_no_job_of_another_run() -> None:
    theirs = ScriptedCluster(pending(), running(), ended(0))
    theirs.follow(run="theirs")
    ours = ScriptedCluster(running(), 60)
    for job_ in theirs.found["jobs"].values():
        ours.put_job(job_)
    outcome = ours.follow(run="ours", limits={"ctiforge.io/run-timeout": "30"})
    assert (outcome.exit_code, ours.calls) == (4, [])
    assert any("theirs's, and goes on" in line for line in ours.said)


def test_who_comes_back_to_its_own_job_counts_what_ran_meanwhile() -> None:
    first = ScriptedCluster(pending(), running(), ended(0))
    first.follow()
    second = ScriptedCluster(running(), 60)
    (left,) = first.found["jobs"].values()
    left["metadata"]["annotations"]["ctiforge.io/ran-before"] = "50"
    second.put_job(left)
    second.seconds = 30
    second.put_pod(1, "a", "Running", {"running": {"startedAt": after(0).isoformat()}})
    outcome = second.follow(limits={"ctiforge.io/run-timeout": "100"})
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "ran too long")
    assert second.seconds < 60


def test_what_was_seen_to_run_counts_after_a_restart_although_its_pod_is_gone() -> None:
    def leave(cluster: ScriptedCluster) -> None:
        raise KeyboardInterrupt

    limits = {"ctiforge.io/run-timeout": "100"}
    first = ScriptedCluster(pending(), 10, running(), 60, ended(75), gone("a"), 5, pending("b"), 5, leave)
    with pytest.raises(KeyboardInterrupt):
        first.follow(limits=limits)
    seen_s = first.ran[-1]
    assert 55 <= seen_s <= 65
    assert first.ran == sorted(first.ran)
    assert 2 < len(first.ran) < 10, "told at changes of state, not at each look"

    second = ScriptedCluster(pending("b"), running("b"), 60)
    (left,) = first.found["jobs"].values()
    second.put_job(left)
    outcome = second.follow(limits=limits, seen_s=seen_s)
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "ran too long")
    assert 100 < outcome.ran_s < 105
    outcome = ScriptedCluster().follow(limits=limits, seen_s=101)
    assert (outcome.exit_code, outcome.ran_s) == (4, 101), "the next try knows of it too"


def test_crashes_are_bounded_over_attempts_and_the_end_has_its_reason() -> None:
    limits = {**SHORT}
    steps: list[Step | float] = [running(), ended(1), job(failed=4), 30]
    steps += [running("b", 2), ended(1, "b", 2), job(2, failed=3), 5]
    cluster = ScriptedCluster(*steps)
    outcome = cluster.follow(limits=limits)
    assert (outcome.exit_code, outcome.attempts) == (1, 2)
    assert outcome.cause
    assert outcome.cause.category == "crashed"
