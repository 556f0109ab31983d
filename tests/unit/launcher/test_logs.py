"""Saved logs of a run."""

from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.logs import follow_saved, lines_since, print_logs, saved_logs
from ctiforge.settings import Loaded, Settings
from ctiforge.store.launcher_note import note_launcher
from ctiforge.store.objects import open_store
from ctiforge.store.runs import new_run, save_run


def test_a_pods_tail_stands_for_its_stage_and_progress_is_left_out(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    save_run(store, new_run("extract", [], "mine"))
    progress = '{"event": "progress", "stage": "x", "done": 1, "total": 2, "eta_s": 1.0, "metrics": {}}'
    store.write("runs/mine/harvest_extract.log", b"of the launcher\n")
    store.write("runs/mine/train_extract.log", b"its end\n")
    store.write("runs/mine/logs/train_extract-1-pod-a.log", f"first\n{progress}\nexit code 75\n".encode())
    store.write("runs/mine/logs/train_extract-1-pod-b.log", b"second\nexit code 0\n")
    assert [name for name, _ in saved_logs(store, "mine", "train_extract")] == [
        "train_extract-1-pod-a",
        "train_extract-1-pod-b",
    ]
    said: list[str] = []
    print_logs(Loaded(Settings(store=str(tmp_path)), {}), "mine", None, said.append)
    assert said == [
        "--- harvest_extract", "of the launcher",
        "--- train_extract-1-pod-a", "first", "exit code 75",
        "--- train_extract-1-pod-b", "second", "exit code 0",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no log is kept of format_extract"):
        print_logs(Loaded(Settings(store=str(tmp_path)), {}), "mine", "format_extract", said.append)


def test_a_run_that_nobody_knows_is_told_with_the_list_of_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run zzz, and no log of it; see `ctiforge runs`"):
        print_logs(Loaded(Settings(store=str(tmp_path)), {}), "zzz", None, print)


def test_a_damaged_record_keeps_no_log_away(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.write("runs/extract-1/run.json", b"garbage")
    store.write("runs/extract-1/train_extract.log", b"its end\n")
    said: list[str] = []
    print_logs(Loaded(Settings(store=str(tmp_path)), {}), "extract", None, said.append)
    assert said == ["--- train_extract", "its end"]


def test_a_run_of_this_machine_is_followed_by_what_is_kept_of_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    run = new_run("extract", [], "mine")
    save_run(store, run)
    note_launcher(store, "mine")
    store.write("runs/mine/harvest_extract.log", b"one\ntwo")

    def tail() -> None:
        store.write("runs/mine/logs/train_extract-1-pod.log", b"two\nthree\nfo")

    def grows() -> None:
        store.write("runs/mine/logs/train_extract-1-pod.log", b"three\nfour\nfive\n")

    def ends() -> None:
        store.write("runs/mine/format_extract.log", b"last\n")
        save_run(store, run.model_copy(update={"state": "done"}))

    happens = iter([tail, lambda: None, grows, ends])
    said: list[str] = []
    ended = follow_saved(store, "mine", None, said.append, wait=lambda _s: next(happens)())
    assert ended.state == "done"
    assert said == [
        "a stage's log is kept here when the stage ends; until then the run's own terminal shows it",
        "--- harvest_extract", "one", "two",
        "--- train_extract-1-pod", "two", "three", "fo",
        "--- train_extract-1-pod", "four", "five",
        "--- format_extract", "last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ([], ["a"], ["a"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["a", "b", "c"], ["c"]),
        (["a", "b", "c"], ["b", "c", "d"], ["d"]),
        (["a", "b", "c"], ["c", "d"], ["d"]),
        (["a", "b"], ["x", "y"], ["x", "y"]),
        (["a", "a", "a"], ["a", "a", "a", "a"], ["a"]),
    ],
)
def test_what_came_to_a_log_is_told_from_what_was_there(before: list[str], now: list[str], new: list[str]) -> None:
    assert lines_since(before, now) == new
