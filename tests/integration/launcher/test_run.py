"""`ctiforge run extract` with stand-ins for the programs: order, caching, failures, interruptions."""

import json
import signal
import subprocess

import pytest

from ctiforge.launcher.backend import Command, Outcome
from ctiforge.launcher.planner import Planner
from ctiforge.records.run import Cause
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import load_run, note_cancelled
from tests.integration.launcher.conftest import InProcessBackend

LINE = ["harvest_extract", "format_extract", "check_data", "train_extract", *["eval_extract"] * 4]


def test_a_run_does_every_stage_and_a_second_one_only_what_changed(world) -> None:
    first = world.ctiforge("run", "extract")
    assert first.returncode == 0, first.stderr
    assert world.worked() == LINE
    assert "format_extract         after harvest_extract" in first.stdout
    assert "a table of 4" in first.stdout
    assert "train_extract works" in first.stdout
    assert "warning: of train_extract" in first.stdout
    assert "noise" not in first.stdout
    evaluations = world.folder / "outputs/evaluations"
    assert len(list(evaluations.glob("eval_*.json"))) == 4
    assert len(list(evaluations.glob("compare_extract-*.md"))) == 1

    # another report about the same records: it is looked at, nothing is trained
    world.control(harvest_extract={"rows": 1, "read": 11})
    second = world.ctiforge("run", "extract")
    assert second.returncode == 0, second.stderr
    assert world.worked() == ["harvest_extract", "check_data"]
    assert second.stdout.count(": cached ") == 7
    assert "a table of 4" in second.stdout

    world.control(harvest_extract={"rows": 2})
    third = world.ctiforge("run", "extract")
    assert third.returncode == 0, third.stderr
    assert world.worked() == ["harvest_extract", "format_extract", "check_data", "train_extract", "eval_extract"]
    assert world.database() == ["up", "down"] * 3


def test_the_other_line_runs_on_its_own_settings(world) -> None:
    (world.folder / "ctiforge.toml").write_text('os_model = "some/bert"\n[stages.train_extract]\nepochs = 5\n')
    first = world.ctiforge("run", "os-bert")
    assert first.returncode == 0, first.stderr
    assert world.worked() == ["prepare_os", "train_os_bert", "baselines_os", "eval_os_bert"]
    assert world.result("prepare_os")["database"] == "postgresql://demo:s3cr3t@localhost/demo"
    assert "--base-model=some/bert" in world.result("train_os_bert")["argv"]
    evaluated = world.result("eval_os_bert")
    assert set(evaluated["seen"]) == {"model", "data", "baselines"}
    assert "--test-data=testset:demo-os@1" in evaluated["argv"]
    assert "a table of 1" in first.stdout

    second = world.ctiforge("run", "os-bert")
    assert second.returncode == 0, second.stderr
    assert world.worked() == ["prepare_os"], "with nothing new, nothing is trained"
    third = world.ctiforge("run", "os-bert", "--model", "other/bert")
    assert third.returncode == 0, third.stderr
    assert "--base-model=other/bert" in world.result("baselines_os")["argv"]


def test_each_stage_gets_the_artifact_of_the_one_before(world) -> None:
    assert world.ctiforge("run", "extract", "--model", "some/model", "--max-length", "99").returncode == 0
    harvest, train = world.result("harvest_extract"), world.result("train_extract")
    assert harvest["database"] == "postgresql://demo:s3cr3t@localhost/demo"
    assert world.result("format_extract")["seen"] == {"input": "records.jsonl"}
    assert "--model=some/model" in train["argv"]
    assert "--max-length=99" in train["argv"]
    tuned = world.result("eval_extract")
    assert tuned["seen"] == {"model": ["result.json"]}
    assert "--test-data=testset:demo@1" in tuned["argv"]
    everything = "".join(path.read_text() for path in (world.folder / ".ctiforge").rglob("*") if path.is_file())
    assert "s3cr3t" not in everything


def test_all_stages_of_a_run_use_the_commit_that_a_hub_name_stood_for_when_it_began(world) -> None:
    then, now = "org/base@" + "a" * 40, "org/base@" + "b" * 40
    world.hub = {"org/base": then, "org/base@v1": "org/base@" + "1" * 40}
    world.control(train_extract={"fails": True})
    run = ("run", "extract", "--model=org/base", "--run-id=mine")
    assert world.ctiforge(*run).returncode == 3
    assert f"--model={then}" in world.result("format_extract")["argv"]
    # main moves on, and the run is gone on with
    world.hub["org/base"] = now
    world.control()
    assert world.ctiforge(*run).returncode == 0
    assert {f"--model={then}"} == {
        flag
        for program in ("format_extract", "check_data", "train_extract")
        for flag in world.result(program)["argv"]
        if flag.startswith("--model=")
    }
    assert load_run(open_store(str(world.folder / ".ctiforge/store")), "mine").pinned == {"model": then}
    # a new run begins with what main is now, and one that names a revision with that
    assert world.ctiforge("run", "extract", "--model=org/base").returncode == 0
    assert f"--model={now}" in world.result("train_extract")["argv"]
    assert world.ctiforge("run", "extract", "--model=org/base", "--revision=v1").returncode == 0
    assert f"--model=org/base@{'1' * 40}" in world.result("train_extract")["argv"]


