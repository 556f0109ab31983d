"""A port of this machine, opened for a server."""

import socket


def open_port(host: str, port: int, backlog: int) -> socket.socket:
    """Open a port.

    Args:
        host: The address: 127.0.0.1 for this machine alone, 0.0.0.0 for every network that it is in.
        port: Its number; 0: any that is free.
        backlog: Connections that may wait to be taken.

    Returns:
        The open socket.

    Raises:
        OSError: The address is not this machine's, or the port is taken or not for everybody.
    """
    # named as TCP, or asyncio leaves Nagle's algorithm on: each answer would wait 40 ms for the client's system
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    opened.listen(backlog)
    return opened


def free_port() -> int:
    """Find a port of this machine that is free now, for a server that is started next.

    Returns:
        Its number; nothing holds it until the server does.
    """
    with open_port("127.0.0.1", 0, 1) as probe:
        return int(probe.getsockname()[1])
