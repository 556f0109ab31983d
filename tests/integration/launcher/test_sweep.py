"""`ctiforge sweep extract` with stand-ins for the programs: what is shared, what fails, what goes on."""

import json
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ctiforge.launcher.backend import Command, Event, Outcome, Progressed
from ctiforge.launcher.failures import StageFailedError
from ctiforge.launcher.local import LocalBackend
from ctiforge.launcher.sweep import run_sweep
from ctiforge.settings import settings_class
from ctiforge.store.objects import open_store
from ctiforge.store.runs import load_run
from tests.integration.launcher import stand_ins
from tests.integration.launcher.conftest import COMMIT

DATA = ["harvest_extract", "format_extract", "check_data"]
GRID = ["--param=learning-rate=1e-4,2e-4", "--param=epochs=1,2"]
POINTS = ["train:0.0001:1", "train:0.0001:2", "train:0.0002:1", "train:0.0002:2"]


@pytest.fixture
def sweeping(world):
    """A working folder whose training refuses flags that it does not know, and leaves a validation loss."""
    world.swept = True
    world.control()
    return world


def test_a_sweep_trains_every_point_once_and_another_shares_them(sweeping) -> None:
    first = sweeping.ctiforge("sweep", "extract", *GRID)
    assert first.returncode == 0, first.stderr
    assert sweeping.worked() == [*DATA, *POINTS]
    assert "train_extract.3  after format_extract  learning-rate=2e-4 epochs=1" in first.stdout
    found = _result(sweeping)
    assert found["winner"] == "train_extract.2"
    assert [each["stage"][-1] for each in found["points"]] == ["2", "4", "1", "3"]
    assert found["points"][0]["validation_loss"] == 0.6
    assert {each["state"] for each in found["points"]} == {"done"}
    assert "* train_extract.2  1e-4" in first.stdout
    assert "nothing of a test set was read" in first.stdout
    folder = sweeping.folder / "outputs/sweeps" / found["id"]
    assert sorted(path.name for path in folder.iterdir()) == ["sweep.json", "sweep.md", "sweep.png"]

    wider = sweeping.ctiforge("sweep", "extract", "--param=learning-rate=5e-5,1e-4", "--param=epochs=2")
    assert wider.returncode == 0, wider.stderr
    assert sweeping.worked() == ["harvest_extract", "train:5e-05:2"]
    assert "train_extract.2  cached " in wider.stdout
    found = _result(sweeping)
    assert {each["parameters"]["learning_rate"]: each["state"] for each in found["points"]} == {
        "5e-5": "done",
        "1e-4": "cached",
    }
    assert found["points"][1]["seconds"] == 61.4


def test_the_winners_command_finds_it_trained_and_evaluates_it(sweeping) -> None:
    (sweeping.folder / "elsewhere").mkdir()
    then = sweeping.hub["some/other"] = "some/other@" + "a" * 40
    flags = ["--store=elsewhere/store", "--model=some/other", "--set=train_extract.pooling=max", "--no-database"]
    swept = sweeping.ctiforge("sweep", "extract", *GRID, *flags, "--json-files=a.json")
    assert swept.returncode == 0, swept.stderr
    sweeping.worked()
    command = shlex.split(_result(sweeping)["evaluate_with"])
    assert command[:3] == ["ctiforge", "run", "extract"]
    # the commit that was swept, whatever main is by now
    assert [each for each in command if each.startswith("--model")] == [f"--model={then}"]
    (sweeping.folder / "elsewhere/store/testsets/demo/1").mkdir(parents=True)
    (sweeping.folder / "elsewhere/store/testsets/demo/1/testset.json").write_text("{}")
    evaluated = sweeping.ctiforge(*command[1:])
    assert evaluated.returncode == 0, evaluated.stderr
    assert sweeping.worked() == ["harvest_extract", *["eval_extract"] * 4]
    assert "train_extract: cached" in evaluated.stdout


def test_no_test_set_is_needed(sweeping) -> None:
    sweeping.environment["DATABASE_URL"] = "postgresql://team:s3cr3t@db/cti"
    run = sweeping.ctiforge("sweep", "extract", "--param=epochs=1")
    assert run.returncode == 0, run.stderr
    assert not (sweeping.folder / ".ctiforge/store/testsets").exists()
    assert sweeping.database() == []


