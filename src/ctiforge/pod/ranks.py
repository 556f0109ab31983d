"""Processes that do one piece of work together, a rank each: started, told to end, and judged as one."""

import json
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ctiforge.errors import GOES_ON, CtiforgeError, ExitCode, InterruptedRunError
from ctiforge.pod.meeting import ONE_MACHINE, Machines, Meeting, Shared, interface_of, met
from ctiforge.pod.ports import free_port
from ctiforge.pod.process import Program
from ctiforge.progress import warn
from ctiforge.visible import visible

OTHERS_END_WITHIN_S = 30.0
"""What the others get to end by themselves after a rank died: they wait for it in the middle of a step."""
RESULT = "result.json"
TOGETHER = "CTIFORGE_TOGETHER"
"""Set in the ranks: RANK and its like may be another launcher's, and mean nothing here."""
SIGNALED = 128
"""A program that signal n ended has this much more for its exit code."""
_CALL = "call.pickle"
_LAST_LINES = 20
_LOOK_S = 0.2
_ASK_S = 5.0
"""Between two looks whether the work was done elsewhere."""
_ENDS_WELL = (ExitCode.DONE, ExitCode.INTERRUPTED)


class OutOfMemoryOnRankError(CtiforgeError):
    """A rank has too little memory: all begin again, with less in memory at once."""

    exit_code = 76
    """Between a rank and whoever started it; it is none of the contract's."""


class RankLostError(CtiforgeError):
    """Another rank is gone; what ended that one is what counts."""

    exit_code = 77
    """Between a rank and whoever started it."""


class RanksFailedError(CtiforgeError):
    """The ranks ended before their work was done; it carries the exit code that stands for all of them."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_ranks(
    call: Callable[[], Any],
    count: int,
    folder: Path,
    *,
    machines: Machines = ONE_MACHINE,
    work: str = "",
    is_needless: Callable[[], bool] | None = None,
    shared: Shared | None = None,
) -> Any:
    """Run a call in so many processes of each machine at once, which find each other by their environment.

    Each has RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torch reads them. The
    first one's output is this program's; of the others the last lines are shown where they fail. SIGTERM and Ctrl-C
    go to all, and are waited for: whoever sent them knows how long; a second one kills.

    Args:
        call: What is called in each; pickled, so that its parts must be found by name.
        count: How many processes.
        folder: A folder of this machine for the call and its result.
        machines: Which machines there are: each runs this with the same call.
        work: Names what is done, the same on each machine.
        is_needless: Tells whether what they do was done elsewhere meanwhile; asked now and then, and they end then.
        shared: What all machines are to read and write; None: nothing.

    Returns:
        What the first rank's call gave back, as JSON can hold it; None on another machine than its own, and where
        it was needless.

    Raises:
        OutOfMemoryOnRankError: The memory of one did not suffice.
        InterruptedRunError: One was interrupted, or is gone on another machine.
        UsageError: The machines do not mean or share the same, or cannot meet where it is said.
        CannotGoOnError: A machine did not come.
        RanksFailedError: They ended otherwise: with the code of a rank that says why (2 to 5), else 75 where one
            was interrupted, else the code of the first that died.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in (folder / RESULT, *folder.glob(error_file(folder, "*").name)):
        left.unlink(missing_ok=True)
    file = folder / _CALL
    file.write_bytes(pickle.dumps(call))
    if machines.count > 1:
        # one that never comes is waited for
        print(f"machine {machines.number} of {machines.count} (from 0): all meet at {machines.first}", flush=True)
    with _asked(is_needless) as needless:
        meets = met(machines, count, work, needless.is_set, shared) if machines.count > 1 else nullcontext(None)
        with meets as meeting:
            if needless.is_set():
                return None
            together = {
                TOGETHER: "1",
                "WORLD_SIZE": str(machines.count * count),
                "LOCAL_WORLD_SIZE": str(count),
                **(_among(meeting) if meeting else _alone()),
                # torch's own warnings about how ranks are joined are nothing that a person can act on
                "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
                # the ranks share the cores
                "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // count)),
            }
            ranks = [_Rank.start(machines.number * count + local, local, file, together) for local in range(count)]
            ends = _wait(ranks, needless, meeting)
            if meeting and (needless.is_set() or all(end.code in _ENDS_WELL for end in ends)):
                meeting.part()
    if needless.is_set():
        return None
    if _are_done(ends, ranks[0].number):
        return json.loads((folder / RESULT).read_text(encoding="utf-8")) if machines.is_first else None
    raise _failure(ranks, ends, folder, machines.count * count, meeting.gone if meeting else "")


