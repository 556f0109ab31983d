"""What interrupts a Job that is older than every limit does not end it; printed as a table (`make prove-faults`).

Limits are scaled to seconds: each fault comes when all of them have passed since the Job was made.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from benchmarks.development_cluster import add_small_test_set
from ctiforge.launcher.backend import Outcome
from ctiforge.store.runs import load_run
from ctiforge.tables import print_tables, table_of, wide_console
from tests.cluster.conftest import WORKER, Following, Place, articles_locked, kubectl, pods_of
from tests.cluster.test_launcher import LINE, cancel, load_harvest_job, read_until
from tests.cluster.training import LIMIT_S, LIMITS, Prepared, training_pod, weights

RUN_S = 30
"""A run's limit, over all its pods."""
DONE = ("wait", "job", "--all", "--for=condition=Complete")


@dataclass
class Faults:
    """What was done to Jobs, and what came of it."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    @contextmanager
    def watched(self, what: str, place: Place, following: list[Following]) -> Iterator[None]:
        """Note the fault that is done inside, and how each launcher ends."""
        age, begun = _age_of_job(place), time.monotonic()
        assert age > LIMIT_S, "the limits have not passed yet"
        yield
        for each in following:
            seconds = time.monotonic() - begun
            self.rows.append((what, f"{age:.0f}", *_words(place, each), f"{seconds:.0f}"))


@pytest.fixture(scope="module")
def faults(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """The table of the faults, printed when all are done."""
    faults = Faults()
    yield faults
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        heads = ("fault", "Job's age, s", "exit", "attempts", "made", "cause", "s to the end")
        table = table_of(heads, faults.rows, caption=f"every limit {LIMIT_S} s", left=(0, -2))
        print_tables([table], wide_console(170))


def evict(place: Place, pod: str) -> None:
    place.evict(pod)


def crash(place: Place, pod: str) -> None:
    """Kill the program, as a fault of a library would, and nothing else of the pod."""
    first = "min(int(x) for x in os.listdir('/proc') if x.isdigit() and int(x) not in (1, os.getpid()))"
    script = f"import os, signal; os.kill({first}, signal.SIGSEGV)"
    # what kills may end with what it kills, and then has an exit code of its own
    kubectl("exec", pod, "--", "python", "-c", script, namespace=place.namespace, check=False)
    failed = "--for=jsonpath={.status.phase}=Failed"
    kubectl("wait", "pod", pod, failed, "--timeout=60s", namespace=place.namespace)


def suspend_and_resume(place: Place, pod: str) -> None:
    """Hold the Job as a queue does, for longer than every limit."""
    (job,) = [name for name in place.jobs() if name.startswith("train")]
    hold = ("patch", "job", job, "--type=merge", "-p")
    kubectl(*hold, '{"spec":{"suspend":true}}', namespace=place.namespace)
    kubectl("wait", "pod", pod, "--for=delete", "--timeout=120s", namespace=place.namespace)
    let_the_limits_pass(place)
    kubectl(*hold, '{"spec":{"suspend":false}}', namespace=place.namespace, check=False)


def let_the_limits_pass(place: Place) -> None:
    """Look for longer than every limit whether the place's one Job is done, which it is not."""
    assert not kubectl(*DONE, f"--timeout={2 * LIMIT_S}s", namespace=place.namespace, check=False)


@pytest.mark.prove
@pytest.mark.parametrize("fault", [evict, crash, suspend_and_resume])
def test_an_old_job_goes_on(
    place: Place, prepared: Prepared, faults: Faults, fault: Callable[[Place, str], None]
) -> None:
    place.install(*LIMITS)
    with place.following("train_extract", *prepared.arguments, fingerprint=prepared.fingerprint) as following:
        place.wait_until_done(25)
        with faults.watched(fault.__name__.replace("_", " "), place, [following]):
            fault(place, training_pod(place, "train_extract"))
            following.thread.join(300)
    outcome = following.wait()
    assert outcome.exit_code == 0, outcome
    assert outcome.attempts == 1, "Kubernetes itself makes the next pod"
    assert weights(place.store, outcome) == prepared.weights
    assert len(place.jobs()) == 1


