"""Processes that do one piece of work together: how they begin, how they end, and what stands for all of them."""

import atexit
import ctypes
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from ctiforge.errors import CannotGoOnError, CtiforgeError, ExitCode, InterruptedRunError, UsageError
from ctiforge.pod import ranks
from ctiforge.pod.meeting import Machines
from ctiforge.pod.ports import free_port
from ctiforge.pod.ranks import (
    OutOfMemoryOnRankError,
    RankEnd,
    RankLostError,
    RanksFailedError,
    run_ranks,
    verdict,
)
from ctiforge.pod.waiting import ending_at_once
from tests.unit.pod.machines import OtherMachine


def told() -> dict[str, str]:
    """Give what torch reads of the environment."""
    names = ("CTIFORGE_TOGETHER", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
    names += ("GLOO_SOCKET_IFNAME",)
    return {name: os.environ[name] for name in names}


class Group:
    """Stands for torch's: taken down, it may wait for a rank that is gone; here that ends with another code."""

    def __del__(self) -> None:
        os._exit(99)


def end(how: dict[int, str], hangs: bool) -> str:
    """End as the rank is told to: raise, exit, or be killed; else hang, or be done."""
    what = how.get(int(os.environ["RANK"]))
    if what == "cannot":
        raise CannotGoOnError("the disk is full")
    if what == "memory":
        raise OutOfMemoryOnRankError("out of GPU memory at step 3")
    if what == "lost, and hangs":
        atexit.register(threading.Event().wait)
        raise RankLostError("another process is gone")
    if what == "lost":
        group = Group()
        raise RankLostError(f"another process of {type(group).__name__} is gone")
    if what == "hangs":
        threading.Event().wait()
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "crash":
        raise RuntimeError("shape mismatch")
    if hangs:
        threading.Event().wait()
    return "done"


def end_when_told(folder: Path) -> None:
    """Leave its process id, and do nothing until a signal comes."""
    (folder / os.environ["RANK"]).write_text(str(os.getpid()))
    threading.Event().wait()


def wait_heedlessly(folder: Path) -> None:
    """Wait as a library in C does: no signal ends it, and no handler of Python is called."""
    mutex = ctypes.create_string_buffer(64)
    lock = ctypes.CDLL(None).pthread_mutex_lock
    lock(mutex)
    with ending_at_once():
        (folder / os.environ["RANK"]).write_text(str(os.getpid()))
        lock(mutex)


def test_each_finds_the_others_and_the_first_gives_the_result(tmp_path):
    assert run_ranks(told, 2, tmp_path) == {
        "CTIFORGE_TOGETHER": "1", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("how", "kind", "code", "said"),
    [
        ({1: "cannot"}, RanksFailedError, 4, r"process 1 of 2 \(counted from 0\): the disk is full"),
        ({1: "killed"}, RanksFailedError, 137, "process 1 of 2 .* was killed by signal 9"),
        ({0: "killed"}, RanksFailedError, 137, "process 0 of 2 .* was killed by signal 9"),
        ({0: "killed", 1: "lost, and hangs"}, RanksFailedError, 137, "process 0 of 2 .* was killed by signal 9"),
        ({1: "memory"}, OutOfMemoryOnRankError, 76, "out of GPU memory at step 3"),
        ({0: "cannot", 1: "killed"}, RanksFailedError, 4, "the disk is full"),
    ],
)
def test_those_that_hang_are_ended_and_the_cause_is_told(how, kind, code, said, tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "OTHERS_END_WITHIN_S", 1.0)
    with pytest.raises(kind, match=said) as caught:
        run_ranks(partial(end, how, hangs=True), 2, tmp_path)
    assert caught.value.exit_code == code


def test_one_that_does_not_end_once_the_first_is_done_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "OTHERS_END_WITHIN_S", 0.2)
    assert run_ranks(partial(end, {1: "hangs"}, hangs=False), 2, tmp_path) == "done"


def test_a_rank_whose_starter_died_before_it_had_begun_ends(tmp_path):
    # the starter prints the rank's process id and is gone
    start = (
        "import subprocess, sys, os\n"
        "rank = [sys.executable, '-m', 'ctiforge.pod.rank', sys.argv[1], str(os.getpid())]\n"
        "print(subprocess.Popen(rank, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"
    )
    call = tmp_path / "call.pickle"
    call.write_bytes(pickle.dumps(partial(end, {}, hangs=True)))
    environment = {**os.environ, "RANK": "0"}
    started = subprocess.run(
        [sys.executable, "-c", start, str(call)], env=environment, stdout=subprocess.PIPE, check=True
    )
    opened = os.pidfd_open(int(started.stdout))
    try:
        assert select.select([opened], [], [], 20)[0]
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(opened, signal.SIGKILL)
        os.close(opened)


def test_a_crash_shows_the_last_lines_of_its_process(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ranks, "OTHERS_END_WITHIN_S", 1.0)
    with pytest.raises(CtiforgeError, match="ended with exit code 1") as caught:
        run_ranks(partial(end, {1: "crash"}, hangs=True), 2, tmp_path)
    assert caught.value.exit_code == 1
    assert "warning: process 1: RuntimeError: shape mismatch" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_to_all(number, tmp_path):
    files = [tmp_path / rank for rank in ("0", "1")]

    def when_both_run() -> None:
        while not all(file.exists() and file.read_text() for file in files):
            pass
        os.kill(os.getpid(), number)

    threading.Thread(target=when_both_run, daemon=True).start()
    with pytest.raises(InterruptedRunError):
        run_ranks(partial(end_when_told, tmp_path), 2, tmp_path)
    assert not [file for file in files if Path(f"/proc/{file.read_text()}").exists()]