def test_the_teams_own_database_goes_to_harvest_through_the_environment(world) -> None:
    world.environment["DATABASE_URL"] = "postgresql://team:s3cr3t@db/cti"
    (world.folder / ".ctiforge/store/testsets/demo/2").mkdir(parents=True)
    (world.folder / ".ctiforge/store/testsets/demo/2/testset.json").write_text("{}")
    run = world.ctiforge("run", "extract")
    assert run.returncode == 0
    assert world.result("harvest_extract")["database"] == "postgresql://team:s3cr3t@db/cti"
    assert world.database() == []
    assert "s3cr3t" not in run.stdout + run.stderr


def test_a_stages_own_flags_come_from_the_file_and_the_command(world) -> None:
    (world.folder / "ctiforge.toml").write_text("[stages.train_extract]\nepochs = 5\n[stages.eval_base]\nepochs = 2\n")
    assert world.ctiforge("run", "extract", "--set", "train_extract.epochs=7").returncode == 0
    assert "--epochs=7" in world.result("train_extract")["argv"]
    assert "--epochs=2" not in world.result("eval_extract")["argv"]
    wrong = world.ctiforge("run", "extract", "--set", "trian_extract.epochs=7")
    assert wrong.returncode == 2
    assert "stages.trian_extract: there is no such stage" in wrong.stderr


def test_a_failing_stage_ends_the_run_with_its_code_and_its_last_lines(world) -> None:
    world.control(train_extract={"fails": True})
    run = world.ctiforge("run", "extract")
    assert run.returncode == 3
    assert "train_extract ended with exit code 3 (data error)" in run.stderr
    assert "the last words" in run.stderr
    assert "too few examples" in run.stderr
    assert "Traceback" not in run.stderr
    assert world.worked() == ["harvest_extract", "format_extract", "check_data", "train_extract"]
    assert world.database() == ["up", "down"]

    status = world.ctiforge("status")
    assert "train_extract          failed" in status.stdout
    assert "the last words" in status.stdout
    assert "  train_extract ended with exit code 3 (data error)\n" in status.stdout, "every end has its reason"
    assert "exit code 3" in world.ctiforge("runs").stdout

    world.control()
    assert world.ctiforge("run", "extract").returncode == 0
    assert world.worked() == ["harvest_extract", "train_extract", *["eval_extract"] * 4]
    assert "done  9/9 stages" in world.ctiforge("status").stdout


def test_what_cannot_work_is_told_before_anything_runs(world) -> None:
    for missing in ("missing", "demo@7"):
        run = world.ctiforge("run", "extract", "--test-set", missing)
        assert run.returncode == 2
        assert f"there is no test set {missing}" in run.stderr
    assert world.worked() == []


def test_ctrl_c_in_the_middle_saves_and_the_same_command_goes_on(world) -> None:
    _stop_in_the_middle(world, signal.SIGINT, 130)
    world.worked()
    world.control()
    assert world.ctiforge("run", "extract").returncode == 0
    assert world.worked() == ["harvest_extract", "train_extract", *["eval_extract"] * 4]
    assert world.result("train_extract")["came_back"] is True


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_end_stops_its_stage_and_ends_with_75(world, sent: signal.Signals) -> None:
    _stop_in_the_middle(world, sent, 75)


