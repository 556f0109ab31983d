"""Waiting inside a library, which heeds no signal, while there is nothing to save."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ctiforge.errors import ExitCode


@contextmanager
def ending_at_once() -> Iterator[None]:
    """End this process with 75 when a signal comes; in the main thread, for signals that have a handler.

    Python calls a handler between two steps of its own: never, while a library waits for somebody who does not come.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write)

    def end() -> None:
        # empty once the other end is closed
        if os.read(read, 1):
            os._exit(int(ExitCode.INTERRUPTED))
        os.close(read)

    threading.Thread(target=end, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(write)
