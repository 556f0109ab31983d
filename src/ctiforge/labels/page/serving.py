"""The page on a port of this machine, until it is stopped."""

import socket
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.pod.ports import open_port

HOST = "127.0.0.1"
_BACKLOG = 128


def listen(port: int) -> socket.socket:
    """Open a port of this machine that no other machine reaches.

    Args:
        port: Its number; 0: any that is free.

    Returns:
        The open socket.

    Raises:
        UsageError: The port is taken, or not for everybody.
    """
    try:
        return open_port(HOST, port, _BACKLOG)
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}; name another one, or 0 for any that is free") from None


def make_server(app: Any) -> Any:
    """Make the server of an application, which says nothing of its own.

    Args:
        app: The application.

    Returns:
        A server of uvicorn: `run(sockets=[…])` serves until `should_exit` is set, or a signal comes.
    """
    import uvicorn

    return uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off"))