@pytest.mark.parametrize(
    ("param", "said"),
    [
        ("larning-rate=1e-5", "larning-rate=1e-5: No such option: --larning-rate"),
        ("epochs=2,many", "epochs=many: Invalid value for '--epochs'"),
        ("pooling=mean,min", "pooling=min: --pooling min: give mean or max"),
    ],
)
def test_a_wrong_parameter_is_told_before_anything_runs(sweeping, param: str, said: str) -> None:
    run = sweeping.ctiforge("sweep", "extract", "--param=learning-rate=1e-4,2e-4", f"--param={param}")
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert sweeping.worked() == []
    assert sweeping.database() == []
    assert "no runs yet" in sweeping.ctiforge("runs").stdout


def test_a_sweep_that_was_stopped_goes_on_with_what_is_left(sweeping) -> None:
    sweeping.control(train_extract={"waits": [2e-4]})
    process = sweeping.start("sweep", "extract", *GRID)
    _read_until(process, "the point waits")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from here" in output + errors
    assert sweeping.worked() == [*DATA, *POINTS[:3]]
    status = sweeping.ctiforge("status").stdout
    assert "sweep-extract-" in status
    assert "train_extract.2  done" in status
    assert "train_extract.3  interrupted" in status
    assert "train_extract.4  waiting" in status

    sweeping.control()
    assert sweeping.ctiforge("sweep", "extract", *GRID).returncode == 0
    assert sweeping.worked() == ["harvest_extract", *POINTS[2:]]


def test_a_named_sweep_goes_on_with_the_same_harvest(sweeping) -> None:
    sweeping.control(train_extract={"told_to_end": [1e-4]})
    stopped = sweeping.ctiforge("sweep", "extract", *GRID, "--run-id=wide")
    assert stopped.returncode == 75
    # the others are not begun: who told this one to end wants the machine
    assert sweeping.worked() == [*DATA, POINTS[0]]
    assert "interrupted" in sweeping.ctiforge("status", "wide").stdout
    sweeping.control()
    assert sweeping.ctiforge("sweep", "extract", *GRID, "--run-id=wide").returncode == 0
    assert sweeping.worked() == POINTS
    assert (sweeping.folder / "outputs/sweeps/wide/sweep.json").exists()


def test_a_point_that_fails_is_in_the_table_and_stops_no_other(sweeping) -> None:
    sweeping.control(train_extract={"fails": [1e-4], "crashes": [2e-4]})
    run = sweeping.ctiforge("sweep", "extract", "--param=learning-rate=1e-4,2e-4,5e-4", "--param=epochs=1")
    assert run.returncode == 0, run.stderr
    assert len(sweeping.worked()) == 6
    problems = {each["stage"]: each["problem"] for each in _result(sweeping)["points"]}
    assert problems == {
        "train_extract.1": "too few examples",
        "train_extract.2": "exit code 137 (killed, perhaps out of memory)",
        "train_extract.3": None,
    }
    assert "failed: too few examples" in run.stdout
    assert "2 of 3 points have no validation loss" in run.stdout
    status = sweeping.ctiforge("status").stdout
    assert "train_extract.1  failed" in status
    assert "train_extract.3  done" in status

    sweeping.control()
    assert sweeping.ctiforge("sweep", "extract", "--param=learning-rate=1e-4,2e-4,5e-4").returncode == 0
    assert sweeping.worked() == ["harvest_extract", "train:0.0001:1", "train:0.0002:1"]


def test_a_sweep_without_any_loss_has_a_table_and_fails(sweeping) -> None:
    sweeping.control(train_extract={"fails": [1e-4], "no_loss": True})
    run = sweeping.ctiforge("sweep", "extract", "--param=learning-rate=1e-4,2e-4")
    assert run.returncode == 3
    assert "no point has a validation loss" in run.stderr
    assert "failed: too few examples" in run.stdout
    assert _result(sweeping)["winner"] is None
    assert "failed" in sweeping.ctiforge("runs").stdout


def test_points_whose_losses_do_not_compare_are_told(sweeping) -> None:
    run = sweeping.ctiforge("sweep", "extract", "--param=pooling=mean,max")
    assert run.returncode == 0, run.stderr
    assert "note: points differ in pooling, which is part of the loss" in run.stdout


def test_a_dry_run_says_the_plan_and_does_nothing(sweeping) -> None:
    run = sweeping.ctiforge("sweep", "extract", "--dry-run")
    assert run.returncode == 0, run.stderr
    assert "train_extract.6  after format_extract  learning-rate=5e-4 epochs=3" in run.stdout
    assert sweeping.worked() == []
    assert sweeping.database() == []
    assert not (sweeping.folder / "outputs").exists()


