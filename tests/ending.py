"""What clears up after this process, however it ends; and who is still there after another one ended."""

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "CTIFORGE_TEST_MARK"
"""A variable with a value of the test's own: who has inherited it was started by the test."""
GONE_WITHIN_S = 30


@contextmanager
def at_the_end(script: str, *arguments: str | int | Path) -> Iterator[None]:
    """Run a shell script when the block is left, and also when this process is killed inside it.

    Args:
        script: Lines of `sh`, which find the arguments as `$1`, `$2` and so on.
        arguments: What the script is given.
    """
    # the shell waits for the end of a pipe that this process alone holds open: nothing needs to be said to it
    command = ["sh", "-c", f"cat >/dev/null\n{script}", "sh", *map(str, arguments)]
    quiet = subprocess.DEVNULL
    # in a session of its own Ctrl-C does not reach it
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True):
        yield


def alive() -> dict[int, tuple[str, int]]:
    """Program and a handle of every process that has inherited the value that `MARK` has here."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found[pid] = ((folder / "comm").read_text().strip(), os.pidfd_open(pid))
        except OSError:
            continue
    return found


def wait_until_gone() -> None:
    """Wait for the end of each; the kernel says when."""
    for pid, (program, handle) in alive().items():
        ended, _, _ = select.select([handle], [], [], GONE_WITHIN_S)
        assert ended, f"{program} ({pid}) still runs"
