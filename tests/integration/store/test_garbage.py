"""What is removed from a store and what stays, in a folder and in S3."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.report import describe_runs
from ctiforge.records.artifact import Manifest
from ctiforge.records.run import RunRecord, StageRecord, State
from ctiforge.store.artifacts import artifact_key, find_standing
from ctiforge.store.garbage import YOUNG, find_garbage, gather, remove, total
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import save_run
from ctiforge.store.stages import Stage, StageFlags, StageResult, run_stage

LATER = datetime.now(UTC) + YOUNG + timedelta(days=1)
"""By then everything that a test writes is old."""


@pytest.fixture
def store(store_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))
    return open_store(store_uri)


def make(store: ObjectStore, tmp_path: Path, name: str, *, of: StageResult | None = None) -> StageResult:
    """An artifact that says `name`, made of another."""

    def work(dirs: Any) -> dict[str, Any]:
        (dirs.out / "data.txt").write_text(name)
        return {}

    return run_stage(
        Stage("make", 1),
        params={"name": name},
        inputs={"of": str(of.uri)} if of else {},
        output=None,
        flags=StageFlags(store=store.uri),
        work=work,
    )


def note_run(store: ObjectStore, number: int, *made: StageResult, line: str = "extract", state: State = "done") -> None:
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    stages = [
        StageRecord(name=f"s{index}", program="make", state="done", fingerprint=each.fingerprint, artifact=each.uri)
        for index, each in enumerate(made)
    ]
    save_run(store, RunRecord(id=f"{line}-{number}", line=line, state=state, started_at=started, stages=stages))


def folders(store: ObjectStore, keep_runs: int, now: datetime = LATER) -> set[str]:
    return {thing.folder for thing in find_garbage(store, keep_runs, now)}


def folder_of(made: StageResult) -> str:
    return artifact_key("make", str(made.fingerprint))


def test_old_runs_go_with_what_only_they_name(store: ObjectStore, tmp_path: Path) -> None:
    shared, first, second = (make(store, tmp_path, name) for name in ("shared", "first", "second"))
    note_run(store, 1, shared, first)
    note_run(store, 2, shared, second)

    assert folders(store, 1) == {folder_of(first), "runs/extract-1"}
    assert folders(store, 2) == set()
    assert folders(store, 0) == {folder_of(each) for each in (shared, first, second)} | {
        "runs/extract-1",
        "runs/extract-2",
    }


def test_every_line_keeps_its_own_runs(store: ObjectStore, tmp_path: Path) -> None:
    note_run(store, 1, make(store, tmp_path, "a"), line="extract")
    note_run(store, 2, make(store, tmp_path, "b"), line="os-bert")

    assert folders(store, 1) == set()


def test_what_went_into_what_stays_stays_too(store: ObjectStore, tmp_path: Path) -> None:
    harvest = make(store, tmp_path, "harvest")
    data = make(store, tmp_path, "data", of=harvest)
    model = make(store, tmp_path, "model", of=data)
    store.write("models/extract/1/model.json", f'{{"artifact": "{model.uri}"}}'.encode())

    assert folders(store, 0) == set()


def test_nothing_younger_than_a_week_goes_nor_what_a_young_run_names(store: ObjectStore, tmp_path: Path) -> None:
    made = make(store, tmp_path, "a")
    now = datetime.now(UTC)

    assert folders(store, 0, now + YOUNG - timedelta(hours=1)) == set()
    assert folders(store, 0, now + YOUNG + timedelta(hours=1)) == {folder_of(made)}


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_what_an_unfinished_run_has_planned_stays(store: ObjectStore, tmp_path: Path, state: State) -> None:
    planned = make(store, tmp_path, "planned")
    note_run(store, 1, state=state)
    run = RunRecord(
        id="extract-1",
        line="extract",
        state=state,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        stages=[StageRecord(name="s", program="make", fingerprint=planned.fingerprint)],
    )
    save_run(store, run)
    store.write(f"checkpoints/make/{planned.fingerprint}/1/5/weights", b"state")

    assert folders(store, 0) == set()


def test_a_record_that_cannot_be_read_stays(store: ObjectStore) -> None:
    store.write("runs/extract-9/run.json", b"{broken")

    assert folders(store, 0) == set()


@pytest.mark.parametrize("record", ['{"schema": 99, "x": "%s"}', "{broken %s"])
def test_what_a_record_that_cannot_be_read_may_name_stays(store: ObjectStore, tmp_path: Path, record: str) -> None:
    harvest = make(store, tmp_path, "harvest")
    data = make(store, tmp_path, "data", of=harvest)
    store.write("runs/extract-9/run.json", (record % data.fingerprint).encode())

    assert folders(store, 0) == set()


def test_a_hash_in_the_words_of_a_run_keeps_nothing(store: ObjectStore, tmp_path: Path) -> None:
    made = make(store, tmp_path, "a")
    run = RunRecord(
        id="extract-1",
        line="extract",
        state="failed",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        stages=[StageRecord(name="s", program="other", last_lines=[f"no room for {made.fingerprint}"])],
    )
    save_run(store, run)

    assert folders(store, 1) == {folder_of(made)}


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.asked: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(key: str, *arguments: Any) -> Any:
            self.asked.append((name, key))
            return method(key, *arguments)

        return call if callable(method) else method


def test_each_record_is_read_once_and_nothing_is_listed_twice(store: ObjectStore, tmp_path: Path) -> None:
    for number in range(6):
        note_run(store, number, make(store, tmp_path, f"a{number}"))
    counting = Counting(store)

    find_garbage(counting, 4, LATER)  # type: ignore[arg-type]

    assert len(counting.asked) == len(set(counting.asked))
    assert sum(name == "list" for name, _ in counting.asked) == 5
    assert sum(name == "read" for name, _ in counting.asked) == 6 + 4


def test_listing_runs_lists_once(store: ObjectStore) -> None:
    for number in range(30):
        note_run(store, number)
    counting = Counting(store)

    describe_runs(counting)  # type: ignore[arg-type]

    assert [name for name, _ in counting.asked].count("list") == 1
    assert [name for name, _ in counting.asked].count("read") == 20


def test_checkpoints_shared_inputs_and_half_written_artifacts_go(store: ObjectStore) -> None:
    name = "a" * 64
    keys = [
        f"checkpoints/make/{name}/1/5/weights",
        f"inputs/{name}/results.json",
        f"artifacts/make/{name}/try/data.txt",
    ]
    for key in keys:
        store.write(key, b"12345")
    store.write("testsets/mine/1/articles.jsonl", b"x")
    store.write("labels/model/answer.json", b"x")

    found = find_garbage(store, 0, LATER)
    remove(store, found, lambda *_: None)

    assert total(found) == {"artifacts": (1, 5), "checkpoints": (1, 5), "inputs": (1, 5)}
    assert [info.key for info in store.list("")] == ["labels/model/answer.json", "testsets/mine/1/articles.jsonl"]


def test_removed_is_removed_and_can_be_made_anew(store: ObjectStore, tmp_path: Path) -> None:
    made = make(store, tmp_path, "a")
    said: list[tuple[str, bool]] = []

    remove(store, find_garbage(store, 0, LATER), lambda thing, gone: said.append((thing.folder, gone)))

    assert said == [(folder_of(made), True)]
    assert store.list("artifacts") == []
    assert make(store, tmp_path, "a").cached is False


def test_what_comes_into_use_after_it_was_listed_stays(store: ObjectStore, tmp_path: Path) -> None:
    made = make(store, tmp_path, "a")
    found = find_garbage(store, 0, LATER)

    assert make(store, tmp_path, "a").cached
    said: list[bool] = []
    remove(store, found, lambda _, gone: said.append(gone))

    assert said == [False]
    assert make(store, tmp_path, "a").cached
    assert find_standing(store, folder_of(made))


class Meddling:
    """A store in which somebody plans with an artifact at one moment of its removal."""

    def __init__(self, store: ObjectStore, plan: Any, after: int) -> None:
        self._store, self._plan, self._left = store, plan, after

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            result = getattr(self._store, name)(*arguments)
            self._left -= 1
            if self._left == 0:
                self._plan()
            return result

        return call


@pytest.mark.parametrize("step", range(1, 8))
def test_at_whatever_moment_somebody_plans_they_get_a_whole_artifact_or_none(
    store: ObjectStore, tmp_path: Path, step: int
) -> None:
    made = make(store, tmp_path, "a")
    found = []

    def plan() -> None:
        found.append(find_standing(store, folder_of(made)))

    remove(Meddling(store, plan, step), gather(store.list("artifacts")), lambda *_: None)  # type: ignore[arg-type]

    for manifest in found:
        if manifest:
            assert store.exists(f"{folder_of(made)}/{Manifest.NAME}")
            assert all(store.exists(f"{folder_of(made)}/{manifest.key(name)}") for name in manifest.files)


def test_planners_race_with_removal(store: ObjectStore, tmp_path: Path) -> None:
    made = [make(store, tmp_path, f"a{number}") for number in range(12)]
    things = gather(store.list("artifacts"))
    seen: dict[str, bool] = {}
    barrier = threading.Barrier(2)

    def plan() -> None:
        barrier.wait()
        for each in made:
            seen[folder_of(each)] = find_standing(store, folder_of(each)) is not None

    thread = threading.Thread(target=plan)
    thread.start()
    barrier.wait()
    gone: dict[str, bool] = {}
    remove(store, reversed(things), lambda thing, is_gone: gone.update({thing.folder: is_gone}))
    thread.join()

    for folder, was_found in seen.items():
        assert not (was_found and gone[folder])
        assert bool(find_standing(store, folder)) is not gone[folder]


def test_a_negative_number_of_runs_is_refused(store: ObjectStore) -> None:
    with pytest.raises(UsageError, match="--keep-runs -1"):
        find_garbage(store, -1)
