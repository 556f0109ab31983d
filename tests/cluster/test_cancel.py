"""Runs that are cancelled, looked at and followed: scheduled ones, and ones that share a Job."""

import signal
import subprocess

import pytest

from benchmarks.development_cluster import add_small_test_set
from ctiforge.store.launcher_note import launchers_alive
from ctiforge.store.runs import load_run
from tests.cluster.conftest import RELEASE, Place, articles_locked, kubectl
from tests.cluster.test_launcher import cancel, read_until

LONG = ("run", "extract", "--set", "train_extract.max_steps=5000", "--set", "train_extract.epochs=1")
"""It is cancelled long before it is done."""


def test_a_scheduled_run_ends_with_its_launcher(place: Place) -> None:
    add_small_test_set(place.store)
    place.install("retrain.extract.enabled=true")
    with articles_locked():
        template = f"cronjob/{RELEASE}-retrain-extract"
        kubectl("create", "job", "nightly", f"--from={template}", namespace=place.namespace)
        place.wait_until_running()
        assert place.cluster.job("nightly")
        assert "nightly  running" in said(place, "status", "nightly")
        assert "2 Jobs deleted, no pod of them is left" in said(place, "cancel", "nightly")
    assert (place.jobs(), place.pods("ctiforge.io/run=nightly"), place.pods("job-name=nightly")) == ([], [], [])
    assert load_run(place.store, "nightly").state == "cancelled"
    assert "nightly  cancelled" in said(place, "status", "nightly")


@pytest.mark.prove
def test_a_shared_job_goes_on_until_the_last_run_that_follows_it_is_cancelled(place: Place) -> None:
    add_small_test_set(place.store)
    mine = place.ctiforge(*LONG, "--run-id", "mine")
    read_until(mine, "train_extract: started")
    pod = place.wait_until_running("train_extract")["metadata"]["name"]
    (job,) = [name for name in place.jobs() if name.startswith("train")]
    theirs, third = (place.ctiforge(*LONG, "--run-id", run) for run in ("theirs", "third"))
    for each in (theirs, third):
        read_until(each, "train_extract: started")

    # who merely follows leaves it alone
    assert f"job {job} goes on: runs mine, theirs follow it" in said(place, "cancel", "third")
    ended_as_cancelled(third)

    # who made it does, too, while somebody follows
    assert f"job {job} goes on: run theirs follows it" in said(place, "cancel", "mine")
    ended_as_cancelled(mine)
    assert load_run(place.store, "mine").state == "cancelled"
    assert job in place.jobs()
    assert pod in [each["metadata"]["name"] for each in place.pods("ctiforge.io/run=mine")]
    assert theirs.poll() is None
    assert "theirs  running" in said(place, "status", "theirs")

    # a launcher that was killed is told from its Job, which nobody follows then
    theirs.send_signal(signal.SIGKILL)
    theirs.communicate()
    assert f"its launcher is gone, job {job} goes on" in said(place, "status", "theirs")
    said(place, "cancel", "theirs")
    assert [name for name in place.jobs() if name.startswith("train")] == []
    assert place.pods("ctiforge.io/line-stage=train-extract") == []
    assert launchers_alive(place.store, place.cluster.now()) == []


def test_logs_are_followed_from_stage_to_stage_to_the_runs_end(place: Place) -> None:
    add_small_test_set(place.store)
    with articles_locked():
        started = place.ctiforge(*LONG, "--run-id", "followed", "--detach")
        output, _ = started.communicate(timeout=60)
        assert started.returncode == 0, output
        following = place.ctiforge("logs", "followed", "--follow")
        left = place.ctiforge("logs", "followed", "--follow", "--stage", "harvest_extract")
        place.wait_until_running()
    read_until(left, "--- harvest-extract-")
    left.send_signal(signal.SIGINT)
    output, _ = left.communicate(timeout=60)
    assert left.returncode == 130
    assert "Traceback" not in output
    read_until(following, "--- harvest-extract-")
    read_until(following, "--- format-extract-")
    cancel(place, "followed")
    output, _ = following.communicate(timeout=120)
    assert following.returncode == 0, output
    assert "--- run followed: cancelled" in output


def said(place: Place, *arguments: str) -> str:
    """What `ctiforge` says when it ends well."""
    output, _ = (process := place.ctiforge(*arguments)).communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def ended_as_cancelled(launcher: "subprocess.Popen[str]") -> None:
    """The launcher leaves by itself, since the run's record says that it was cancelled."""
    output, _ = launcher.communicate(timeout=60)
    assert launcher.returncode == 75, output
    assert "the run was cancelled; the same command starts it again" in output