def error_file(folder: Path, rank: int | str) -> Path:
    """Name the file in which a rank leaves why it ended, where a person can mend that.

    Args:
        folder: The folder of the call.
        rank: Its number.

    Returns:
        The file's path.
    """
    return folder / f"error-{rank}.txt"


@dataclass(frozen=True)
class RankEnd:
    """How a rank ended; in a list, the one that ended first comes first."""

    number: int
    code: int
    """Its exit code, 128 + n where signal n ended it."""
    was_killed: bool = False
    """Whether it was killed because others had ended, so that its code says nothing."""


def verdict(ends: list[RankEnd]) -> RankEnd:
    """Choose the rank whose end stands for all.

    Args:
        ends: How they ended, the first first; not all well.

    Returns:
        The first that says why (exit codes 2 to 5, or no memory), else the first that was interrupted, else the
        first that died.
    """
    own = [end for end in ends if not end.was_killed]
    says_why = (*range(ExitCode.USAGE, ExitCode.GATE + 1), OutOfMemoryOnRankError.exit_code)
    for codes in (says_why, (ExitCode.INTERRUPTED,)):
        if found := next((end for end in own if end.code in codes), None):
            return found
    died = [end for end in [*own, *ends] if end.code]
    # one that only lost another comes last
    return min(died, key=lambda end: end.code == RankLostError.exit_code, default=ends[0])


def _are_done(ends: list[RankEnd], first: int) -> bool:
    """Tell whether all ended well; one that had to be killed once the first was done had nothing left to do."""
    first_is_done = any(end.number == first and end.code == 0 for end in ends)
    return first_is_done and all(end.code == 0 or end.was_killed for end in ends)


