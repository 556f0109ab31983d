"""Runs a program as a container does: `in_pod.py PROGRAM ARGS…`, PROGRAM a file of this folder or `ctiforge`.

Passes on what it says, signals, and its exit code (128 + n when signal n ended it). With CTIFORGE_RUN
set, the tail of what it says is kept in the store of CTIFORGE_STORE as
`runs/<CTIFORGE_RUN>/logs/<CTIFORGE_STAGE>-<CTIFORGE_ATTEMPT>-<HOSTNAME>.log`.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import IO

from ctiforge.store.log_tail import LogTail, log_key
from ctiforge.store.objects import open_store


def main(arguments: list[str]) -> int:
    """Run the program to its end; gives back its exit code, 2 when there is no such program."""
    programs = {path.stem: [str(path)] for path in Path(__file__).parent.glob("*.py") if path != Path(__file__)}
    programs["ctiforge"] = ["-m", "ctiforge"]
    if not arguments or arguments[0] not in programs:
        usage = f"in_pod.py PROGRAM ARGS…, PROGRAM one of {', '.join(sorted(programs))}"
        asked = arguments in (["--help"], ["-h"])
        print(f"usage: {usage}" if asked else f"error: {usage}", file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    program, *rest = arguments
    # signals are noted before there is a program to pass them to
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _frame: object) -> None:
        if process:
            process.send_signal(number)
        else:
            early.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    tail = log_tail(program)
    process = subprocess.Popen(
        [sys.executable, *programs[program], *rest],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a Ctrl-C of the terminal comes once, from here
        start_new_session=True,
    )
    for signalled in early:
        process.send_signal(signalled)
    readers = [
        Thread(target=pass_on, args=(source, target, tail), daemon=True)
        for source, target in ((process.stdout, 1), (process.stderr, 2))
    ]
    for reader in readers:
        reader.start()
    code = process.wait()
    for reader in readers:
        # what the program left running may hold its pipes open
        reader.join(timeout=5)
    code = code if code >= 0 else 128 - code
    if tail:
        tail.close(code)
    return code


def log_tail(program: str) -> LogTail | None:
    """Where the log's tail goes, as the environment says; None where it says nothing."""
    run, store = os.environ.get("CTIFORGE_RUN"), os.environ.get("CTIFORGE_STORE")
    if not run or not store:
        return None
    host = os.environ.get("HOSTNAME") or socket.gethostname()
    key = log_key(run, os.environ.get("CTIFORGE_STAGE", program), os.environ.get("CTIFORGE_ATTEMPT", "1"), host)
    return LogTail(lambda: open_store(store), key)


def pass_on(source: IO[bytes], target: int, tail: LogTail | None) -> None:
    """Copy as it comes, to the file descriptor and to the tail."""
    while data := os.read(source.fileno(), 65_536):
        if tail:
            tail.add(data)
        try:
            while data:
                data = data[os.write(target, data) :]
        except OSError:
            # nobody listens any more; the tail still does
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
