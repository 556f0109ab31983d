"""The local backend: programs as subprocesses of this machine, each in a process group of its own."""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

import ctiforge
from ctiforge.errors import UsageError
from ctiforge.launcher.backend import Command, Event, Made, Outcome, Said, read_event
from ctiforge.launcher.plan import Answer
from ctiforge.launcher.signals import HeldSignals

JOBS_VARIABLE = "CTIFORGE_JOBS"
KEEP_LINES = 2_000
PLANS_AT_ONCE = 4
LOOK_FOR_SIGNALS_S = 0.2


def program_path(program: str) -> Path:
    """The file of a program: in `CTIFORGE_JOBS`, else in `jobs/` of the checkout. UsageError when it is not there."""
    folder = os.environ.get(JOBS_VARIABLE) or Path(ctiforge.__file__).parents[2] / "jobs"
    path = Path(folder) / f"{program}.py"
    if not path.is_file():
        raise UsageError(f"there is no program {path}; set {JOBS_VARIABLE} to the folder jobs/ of a checkout")
    return path


def ask_plans(commands: dict[str, Command]) -> dict[str, Answer]:
    """Ask programs, several at a time, what they would make (`--plan`), by the name of each stage."""
    with ThreadPoolExecutor(PLANS_AT_ONCE) as pool:
        return dict(zip(commands, pool.map(_ask_plan, commands.values()), strict=True))


class LocalBackend:
    """Runs programs on this machine."""

    goes_on = "stopped; nothing half-written is kept, the same command goes on from here"
    brings_demo = True

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the program to its end; see `Backend.run`. A second Ctrl-C kills it."""
        process = subprocess.Popen(
            _arguments(command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        events: SimpleQueue[tuple[bool, str] | None] = SimpleQueue()
        _read_in_background(process, events)
        lines: deque[str] = deque(maxlen=KEEP_LINES)
        made: Made | None = None
        try:
            for is_output, line in _until_none(events):
                event = read_event(line)
                if isinstance(event, Made):
                    made = event
                    continue
                if isinstance(event, Said):
                    lines.append(line)
                    if not (is_output or line.startswith("warning:")):
                        continue
                on_event(event)
            exit_code = process.wait()
        except BaseException:
            _send(process, signal.SIGTERM)
            on_event(Said(f"stopping {command.program}, which may save its state first; Ctrl-C again kills it"))
            _wait_or_kill(process)
            raise
        # a program ended by signal 9 has ended with 137 for everyone else, and here as well
        return Outcome(exit_code if exit_code >= 0 else 128 - exit_code, tuple(lines), made)


def _ask_plan(command: Command) -> Answer:
    answer = subprocess.run(
        [*_arguments(command), "--plan"],
        env={**os.environ, **command.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    try:
        value = json.loads(answer.stdout.strip().rpartition("\n")[2])
        return Answer(value["fingerprint"], value["cached"])
    except (ValueError, KeyError, TypeError):
        said = answer.stderr.strip().rpartition("\n")[2] or f"exit code {answer.returncode}"
        return Answer(problem=said.removeprefix("error: "), exit_code=answer.returncode or 1)


def _arguments(command: Command) -> list[str]:
    return [sys.executable, str(program_path(command.program)), *command.arguments]


def _read_in_background(process: "subprocess.Popen[str]", events: "SimpleQueue[tuple[bool, str] | None]") -> None:
    """Put every line of the program into the queue, (from stdout?, line), and None after the last."""

    def read(stream: IO[str], is_output: bool) -> None:
        for line in stream:
            events.put((is_output, line.rstrip()))

    assert process.stdout
    assert process.stderr
    readers = [
        Thread(target=read, args=(stream, stream is process.stdout), daemon=True)
        for stream in (process.stdout, process.stderr)
    ]

    def wait() -> None:
        process.wait()
        for reader in readers:
            # a server that the program left running may hold its pipes open for ever
            reader.join(timeout=2)
        events.put(None)

    for thread in (*readers, Thread(target=wait, daemon=True)):
        thread.start()


def _until_none(events: "SimpleQueue[tuple[bool, str] | None]") -> Iterator[tuple[bool, str]]:
    """What the queue gives up to None; raises what a signal means in between."""
    with HeldSignals() as signals:
        while True:
            signals.check()
            try:
                item = events.get(timeout=LOOK_FOR_SIGNALS_S)
            except Empty:
                continue
            if item is None:
                return
            yield item


def _wait_or_kill(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait()
    except (KeyboardInterrupt, SystemExit):
        _send(process, signal.SIGKILL)
        process.wait()


def _send(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send the signal to the program and to what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