@pytest.mark.parametrize(
    ("codes", "chosen"),
    [
        ([(1, 137), (0, 1)], 1),
        ([(1, 137), (0, 75)], 0),
        ([(1, 75), (0, 4)], 0),
        ([(0, 1), (1, 76)], 1),
        ([(2, 0), (1, 1), (0, 137)], 1),
        ([(0, 77), (1, 137)], 1),
        ([(0, 77), (1, 75)], 1),
    ],
)
def test_what_stands_for_all(codes, chosen):
    assert verdict([RankEnd(number, code) for number, code in codes]).number == chosen


def test_what_is_gone_on_another_machine_is_no_failure_of_this_one(tmp_path):
    second = Machines(2, 1, f"127.0.0.1:{free_port()}")
    said = "another process of Group is gone: the same command goes on"
    with OtherMachine(second, 0), pytest.raises(InterruptedRunError, match=said):
        run_ranks(partial(end, {1: "lost"}, hangs=False), 1, tmp_path, machines=second)


def test_where_a_machine_is_gone_without_a_word_those_of_this_one_end_as_interrupted(tmp_path, monkeypatch):
    """It was switched off: torch's own connections would tell nothing for hours."""
    monkeypatch.setattr(ranks, "OTHERS_END_WITHIN_S", 0.5)
    first = Machines(2, 0, f"127.0.0.1:{free_port()}")
    ended = pytest.raises(InterruptedRunError, match="machine 1 is gone: the same command goes on")
    with OtherMachine(first, 1, leaves_after_s=1.0), ended:
        run_ranks(partial(end, {0: "hangs"}, hangs=False), 1, tmp_path, machines=first)


def test_a_machine_with_other_flags_is_refused_before_anything_is_started(tmp_path):
    first = Machines(2, 0, f"127.0.0.1:{free_port()}")
    with OtherMachine(first, 1, work="else") as other, pytest.raises(UsageError, match="machine 1 does other work"):
        run_ranks(partial(end, {0: "crash"}, hangs=False), 1, tmp_path, machines=first, work="this")
    assert "machine 1 does other work" in str(other.error)


def test_a_signal_that_comes_before_a_rank_knows_what_it_means_interrupts(tmp_path):
    """The rank ends by it, as any program that has no handler yet."""
    threading.Thread(target=lambda: (when_there(tmp_path), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
    with pytest.raises(InterruptedRunError):
        run_ranks(partial(hang_heedlessly, tmp_path), 1, tmp_path)


def when_there(folder: Path) -> None:
    while not (folder / "there").exists():
        threading.Event().wait(0.01)


def hang_heedlessly(folder: Path) -> None:
    """Wait as before the handlers are there."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    (folder / "there").touch()
    threading.Event().wait()


def test_a_process_is_counted_among_those_of_all_machines(tmp_path):
    second = Machines(2, 1, f"127.0.0.1:{free_port()}")
    with OtherMachine(second, 0), pytest.raises(RanksFailedError, match=r"process 1 of 2 \(counted from 0\)"):
        run_ranks(partial(end, {1: "killed"}, hangs=False), 1, tmp_path, machines=second)


def test_the_first_machine_has_the_result(tmp_path, capsys):
    port = free_port()
    second, first = Machines(2, 1, f"127.0.0.1:{port}"), Machines(2, 0, f"node-0.nodes:{port}")
    with OtherMachine(second, 0):
        assert run_ranks(partial(end, {}, hangs=False), 1, tmp_path, machines=second) is None
    # whoever waits for one that does not come sees where
    assert capsys.readouterr().out == f"machine 1 of 2 (from 0): all meet at 127.0.0.1:{port}\n"
    with OtherMachine(second, 1):
        found = run_ranks(told, 1, tmp_path, machines=first)
    assert (found["RANK"], found["WORLD_SIZE"], found["MASTER_ADDR"]) == ("0", "2", "node-0.nodes")
    assert found["GLOO_SOCKET_IFNAME"] == "lo", "the interface by which the others reach it"


def test_what_was_done_elsewhere_is_needless(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "_ASK_S", 0.01)
    asked = iter([False, True])
    second = Machines(2, 1, f"127.0.0.1:{free_port()}")
    call = partial(end, {}, hangs=True)
    with OtherMachine(second, 0):
        assert run_ranks(call, 1, tmp_path, machines=second, is_needless=lambda: next(asked)) is None


def test_a_rank_that_waits_inside_a_library_ends_when_told(tmp_path):
    def when_it_waits():
        while not (tmp_path / "2").exists() or not (tmp_path / "2").read_text():
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=when_it_waits, daemon=True).start()
    third = Machines(3, 2, f"127.0.0.1:{free_port()}")
    said = "nothing half-written is kept, the same command goes on"
    with OtherMachine(third, 0), OtherMachine(third, 1), pytest.raises(InterruptedRunError, match=said):
        run_ranks(partial(wait_heedlessly, tmp_path), 1, tmp_path, machines=third)


def test_the_code_of_one_that_was_killed_for_others_says_nothing():
    ends = [RankEnd(1, 1), RankEnd(0, int(ExitCode.INTERRUPTED), was_killed=True)]
    assert verdict(ends).number == 1
