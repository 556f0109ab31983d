"""Start a program in a process group of its own; pass on signals, what it says, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO, Self

OnOutput = Callable[[int, bytes], None]
"""Is called with 1 or 2, the stream, and the bytes that came, from a thread of that stream's own."""
CommandOf = Callable[[str, Sequence[str]], list[str]]
"""Gives the command line of a program by its name and arguments, as `command_of` does."""
SPEAKS_ON_S = 5.0
"""How long a pipe is read after the program has ended: what it left running may hold it open for ever."""


def command_of(program: str, arguments: Sequence[str] = ()) -> list[str]:
    """Make the command line of a program of `ctiforge.programs`, or of `ctiforge` itself.

    Args:
        program: The module's name, like `train_extract`, or `ctiforge`.
        arguments: The program's own arguments.

    Returns:
        The words of the command, run by this very interpreter.
    """
    module = "ctiforge" if program == "ctiforge" else f"ctiforge.programs.{program}"
    return [sys.executable, "-m", module, *arguments]


@dataclass(frozen=True)
class Program:
    """A program under way.

    Attributes:
        process: The process, the leader of its own group.
        readers: The threads that pass on its standard output and standard error.
    """

    process: "subprocess.Popen[bytes]"
    readers: tuple[Thread, ...]

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        on_output: OnOutput | None,
        environment: Mapping[str, str] | None = None,
        *,
        reads_stdin: bool = False,
    ) -> Self:
        """Start a command, unbuffered, where a Ctrl-C of this terminal does not reach it.

        Args:
            command: The words of the command.
            on_output: Is given what the program writes, as it comes; None: it writes where this process does.
            environment: Variables on top of this process's own.
            reads_stdin: Whether the program reads this process's standard input; else it finds none.

        Returns:
            The program, running.
        """
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=None if reads_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if on_output else None,
            stderr=subprocess.PIPE if on_output else None,
            start_new_session=True,
        )
        readers = tuple(
            Thread(target=_read, args=(source, stream, on_output), daemon=True)
            for stream, source in ((1, process.stdout), (2, process.stderr))
            if source and on_output
        )
        for reader in readers:
            reader.start()
        return cls(process, readers)

    def signal(self, number: int) -> None:
        """Send the program a signal; nothing happens where it has ended.

        Args:
            number: The signal, like `signal.SIGTERM`; the program's own children do not get it.
        """
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the program and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the program has ended and its output is passed on.

        Returns:
            Its exit code, 128 + n where signal n ended it.
        """
        code = self.process.wait()
        for reader in self.readers:
            reader.join(timeout=SPEAKS_ON_S)
        return code if code >= 0 else 128 - code


def _read(source: IO[bytes], stream: int, on_output: OnOutput) -> None:
    # read(), unlike os.read, would wait until the whole block is full
    while data := os.read(source.fileno(), 65_536):
        on_output(stream, data)
