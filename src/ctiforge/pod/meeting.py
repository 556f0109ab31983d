"""Machines that do one piece of work together: they meet, see that they mean the same, and notice when one is gone.

The first listens, each other connects. A line of JSON each way begins it: `{"number": 1, "terms": {…}, "mark": …}`,
where the mark is what it has left in what all share, then `{"port": …}` or `{"refused": "…"}`. The connection stays
open: `done` says that a machine's share is done; one whose connection ends without that is gone.
"""

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any, Protocol

from ctiforge.errors import CannotGoOnError, StoreError, UsageError
from ctiforge.pod import connections
from ctiforge.pod.connections import Callers, hang_up, has_left, keep_alive, open_port, parsed_line, write_line

MEETS_WITHIN_S = 6 * 3600.0
"""One that never comes is given up."""
SAYS_AFTER_S, SAYS_EVERY_S = 15.0, 300.0
"""When it is said who is waited for, and again."""
_HOST = re.compile(r"[\w.-]+|\[[0-9a-fA-F:.]+(%\w+)?\]")
_MARK = re.compile(r"[0-9a-f]{16}")
_TRIES_EVERY_S = 2.0
_DONE = b"done\n"


@dataclass(frozen=True)
class Machines:
    """The machines that do one piece of work together, and which of them this one is."""

    count: int = 1
    """How many; each has as many processes as the others."""
    number: int = 0
    """This one's, from 0."""
    first: str = ""
    """Where the first one is reached by all, `host:port`; nothing where there is one alone."""

    @property
    def is_first(self) -> bool:
        """Tell whether the result is this one's."""
        return self.number == 0

    @property
    def address(self) -> tuple[str, int]:
        """Give the host and the port of the first. Raises ValueError where `first` has none."""
        host, _, port = self.first.rpartition(":")
        if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError(self.first)
        return host.removeprefix("[").removesuffix("]"), int(port)


ONE_MACHINE = Machines()


@dataclass(frozen=True)
class Terms:
    """What all machines must mean alike."""

    nodes: int
    nproc: int
    work: str
    """Names what is done."""


_TERMS = {each.name for each in fields(Terms)}


class Shared(Protocol):
    """A place that all machines read and write."""

    @property
    def name(self) -> str:
        """Name it for people."""
        ...

    def leave(self, mark: str) -> None:
        """Leave a mark there."""
        ...

    def finds(self, mark: str) -> bool:
        """Tell whether a mark is there, and take it away."""
        ...


@dataclass
class Meeting:
    """What the machines agreed on, and the connections by which they notice each other's end."""

    host: str
    """The first, as this machine reaches it."""
    port: int
    """A port of the first that was free, for the processes to meet at."""
    own: str
    """The address by which the others reach this machine."""
    others: Mapping[int, socket.socket]
    gone: str = ""
    """Says which machine is gone; empty while none is."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Begin to notice who is gone."""
        for number, connection in self.others.items():
            threading.Thread(target=self._watch, args=(number, connection), daemon=True).start()

    def part(self) -> None:
        """Tell the others that this machine's share is done: its end means nothing any more."""
        for connection in self.others.values():
            with suppress(OSError):
                connection.sendall(_DONE)

    def _watch(self, number: int, connection: socket.socket) -> None:
        said = b""
        with suppress(OSError):
            said = connection.recv(len(_DONE))
        if not said and not self.is_over.is_set():
            self.gone = self.gone or f"machine {number} is gone"


@contextmanager
def met(
    machines: Machines, nproc: int, work: str, is_needless: Callable[[], bool], shared: Shared | None = None
) -> Iterator[Meeting | None]:
    """Wait for the other machines, and go on together.

    Args:
        machines: Which there are, two at least, and which this one is.
        nproc: Processes of each.
        work: Names what is done; the same on each.
        is_needless: Tells whether what is waited for was done elsewhere.
        shared: What they are to have in common; None: nothing.

    Yields:
        The meeting; None where it is needless.

    Raises:
        UsageError: The machines do not mean or share the same, two have one number, or the port of the first is taken.
        CannotGoOnError: One did not come.
    """
    terms = Terms(machines.count, nproc, work)
    with ExitStack() as stack:
        meet = _gather if machines.is_first else _reach
        meeting = meet(machines, terms, shared, is_needless, stack)
        if meeting is None:
            yield None
            return
        stack.callback(meeting.is_over.set)
        meeting.watch()
        yield meeting


def interface_of(address: str) -> str | None:
    """Name the network interface of this machine that has the address; None where none has.

    Args:
        address: An IP address.

    Returns:
        The interface's name, as in `eth0`.
    """
    # comes with what trains
    import psutil

    names = psutil.net_if_addrs().items()
    return next((name for name, has in names if any(each.address.partition("%")[0] == address for each in has)), None)


