"""A run's record and last words: where the store is away, a stage is tried again, or two launchers follow it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ctiforge.errors import StoreError
from ctiforge.launcher.backend import Command, Event, Outcome, Ran
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.records.run import RunRecord
from ctiforge.store.launcher_note import Launched, launchers_alive
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import load_run, save_run
from tests.integration.launcher.conftest import InProcessBackend

RUN = InProcessBackend.run
Before = Callable[[], None]


def _at_training(monkeypatch: pytest.MonkeyPatch, before: Before = lambda: None, after: Before = lambda: None) -> None:
    """Call something before and after the training runs."""

    def run(self: InProcessBackend, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        is_training = command.program == "train_extract"
        if is_training:
            before()
        outcome = RUN(self, command, on_event)
        if is_training:
            after()
        return outcome

    monkeypatch.setattr(InProcessBackend, "run", run)


@pytest.mark.parametrize(("control", "code"), [({"fails": True}, 3), ({}, 1)])
def test_a_store_that_is_away_when_a_stage_ends_hides_no_cause(
    world, monkeypatch: pytest.MonkeyPatch, control: dict[str, object], code: int
) -> None:
    def refuse(self: ObjectStore, key: str, data: bytes) -> None:
        raise StoreError(f"{self.uri}: nothing answers there")

    world.control(train_extract=control)
    _at_training(monkeypatch, after=lambda: monkeypatch.setattr(ObjectStore, "write", refuse))
    run = world.ctiforge("run", "extract")
    assert run.returncode == code
    assert "nothing answers there" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.count("error: ") == (2 if control else 1), run.stderr
    if control:
        cause, store = (run.stderr.index(words) for words in ("too few examples", "the whole log could not be kept"))
        assert cause < store
        assert "train_extract ended with exit code 3 (data error)" in run.stderr
        assert "warning: the run's record could not be kept" not in run.stdout, "the store is told of once"


def test_a_stage_that_is_tried_again_keeps_nothing_of_how_it_ended_before(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.control(train_extract={"fails": True})
    assert world.ctiforge("run", "extract", "--run-id", "mine").returncode == 3
    seen: list[RunRecord] = []
    _at_training(monkeypatch, before=lambda: seen.append(load_run(open_store(".ctiforge/store"), "mine")))
    world.control()
    assert world.ctiforge("run", "extract", "--run-id", "mine").returncode == 0
    stage = next(each for each in seen[0].stages if each.name == "train_extract")
    assert (stage.state, stage.attempts) == ("running", 1)
    assert (stage.exit_code, stage.ended_at, stage.last_lines, stage.cause) == (None, None, [], None)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_in_a_cluster_a_second_launcher_that_is_stopped_leaves_the_record_to_the_first(
    world, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    monkeypatch.setattr(InProcessBackend, "brings_demo", False)
    monkeypatch.setattr(InProcessBackend, "goes_on", "it goes on there")

    def leave() -> None:
        heard.append(launchers_alive(store, datetime.now(UTC)))
        raise stop(75)

    heard: list[list[Launched]] = []
    _at_training(monkeypatch, before=leave)
    store = open_store(str(world.folder / ".ctiforge/store"))
    store.write("testsets/demo/1/testset.json", b"{}")
    first = world.ctiforge("run", "extract", "--run-id", "mine")
    assert first.stdout.count("it goes on there") == 1
    # others know while it follows that it does
    assert heard == [[Launched("mine", "ctiforge")]]
    assert launchers_alive(store, datetime.now(UTC)) == []
    record = load_run(store, "mine")
    assert record.state == "interrupted"
    stage = next(each for each in record.stages if each.name == "train_extract")
    assert stage.state == "interrupted"

    # a first launcher is at it again
    record.state = stage.state = "running"
    save_run(store, record)
    world.ctiforge("run", "extract", "--run-id", "mine")
    after = load_run(store, "mine")
    assert after.state == "running"
    assert next(each for each in after.stages if each.name == "train_extract").state == "running"


def test_a_run_that_is_gone_on_with_tells_how_long_its_stage_was_seen_to_run(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def run(self: InProcessBackend, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        if command.program != "train_extract":
            return RUN(self, command, on_event)
        assert command.task
        seen.append(command.task.seen_s)
        if len(seen) == 1:
            on_event(Ran(40))
            raise KeyboardInterrupt
        return replace(RUN(self, command, on_event), ran_s=45)

    monkeypatch.setattr(InProcessBackend, "run", run)
    assert world.ctiforge("run", "extract", "--run-id", "mine").returncode == 130
    assert world.ctiforge("run", "extract", "--run-id", "mine").returncode == 0
    assert seen == [0, 40]
    stages = load_run(open_store(str(world.folder / ".ctiforge/store")), "mine").stages
    stage = next(each for each in stages if each.name == "train_extract")
    assert (stage.ran_s, stage.under_way_s) == (45, 0)


def test_a_launcher_that_the_cluster_fails_says_that_its_jobs_go_on(world, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise ClusterError("cannot watch jobs: nothing answers at https://api")

    monkeypatch.setattr(InProcessBackend, "goes_on", "what runs in the cluster goes on")
    _at_training(monkeypatch, before=silent)
    done = world.ctiforge("run", "extract", "--run-id", "r1")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "what runs in the cluster goes on"
    assert "error: cannot watch jobs: nothing answers" in done.stderr