def test_a_lost_node_with_two_launchers(place: Place, lasting: Place, faults: Faults) -> None:
    undisturbed = lasting.harvest(run="clock")
    on_workers = '{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":100,"preference":'
    on_workers += '{"matchExpressions":[{"key":"node-role.kubernetes.io/control-plane","operator":"DoesNotExist"}]}}]}}'
    place.install(*LIMITS, f"stages.harvest_extract.affinity={on_workers}")
    try:
        with ExitStack() as stack:
            both = [stack.enter_context(place.following("harvest_extract", "--from-database")) for _ in range(2)]
            locked = stack.enter_context(ExitStack())
            locked.enter_context(articles_locked())
            pod = place.wait_until_running()
            assert pod["spec"]["nodeName"] == WORKER
            let_the_limits_pass(place)
            with faults.watched("node lost, two launchers", place, both):
                subprocess.run(["docker", "pause", WORKER], check=True, capture_output=True)
                kubectl("wait", f"node/{WORKER}", "--for=condition=Ready=Unknown", "--timeout=180s")
                locked.close()
                for each in both:
                    each.thread.join(300)
    finally:
        subprocess.run(["docker", "unpause", WORKER], check=True, capture_output=True)
        kubectl("wait", f"node/{WORKER}", "--for=condition=Ready", "--timeout=180s")
    outcomes = [each.wait() for each in both]
    assert [(each.exit_code, each.attempts) for each in outcomes] == [(0, 2), (0, 2)], outcomes
    assert undisturbed.made
    assert {each.made and each.made.fingerprint for each in outcomes} == {undisturbed.made.fingerprint}


@pytest.mark.prove
def test_a_launcher_that_stood_still_past_every_limit(place: Place, faults: Faults) -> None:
    place.install(*LIMITS)
    add_small_test_set(place.store)
    with articles_locked():
        launcher = place.ctiforge(*LINE, "--run-id", "asleep")
        kubectl(
            "wait", "pod", "-l", pods_of("harvest_extract"), "--for=create", "--timeout=300s", namespace=place.namespace
        )
        launcher.send_signal(signal.SIGSTOP)
        place.wait_until_running()
        # it runs on while the launcher, which knows it as one that waits, stands still
        let_the_limits_pass(place)
        age, begun = _age_of_job(place), time.monotonic()
        launcher.send_signal(signal.SIGCONT)
        let_the_limits_pass(place)
        load_harvest_job(place)
    try:
        read_until(launcher, "format_extract: started")
    finally:
        launcher.send_signal(signal.SIGTERM)
        launcher.communicate(timeout=60)
        record = load_run(place.store, "asleep")
        harvest = record.stages[0]
        cause = harvest.cause.summary if harvest.cause else "–"
        row = (str(harvest.exit_code), str(harvest.attempts), "–", cause, f"{time.monotonic() - begun:.0f}")
        faults.rows.append(("launcher stopped and continued", f"{age:.0f}", *row))
    assert (record.state, record.reason) == ("interrupted", "the launcher was stopped by SIGTERM")
    cancel(place, "asleep")


def test_a_run_has_one_limit_for_all_its_pods_and_says_so(place: Place, faults: Faults) -> None:
    place.install(f"launcher.pendingTimeout={LIMIT_S}", f"launcher.runTimeout={RUN_S}")
    # it waits for the database, so that it is never done before its limit, however fast or slow the machine is
    with place.following("harvest_extract", "--from-database", run="long") as following, articles_locked():
        pod = place.wait_until_running()["metadata"]["name"]
        assert not kubectl(*DONE, f"--timeout={LIMIT_S}s", namespace=place.namespace, check=False)
        with faults.watched(f"evicted once, run limit {RUN_S} s", place, [following]):
            place.evict(pod)
            following.thread.join(300)
    outcome = following.wait()
    assert (outcome.exit_code, outcome.cause and outcome.cause.category) == (4, "ran too long")
    assert RUN_S <= outcome.ran_s < 1.5 * RUN_S
    assert place.jobs() == []


def _age_of_job(place: Place) -> float:
    """Seconds since the newest Job was made, by the cluster's clock."""
    made = [job["metadata"]["creationTimestamp"] for job in place.cluster.list("jobs")[0]]
    now = json.loads(kubectl("create", "configmap", "now", "--dry-run=server", "-o", "json", namespace=place.namespace))
    then, today = (datetime.fromisoformat(each) for each in (max(made), now["metadata"]["creationTimestamp"]))
    return (today - then).total_seconds()


def _words(place: Place, following: Following) -> tuple[str, str, str, str]:
    """Exit code, attempts, whether weights were made, and the cause."""
    if following.error or following.outcome is None:
        return ("–", "–", "–", str(following.error or "did not end"))
    outcome: Outcome = following.outcome
    made = _result(place, outcome)[:12] if outcome.exit_code == 0 else "–"
    cause = outcome.cause.summary if outcome.cause else "–"
    return (str(outcome.exit_code), str(outcome.attempts), made, cause)


def _result(place: Place, outcome: Outcome) -> str:
    """The weights' hash, or the fingerprint of what is no training."""
    assert outcome.made
    return weights(place.store, outcome) if "train_" in outcome.made.uri else outcome.made.fingerprint
