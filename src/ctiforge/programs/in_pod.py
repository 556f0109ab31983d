"""Runs a program as a container does: `in_pod.py PROGRAM ARGS…`, PROGRAM one of `ctiforge.programs` or `ctiforge`.

Passes on what it says, signals, and its exit code (128 + n when signal n ended it). With CTIFORGE_RUN
set, the tail of what it says is kept in the store of CTIFORGE_STORE as
`runs/<CTIFORGE_RUN>/logs/<CTIFORGE_STAGE>-<CTIFORGE_ATTEMPT>-<pod>.log`, the pod by POD_NAME, else HOSTNAME: pods of an
Indexed Job that replace one another have one host name.
"""

import os
import pkgutil
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

import ctiforge.programs
from ctiforge.pod.process import CommandOf, Program, command_of
from ctiforge.store.log_tail import LogTail, log_key
from ctiforge.store.objects import open_store

NO_PROGRAMS = ("flags", "in_pod", "plan")
WAITS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Others want a node's cores too: OpenMP's threads, which by default spin while they wait, sleep."""


def main(arguments: Sequence[str], command: CommandOf = command_of) -> int:
    """Run the program to its end.

    Args:
        arguments: The program's name, then its own arguments.
        command: Gives the command line of a program.

    Returns:
        The program's exit code, 2 when there is no such program.
    """
    programs = program_names()
    if not arguments or arguments[0] not in programs:
        usage = f"in_pod.py PROGRAM ARGS…, PROGRAM one of {', '.join(programs)}"
        asked = arguments in (["--help"], ["-h"])
        print(f"usage: {usage}" if asked else f"error: {usage}", file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    program, *rest = arguments
    # signals are noted before there is a program to pass them to
    running: Program | None = None
    early: list[int] = []

    def forward(number: int, _frame: object) -> None:
        if running:
            running.signal(number)
        else:
            early.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    tail = log_tail(program)

    def pass_on(stream: int, data: bytes) -> None:
        if tail:
            tail.add(data)
        # where nobody listens any more, the tail still does
        with suppress(OSError):
            write_all(stream, data)

    running = Program.start(command(program, rest), pass_on, {**WAITS, **os.environ}, reads_stdin=True)
    for signalled in early:
        running.signal(signalled)
    code = running.wait()
    if tail:
        tail.close(code)
    return code


def program_names() -> list[str]:
    """Give the names that a container can be started with, sorted."""
    found = [module.name for module in pkgutil.iter_modules(ctiforge.programs.__path__)]
    return sorted({"ctiforge", *found} - {*NO_PROGRAMS})


def log_tail(program: str) -> LogTail | None:
    """Where the log's tail goes, as the environment says; None where it says nothing."""
    run, store = os.environ.get("CTIFORGE_RUN"), os.environ.get("CTIFORGE_STORE")
    if not run or not store:
        return None
    pod = os.environ.get("POD_NAME") or os.environ.get("HOSTNAME") or socket.gethostname()
    key = log_key(run, os.environ.get("CTIFORGE_STAGE", program), os.environ.get("CTIFORGE_ATTEMPT", "1"), pod)
    return LogTail(lambda: open_store(store), key)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte to the file descriptor, which may take them in pieces."""
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