class _Patience:
    """Says now and then what is waited for; ends the waiting when it lasts too long."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._says_at = self._begun + SAYS_AFTER_S

    def tell(self, words: str, doubt: Callable[[], str] = str) -> None:
        """Say what is waited for, with what may be wrong, where it is time to."""
        now = time.monotonic()
        if now - self._begun > MEETS_WITHIN_S:
            raise CannotGoOnError(f"{words}{doubt()}, for {MEETS_WITHIN_S / 3600:.0f} hours: given up")
        if now > self._says_at:
            print(f"{words}{doubt()}: still waiting", flush=True)
            self._says_at = now + SAYS_EVERY_S


def _gather(
    machines: Machines, terms: Terms, shared: Shared | None, is_needless: Callable[[], bool], stack: ExitStack
) -> Meeting | None:
    """Wait, as the first, until all others are here."""
    host, port = machines.address
    patience, found = _Patience(), dict[int, socket.socket]()
    with closing(open_port(host, port)) as door:
        callers = Callers(door, stack, _is_machine)
        while missing := [number for number in range(1, machines.count) if number not in found]:
            if is_needless():
                return None
            patience.tell(f"machine 0 waits at {machines.first} for {_numbered(missing)}", partial(_doubt, host))
            for connection, said in callers.listen():
                # one may have been replaced while the others were waited for
                found = {number: each for number, each in found.items() if not has_left(each)}
                if why := _difference(said, terms, found) or _not_shared(said, shared):
                    for each in (connection, *found.values()):
                        with suppress(OSError):
                            write_line(each, {"refused": why})
                    raise UsageError(why)
                found[said["number"]] = connection
    with closing(open_port(host, 0)) as probe:
        free = int(probe.getsockname()[1])
    for connection in found.values():
        with suppress(OSError):
            write_line(connection, {"port": free})
        keep_alive(connection)
    own = next(iter(found.values())).getsockname()[0]
    return Meeting(host, free, own, found)


def _reach(
    machines: Machines, terms: Terms, shared: Shared | None, is_needless: Callable[[], bool], stack: ExitStack
) -> Meeting | None:
    """Wait, as one of the others, until the first answers."""
    host, port = machines.address
    patience, waits_for = _Patience(), f"machine {machines.number} waits for the first one at {machines.first}"
    mark = secrets.token_hex(8) if shared else None
    if shared and mark:
        # where the first has not seen it
        stack.callback(_take_away, shared, mark)
    while not is_needless():
        try:
            connection = socket.create_connection((host, port), connections.ANSWERS_WITHIN_S)
        except OSError as error:
            patience.tell(f"{waits_for} ({_why(error)})")
            time.sleep(_TRIES_EVERY_S)
            continue
        stack.callback(hang_up, connection)
        connection.settimeout(connections.LOOK_S)
        if shared and mark:
            shared.leave(mark)
        with suppress(OSError):
            write_line(connection, {"number": machines.number, "terms": asdict(terms), "mark": mark})
        answer, said = None, b""
        while not is_needless():
            try:
                more = connection.recv(connections.LONGEST_LINE)
            except TimeoutError:
                patience.tell(f"{waits_for}, which waits for others")
                continue
            except OSError:
                break
            said += more
            if not more or said.endswith(b"\n"):
                answer = parsed_line(said)
                break
        if answer and "refused" in answer:
            raise UsageError(str(answer["refused"]))
        if answer and isinstance(answer.get("port"), int):
            keep_alive(connection)
            return Meeting(host, answer["port"], connection.getsockname()[0], {0: connection})
        hang_up(connection)
        patience.tell(f"{waits_for}, and who listens there hung up: is that another program?")
        time.sleep(_TRIES_EVERY_S)
    return None


def _take_away(shared: Shared, mark: str) -> None:
    # a store that is away then is no reason to fail
    with suppress(StoreError):
        shared.finds(mark)


def _doubt(host: str) -> str:
    """Say what may keep others from reaching this machine by this name; empty where nothing is seen."""
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    except OSError:
        return " (its name is not known here)"
    return "" if any(interface_of(each) for each in found) else " (which is no address of this machine)"


def _is_machine(said: Mapping[str, Any]) -> bool:
    """Tell whether a line is one that another machine begins with, whatever its version."""
    terms = said.get("terms")
    return type(said.get("number")) is int and isinstance(terms, dict) and terms.keys() >= _TERMS


def _difference(said: Mapping[str, Any], terms: Terms, found: Mapping[int, socket.socket]) -> str:
    """Say in what a machine differs from the first; empty where it does not."""
    number, theirs = said["number"], said["terms"]
    mine = asdict(terms)
    flags = [f"--{name} {theirs.get(name)} (the first: {mine[name]})" for name in ("nodes", "nproc")]
    differ = [flag for flag, name in zip(flags, ("nodes", "nproc"), strict=True) if theirs.get(name) != mine[name]]
    if differ:
        return f"machine {number} has {', '.join(differ)}: give each machine the same command but for --node"
    work = str(theirs.get("work"))
    if work != terms.work:
        return (
            f"machine {number} does other work than the first, by its flags, data or versions "
            f"({_words_without(work, terms.work)}, not {_words_without(terms.work, work)}): "
            "give each machine the same command but for --node"
        )
    if number in found or not 0 < number < terms.nodes:
        return f"two machines say that they are number {number}: give each a --node of its own, from 0"
    return ""


def _words_without(one: str, other: str) -> str:
    return " ".join(word for word in one.split() if word not in other.split())


def _not_shared(said: Mapping[str, Any], shared: Shared | None) -> str:
    """Say that a machine left nothing where the first looks; empty where it did."""
    mark = str(said.get("mark"))
    if not shared or (_MARK.fullmatch(mark) and shared.finds(mark)):
        return ""
    return (
        f"machine {said['number']} writes to another --store than the first, which finds nothing of it in "
        f"{shared.name}: give one that all machines reach"
    )


def _why(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known here"
    return str(error.strerror or error or type(error).__name__)


def _numbered(missing: Sequence[int]) -> str:
    return f"{'machine' if len(missing) == 1 else 'machines'} {', '.join(map(str, missing))}"
