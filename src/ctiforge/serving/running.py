"""The server on a port, until it is told to stop: then it says so, finishes what is under way, and ends."""

import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from ctiforge.errors import UsageError
from ctiforge.pod.ports import open_port
from ctiforge.serving.rollout import Rollout

FINISH_SECONDS = 180
"""How long requests under way may take to end."""
_BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """Open a port.

    Args:
        host: The address: 127.0.0.1 for this machine alone, 0.0.0.0 for every network that it is in.
        port: Its number; 0: any that is free.

    Returns:
        The open socket.

    Raises:
        UsageError: The address is not this machine's, or the port is taken or not for everybody.
    """
    try:
        return open_port(host, port, _BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"--host {host} --port {port}: {why}; name others, or port 0 for any that is free") from None


class GracefulServer(uvicorn.Server):
    """A server that at SIGTERM says that it is not ready, still answers for a while, and ends with 0."""

    def __init__(self, app: Any, stop: Callable[[], None], *, still: float) -> None:
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="error",
            backlog=_BACKLOG,
            timeout_graceful_shutdown=FINISH_SECONDS,
        )
        super().__init__(config)
        self._stop = stop
        self._still = still
        self._end: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end at the first signal; a second one, or Ctrl-C, does not wait for anybody to hear of it."""
        # uvicorn would raise the signal anew at the end, which is no clean one
        if self._end is not None:
            self.force_exit = self.should_exit and sig == signal.SIGINT
        self._stop()
        self._end = time.monotonic() + (self._still if self._end is None and sig != signal.SIGINT else 0)

    async def on_tick(self, counter: int) -> bool:
        """End when it is time to."""
        if self._end is not None and time.monotonic() >= self._end:
            self.should_exit = True
        return await super().on_tick(counter)


def watch(rollout: Rollout, every: float, stopped: threading.Event) -> None:
    """Look for another version of the model every so many seconds, the first time at once, until it is stopped.

    Args:
        rollout: What decides which model answers.
        every: Seconds between looks.
        stopped: Is set to end it.
    """
    rollout.step()
    while not stopped.wait(every):
        rollout.step()


def run(app: Any, opened: socket.socket, stop: Callable[[], None], *, still: float) -> None:
    """Serve an application until a signal comes and what is under way is answered.

    Args:
        app: The application.
        opened: The open port.
        stop: Is called when a signal comes: from then on the server is to say that it is not ready.
        still: Seconds to answer on after that.
    """
    GracefulServer(app, stop, still=still).run(sockets=[opened])