def test_a_sweep_has_nothing_to_collect_and_says_where_its_table_lies(sweeping) -> None:
    assert sweeping.ctiforge("sweep", "extract", "--param=epochs=1", "--run-id=one").returncode == 0
    collected = sweeping.ctiforge("collect", "one")
    assert collected.returncode == 2
    assert "one is a sweep: its table lies in outputs/sweeps/one" in collected.stderr


class _Cluster:
    """Runs programs here as a cluster does there: no signal of the launcher reaches them."""

    goes_on = "goes on in the cluster"
    brings_demo = False

    def __init__(self, before: Callable[[str], None]) -> None:
        self._before = before
        self._here = LocalBackend(stand_ins.command_of)
        self.ask, self.check, self.close = self._here.ask, self._here.check, self._here.close
        self.most = self._now = 0
        self._lock = threading.Lock()

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """The same as on this machine, after `before` has been called with the stage's name."""
        assert command.task
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            on_event(Progressed(1, 2, None, {}))
            self._before(command.task.stage)
            return self._here.run(command, on_event)
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def in_this_process(sweeping, monkeypatch: pytest.MonkeyPatch):
    """The same, for a sweep that is called and not started; gives its settings too."""
    monkeypatch.chdir(sweeping.folder)
    for name in ("PYTHONPATH", "CONTROL"):
        monkeypatch.setenv(name, sweeping.environment[name])
    return sweeping, settings_class()(model=f"some/base@{COMMIT}", backend="kubernetes", run_id="wide")


def test_in_a_cluster_several_points_are_under_way_at_a_time(in_this_process) -> None:
    sweeping, settings = in_this_process
    sweeping.control(train_extract={"fails": [2e-4]})
    two = threading.Barrier(2)
    cluster = _Cluster(lambda stage: stage.startswith("train") and two.wait(timeout=60) and None)
    run_sweep("extract", [each.removeprefix("--param=") for each in GRID], settings, cluster, parallel=2)
    assert cluster.most == 2
    worked = sweeping.worked()
    assert worked[: len(DATA)] == DATA
    assert sorted(worked[len(DATA) :]) == POINTS
    record = load_run(open_store(settings.store), "wide")
    assert [stage.state for stage in record.stages] == ["done"] * 5 + ["failed"] * 2
    assert record.state == "done"
    assert _result(sweeping)["winner"] == "train_extract.2"


def test_in_a_cluster_ctrl_c_leaves_all_points_to_go_on(in_this_process, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeping, settings = in_this_process
    two, released = threading.Barrier(2), threading.Event()

    def hold(stage: str) -> None:
        if stage.startswith("train"):
            if two.wait(timeout=60) == 0:
                os.kill(os.getpid(), signal.SIGINT)
            released.wait(timeout=60)
            raise StageFailedError("let go", 1)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_sweep("extract", ["learning-rate=1e-4,2e-4,5e-4"], settings, _Cluster(hold), parallel=2)
    finally:
        signal.signal(signal.SIGINT, before)
        released.set()
    record = load_run(open_store(settings.store), "wide")
    assert record.state == "interrupted"
    assert [stage.state for stage in record.stages][len(DATA) :] == ["interrupted", "interrupted", "waiting"]
    assert sweeping.worked() == DATA


def test_in_a_cluster_one_that_is_told_to_end_or_cannot_be_followed_ends_the_sweep(in_this_process) -> None:
    sweeping, settings = in_this_process
    sweeping.control(train_extract={"told_to_end": [1e-4, 2e-4]})
    with pytest.raises(StageFailedError) as told:
        run_sweep("extract", ["learning-rate=1e-4,2e-4"], settings, _Cluster(lambda _stage: None), parallel=2)
    assert told.value.exit_code == 75
    assert load_run(open_store(settings.store), "wide").state == "interrupted"

    def refuse(stage: str) -> None:
        raise PermissionError("forbidden")

    with pytest.raises(PermissionError, match="forbidden"):
        run_sweep("extract", ["learning-rate=1e-4,2e-4"], settings, _Cluster(refuse), parallel=2)


def _result(world) -> dict[str, object]:
    """What the sweep that ended last left."""
    paths = (world.folder / "outputs/sweeps").glob("*/sweep.json")
    newest: Path = max(paths, key=lambda path: path.stat().st_mtime_ns)
    found: dict[str, object] = json.loads(newest.read_text())
    return found


def _read_until(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}: {process.communicate()}")