def _alone() -> dict[str, str]:
    """Say where the ranks of this machine meet."""
    # gloo would look this machine's name up, which not every machine knows
    own = os.environ.get("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "GLOO_SOCKET_IFNAME": own}


def _among(meeting: Meeting) -> dict[str, str]:
    """Say where the ranks of several machines meet."""
    # many a machine takes its own name for 127.0.1.1, which gloo would tell the others
    own = os.environ.get("GLOO_SOCKET_IFNAME") or interface_of(meeting.own)
    where = {"MASTER_ADDR": meeting.host, "MASTER_PORT": str(meeting.port)}
    return {**where, **({"GLOO_SOCKET_IFNAME": own} if own else {})}


@dataclass
class _Rank:
    number: int
    local: int
    """Its number on this machine."""
    program: Program
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    """The last that it said on standard error; the first rank's are this program's own."""
    was_killed: bool = False

    @classmethod
    def start(cls, number: int, local: int, file: Path, together: Mapping[str, str]) -> "_Rank":
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        command = [sys.executable, "-m", "ctiforge.pod.rank", str(file), str(os.getpid())]
        own = {**together, "RANK": str(number), "LOCAL_RANK": str(local)}
        program = Program.start(command, None if local == 0 else _Tail(lines).add, own)
        return cls(number, local, program, lines)

    def kill(self) -> None:
        self.was_killed = True
        self.program.kill()


class _Tail:
    """Keeps the last lines of a standard error."""

    def __init__(self, lines: deque[str]) -> None:
        self._lines = lines
        self._begun = b""

    def add(self, stream: int, data: bytes) -> None:
        if stream != 2:
            return
        *whole, self._begun = (self._begun + data).split(b"\n")
        self._lines.extend(line.decode(errors="replace").rstrip() for line in whole)


@contextmanager
def _asked(is_needless: Callable[[], bool] | None) -> Iterator[threading.Event]:
    """Ask now and then, in a thread: a store may be slow to answer, and a signal must not wait for it."""
    needless, over = threading.Event(), threading.Event()

    def ask() -> None:
        while is_needless and not over.wait(_ASK_S):
            if is_needless():
                needless.set()
                return

    threading.Thread(target=ask, daemon=True).start()
    try:
        yield needless
    finally:
        over.set()


def _wait(ranks: list[_Rank], needless: threading.Event, meeting: Meeting | None) -> list[RankEnd]:
    """Wait for all, passing on signals; ends those that cannot go on without one that is gone, or need not."""
    ended: SimpleQueue[tuple[_Rank, int]] = SimpleQueue()

    def wait(rank: _Rank) -> None:
        ended.put((rank, rank.program.wait()))

    for rank in ranks:
        threading.Thread(target=wait, args=(rank,), daemon=True).start()
    ends, until = list[RankEnd](), float("inf")
    with _passed_on(ranks) as passed:
        while len(ends) < len(ranks):
            if meeting and meeting.gone:
                until = min(until, time.monotonic() + OTHERS_END_WITHIN_S)
            try:
                rank, code = ended.get(timeout=_LOOK_S)
            except Empty:
                if time.monotonic() > until or needless.is_set():
                    gone = {end.number for end in ends}
                    for each in ranks:
                        if each.number not in gone:
                            each.kill()
                continue
            if code - SIGNALED in passed and not rank.was_killed:
                # it had not begun, and did not know yet what a signal means
                code = int(ExitCode.INTERRUPTED)
            ends.append(RankEnd(rank.number, code, rank.was_killed))
            # without the first there is no result; one that died is waited for in the middle of a step
            if rank.number == 0 or code not in _ENDS_WELL:
                until = min(until, time.monotonic() + OTHERS_END_WITHIN_S)
    return ends


@contextmanager
def _passed_on(ranks: list[_Rank]) -> Iterator[set[int]]:
    """Pass SIGTERM and Ctrl-C on to all ranks; a second one kills them, and is this program's own again.

    Yields:
        The signals that were passed on so far.
    """
    before: dict[int, Any] = {}
    passed: set[int] = set()

    def passed_on(number: int, _frame: Any) -> None:
        passed.add(number)
        for rank in ranks:
            rank.program.signal(number)
        for each in before:
            signal.signal(each, killed)

    def killed(number: int, _frame: Any) -> None:
        for rank in ranks:
            rank.kill()
        signal.signal(number, before[number])
        signal.raise_signal(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        before[each] = signal.signal(each, passed_on)
    try:
        yield passed
    finally:
        for signaled, handler in before.items():
            signal.signal(signaled, handler)
        for rank in ranks:
            rank.kill()


def _failure(ranks: list[_Rank], ends: list[RankEnd], folder: Path, every: int, gone: str) -> CtiforgeError:
    end = verdict(ends)
    if gone and end.was_killed:
        return InterruptedRunError(f"{gone}: the same command goes on")
    # of those that ended in this way the first that says why
    files = (error_file(folder, each.number) for each in ends if each.code == end.code and not each.was_killed)
    said = next((file.read_text(encoding="utf-8") for file in files if file.is_file()), None)
    if end.code == OutOfMemoryOnRankError.exit_code:
        return OutOfMemoryOnRankError(said or "out of memory")
    if end.code == RankLostError.exit_code:
        return InterruptedRunError(f"{said or 'another process is gone'}: the same command goes on")
    if end.code == ExitCode.INTERRUPTED:
        return InterruptedRunError(said or f"stopped by a signal; {GOES_ON}")
    if said is None:
        for line in next(rank for rank in ranks if rank.number == end.number).lines:
            warn(f"process {end.number}: {visible(line)}")
    how = f"was killed by signal {end.code - SIGNALED}" if end.code > SIGNALED else f"ended with exit code {end.code}"
    told = said or f"{how}, and the others cannot go on without it: the same command goes on from the last checkpoint"
    return RanksFailedError(f"process {end.number} of {every} (counted from 0): {told}", end.code)
