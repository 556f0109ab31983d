"""Connections of machines that meet: lines of JSON, those who have not said yet who they are, one that is gone."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from multiprocessing.connection import wait
from typing import Any

from ctiforge.errors import UsageError

LOOK_S = 1.0
"""So long is listened for at once."""
ANSWERS_WITHIN_S = 10.0
"""Who has said nothing by then is hung up on."""
LONGEST_LINE = 4_096
"""In bytes."""
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 6}
"""A machine that was switched off or cut off is noticed within two minutes."""


class Callers:
    """Those who have connected and not yet said who they are: one that stays silent keeps no other one waiting."""

    def __init__(self, door: socket.socket, stack: ExitStack, is_wanted: Callable[[Mapping[str, Any]], bool]) -> None:
        door.settimeout(LOOK_S)
        self._door = door
        self._stack = stack
        self._is_wanted = is_wanted
        self._heard: dict[socket.socket, tuple[float, bytes]] = {}

    def listen(self) -> Iterator[tuple[socket.socket, dict[str, Any]]]:
        """Listen for a moment; gives the machines that have said all, and what."""
        for each in wait([self._door, *self._heard], LOOK_S):
            if each is self._door:
                self._let_in()
                continue
            assert isinstance(each, socket.socket)
            since, said = self._heard.pop(each)
            more = _received(each)
            said += more
            if more and not said.endswith(b"\n") and len(said) < LONGEST_LINE:
                self._heard[each] = since, said
                continue
            line = parsed_line(said)
            # who looks whether a port is open says nothing, or something else
            if line and self._is_wanted(line):
                yield each, line
            else:
                hang_up(each)
        now = time.monotonic()
        for late in [each for each, (since, _) in self._heard.items() if now - since > ANSWERS_WITHIN_S]:
            del self._heard[late]
            hang_up(late)

    def _let_in(self) -> None:
        with suppress(OSError):
            connection, _ = self._door.accept()
            self._stack.callback(hang_up, connection)
            connection.settimeout(ANSWERS_WITHIN_S)
            self._heard[connection] = time.monotonic(), b""


def open_port(host: str, port: int) -> socket.socket:
    """Open a port of the first for all networks that it is in."""
    try:
        return socket.create_server(("", port), family=socket.AF_INET6 if _is_v6_alone(host) else socket.AF_INET)
    except OSError as error:
        raise UsageError(
            f"--first-node: port {port} cannot be opened here ({error.strerror}): name a free one, the same on all"
        ) from None


def keep_alive(connection: socket.socket) -> None:
    """Have the system ask now and then whether the other end is there; reading waits as long as it is."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        # not every system has all of them
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def hang_up(connection: socket.socket) -> None:
    """Close it for a thread that reads from it, too: the other end would not learn of it before."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def has_left(connection: socket.socket) -> bool:
    """Tell whether the other end has closed it."""
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(ANSWERS_WITHIN_S)


def write_line(connection: socket.socket, said: Mapping[str, Any]) -> None:
    """Say something as a line of JSON. Raises OSError where the connection has ended."""
    connection.sendall(json.dumps(said).encode() + b"\n")


def parsed_line(said: bytes) -> dict[str, Any] | None:
    """Read an object from a line of JSON; None where there is none."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_v6_alone(host: str) -> bool:
    try:
        return {each[0] for each in socket.getaddrinfo(host, None)} == {socket.AF_INET6}
    except OSError:
        return ":" in host


def _received(connection: socket.socket) -> bytes:
    """Take what has come; nothing where the connection has ended."""
    try:
        return connection.recv(LONGEST_LINE)
    except OSError:
        return b""