def test_a_dry_run_stops_after_the_plan(world) -> None:
    run = world.ctiforge("run", "extract", "--dry-run")
    assert run.returncode == 0
    assert "harvest_extract        runs" in run.stdout
    assert "eval_tuned             after train_extract" in run.stdout
    assert run.stdout.endswith("memory of train_extract\n")
    assert world.worked() == []
    assert world.database() == []


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--set=train_extract.epochz=5",), "train_extract: No such option: --epochz"),
        (("--set=eval_tuned.batch_size=many",), "eval_tuned: Invalid value for '--batch-size'"),
        (("--model=models/that/is-not-there",), "models/that/is-not-there: there is no such model folder"),
        (("--in-use=./gone",), "./gone: there is no such model folder"),
        (("--test-set=nobodys",), "there is no test set nobodys"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    world, flags: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.environment["DATABASE_URL"] = "postgresql://team@db/cti"
    # the real programs read the flags
    planner = Planner("installed")
    monkeypatch.setattr(InProcessBackend, "check", lambda _self, commands: planner.check(commands))
    try:
        runs = [world.ctiforge("run", "extract", *flags, *more) for more in (("--dry-run",), ())]
    finally:
        planner.close()
    assert [run.returncode for run in runs] == [2, 2]
    assert all(says in run.stderr for run in runs), runs[0].stderr
    assert world.worked() == []


def test_an_unknown_line_is_a_usage_error(world) -> None:
    run = world.ctiforge("run", "bread")
    assert run.returncode == 2
    assert "there is no line bread; there is extract" in run.stderr


def test_doctor_and_config_say_what_they_found(world) -> None:
    world.environment["DATABASE_URL"] = "postgresql://team:s3cr3t@db/cti"
    config = world.ctiforge("config")
    assert "postgresql://team:********@db/cti  (environment)" in config.stdout
    assert ".ctiforge/store  (default)" in config.stdout
    doctor = world.ctiforge("doctor", "--store", "elsewhere")
    assert doctor.returncode == 0
    assert doctor.stdout.count("ok: ") == 5


def test_files_alone_need_no_database_and_the_model_in_use_is_evaluated_too(world) -> None:
    first = world.ctiforge("run", "extract")
    assert first.returncode == 0, first.stderr
    in_use = next((world.folder / ".ctiforge/store/artifacts/train_extract").iterdir())
    (world.folder / "database.txt").unlink()

    done = world.ctiforge("run", "extract", "--json-files=a.json", "--json-files=b.json", "--in-use", str(in_use))

    assert done.returncode == 0, done.stderr
    assert world.database() == []
    flags = world.result("harvest_extract")["argv"]
    assert [flag for flag in flags if flag.startswith(("--json", "--from"))] == [
        "--json-files=a.json",
        "--json-files=b.json",
    ]
    assert "10/10 stages" in world.ctiforge("runs").stdout
    assert "a table of 5" in done.stdout
    assert "eval_in_use-" in world.ctiforge("collect").stdout


def test_a_line_runs_on_s3_as_well(world, s3_server, s3_bucket: str) -> None:
    world.environment |= s3_server.environment()
    store = f"{s3_bucket}/team"
    first = world.ctiforge("run", "extract", "--store", store, "--test-set", "demo@1")
    assert first.returncode == 0, first.stderr
    assert world.worked() == LINE
    evaluations = list((world.folder / "outputs/evaluations").glob("eval_*.json"))
    assert {json.loads(path.read_text())["name"] for path in evaluations} == {"eval_extract"}
    assert "done  9/9 stages" in world.ctiforge("runs", "--store", store).stdout


@pytest.mark.parametrize(("program", "ended"), [("train_extract", 75), ("format_extract", 0)])
def test_a_run_that_is_cancelled_meanwhile_begins_no_further_stage_and_stays_cancelled(
    world, monkeypatch: pytest.MonkeyPatch, program: str, ended: int
) -> None:
    """What runs when it is cancelled may be another run's as well, and then ends well."""
    run = InProcessBackend.run

    def cancel(self: InProcessBackend, command: Command, on_event) -> Outcome:
        if command.program != program:
            return run(self, command, on_event)
        note_cancelled(open_store(".ctiforge/store"), "mine")
        cause = Cause(category="job deleted", summary="job x: it was deleted", detail="", remedy="ask the audit log")
        return Outcome(ended, (), cause=cause) if ended else run(self, command, on_event)

    monkeypatch.setattr(InProcessBackend, "run", cancel)
    cancelled = world.ctiforge("run", "extract", "--run-id", "mine")
    assert cancelled.returncode == 75
    assert world.worked() == LINE[: 3 if ended else 2]
    status = world.ctiforge("status", "mine").stdout
    assert "mine  cancelled" in status
    assert "the run was cancelled; the same command starts it again" in cancelled.stderr
    assert "audit log" not in cancelled.stdout + cancelled.stderr + status, "who cancelled it is known"
    monkeypatch.undo()
    assert world.ctiforge("run", "extract", "--run-id", "mine").returncode == 0
    assert "mine  done" in world.ctiforge("status", "mine").stdout


def _stop_in_the_middle(world, sent: signal.Signals, code: int) -> None:
    world.control(train_extract={"waits": True})
    process = world.start("run", "extract")
    _read_until(process, "train_extract waits")
    process.send_signal(sent)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "stopping train_extract" in output
    assert (output + errors).count("the same command goes on from here") == 1
    assert errors.count("error: ") == (sent is not signal.SIGINT)
    assert "Traceback" not in errors
    assert world.database() == ["up", "down"]
    assert not list((world.folder / ".ctiforge/store/artifacts").glob("train_extract*"))
    how = "Ctrl-C" if sent is signal.SIGINT else "SIGTERM"
    status = world.ctiforge("status").stdout
    assert "interrupted" in status
    assert f"the launcher was stopped by {how}" in status or "train_extract ended with exit code 75" in status


def _read_until(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}: {process.communicate()}")


def test_no_run_begins_in_a_store_that_ignores_conditions(world, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_anyway(store: ObjectStore, key: str, data: bytes) -> bool:
        store.write(key, data)
        return True

    monkeypatch.setattr(ObjectStore, "write_new", write_anyway)
    done = world.ctiforge("run", "extract")

    assert done.returncode == 2
    assert "it ignores `If-None-Match: *`, so two runs could damage each other's results" in done.stderr
    assert world.worked() == []
    assert world.database() == []
