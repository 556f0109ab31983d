"""What clears up after this process, however it ends."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
