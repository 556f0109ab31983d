"""Machines that work together meet: who means something else is refused, who is gone is noticed, who waits says so."""

import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.pod import connections
from ctiforge.pod import meeting as meetings
from ctiforge.pod.meeting import Machines, interface_of, met
from ctiforge.pod.ports import free_port
from tests.unit.pod.machines import OtherMachine


def never() -> bool:
    return False


@pytest.fixture
def first() -> Machines:
    return Machines(2, 0, f"127.0.0.1:{free_port()}")


@pytest.fixture(autouse=True)
def tries_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meetings, "_TRIES_EVERY_S", 0.01)
    monkeypatch.setattr(connections, "LOOK_S", 0.05)


def until(reached) -> None:
    for _ in range(2_000):
        if reached():
            return
        threading.Event().wait(0.01)
    raise AssertionError("not within 20 s")


@pytest.mark.parametrize("count", [2, 4])
def test_all_learn_of_one_port_and_how_they_are_reached(count: int) -> None:
    machines = Machines(count, 0, f"127.0.0.1:{free_port()}")
    others = [OtherMachine(machines, number, nproc=2, work="w") for number in range(1, count)]
    for other in others:
        other.__enter__()
    with met(machines, 2, "w", never) as meeting:
        assert meeting
        assert (meeting.host, meeting.own) == ("127.0.0.1", "127.0.0.1")
        assert sorted(meeting.others) == list(range(1, count))
        with socket.create_server(("", meeting.port)):
            pass
        for other in others:
            other.__exit__()
        # whoever has said that it is done may go
        assert not meeting.gone
    assert [(other.error, other.gone) for other in others] == [(None, "")] * (count - 1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nproc": 2}, r"machine 1 has --nproc 2 \(the first: 1\): give each machine the same command but for --node"),
        (
            {"work": "b/2 --x=1 --y=1"},
            r"machine 1 does other work .* \(b/2, not a/1\): give each machine the same command",
        ),
        (
            {"work": "a/1 --x=2 --y=1"},
            r"machine 1 does other work .* \(--x=2, not --x=1\): give each machine the same command",
        ),
        ({"count": 3}, r"machine 1 has --nodes 3 \(the first: 2\)"),
    ],
)
def test_who_means_something_else_is_refused_on_both_sides(first: Machines, changed, said: str) -> None:
    theirs = replace(first, count=changed.pop("count", 2))
    work = "a/1 --x=1 --y=1"
    with OtherMachine(theirs, 1, **{"work": work, **changed}) as other:
        with pytest.raises(UsageError, match=said), met(first, 1, work, never):
            pass
        until(lambda: other.error)
    with pytest.raises(UsageError, match=said):
        raise other.error or AssertionError


class Place:
    """Holds marks, as a folder or a bucket that some machines share."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: set[str] = set()
        self.leave = self.marks.add

    def finds(self, mark: str) -> bool:
        found = mark in self.marks
        self.marks.discard(mark)
        return found


def test_machines_that_share_a_place_see_it_and_leave_nothing_there(first: Machines) -> None:
    place = Place("s3://team/store")
    with OtherMachine(first, 1, shared=place) as other, met(first, 1, "", never, place) as meeting:
        assert meeting
    assert (other.error, place.marks) == (None, set())


def test_a_machine_takes_its_mark_away_whoever_does_not_see_it(first: Machines) -> None:
    def hang_up() -> None:
        with socket.create_server(("127.0.0.1", first.address[1])) as server:
            for _ in range(3):
                server.accept()[0].close()
                marks.append(set(place.marks))
        needless.set()

    place, marks, needless = Place("s3://one"), list[set[str]](), threading.Event()
    threading.Thread(target=hang_up, daemon=True).start()
    with met(replace(first, number=1), 1, "", needless.is_set, place) as meeting:
        assert meeting is None
    assert len(set.union(*marks)) == 1, "one mark, however often it tries"
    assert not place.marks


@pytest.mark.parametrize("mark", ["../../x", "", None, "0123456789ABCDEF"])
def test_a_mark_is_looked_for_only_where_a_machine_made_it(mark: object) -> None:
    class Unasked(Place):
        def finds(self, mark: str) -> bool:
            raise AssertionError(mark)

    assert meetings._not_shared({"number": 1, "mark": mark}, Unasked("s3://one"))


def test_who_writes_to_another_place_is_refused_on_both_sides(first: Machines) -> None:
    said = "machine 1 writes to another --store than the first, .* /mnt/store: give one that all machines reach"
    theirs = Place("/mnt/store")
    with OtherMachine(first, 1, shared=theirs) as other, pytest.raises(UsageError, match=said):
        met(first, 1, "", never, Place("/mnt/store")).__enter__()
    assert isinstance(other.error, UsageError)
    assert not theirs.marks


def test_two_of_one_number_are_told(first: Machines) -> None:
    machines = replace(first, count=3)
    refused = pytest.raises(UsageError, match="two machines say that they are number 1: give each a --node")
    with OtherMachine(machines, 1), OtherMachine(machines, 1), refused, met(machines, 1, "", never):
        pass


def test_a_port_that_is_taken_is_named(first: Machines) -> None:
    refused = pytest.raises(UsageError, match=rf"--first-node: port {first.address[1]} cannot be opened here")
    with socket.create_server(("", first.address[1])), refused, met(first, 1, "", never):
        pass


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[]\n",
        b'{"number": true, "terms": {}}\n',
        b'{"number": 1}\n',
        b'{"number": "1"}\n',
        b'{"number": 1, "terms": {}}\n',
        b"[" * 4_096,
        b"\xff\n",
    ],
)
def test_who_looks_whether_a_port_is_open_is_no_machine(first: Machines, said: bytes) -> None:
    def look() -> None:
        with socket.create_connection(first.address) as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)

    meet_after(look, first)


def test_who_connects_and_stays_silent_keeps_nobody_waiting(first: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWERS_WITHIN_S", 3600.0)
    silent = list[socket.socket]()

    def stay_silent() -> None:
        silent.extend(socket.create_connection(first.address) for _ in range(30))
        silent[0].sendall(b'{"number": 1, ')

    meet_after(stay_silent, first)
    # those are hung up on as well
    assert [each.recv(1) for each in silent] == [b""] * 30


def test_who_stays_silent_is_hung_up_on(first: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWERS_WITHIN_S", 0.05)

    def stay_silent() -> None:
        with socket.create_connection(first.address) as connection:
            assert connection.recv(1) == b""

    meet_after(stay_silent, first)


def meet_after(strangers_come: Callable[[], None], first: Machines) -> None:
    """Let strangers connect where the first waits, then the second machine: these two meet all the same."""

    def come() -> None:
        until(lambda: not socket.socket().connect_ex(first.address))
        strangers_come()
        other.__enter__()

    other = OtherMachine(first, 1)
    threading.Thread(target=come, daemon=True).start()
    with met(first, 1, "", never) as meeting:
        assert meeting
        other.__exit__()


def test_one_that_was_replaced_while_others_were_waited_for_is_no_second_one(first: Machines) -> None:
    machines = replace(first, count=3)
    claim = {"number": 1, "terms": {"nodes": 3, "nproc": 1, "work": ""}}

    def come_and_go() -> None:
        until(lambda: not socket.socket().connect_ex(first.address))
        with socket.create_connection(first.address) as connection:
            connection.sendall(json.dumps(claim).encode() + b"\n")
        for other in others:
            other.__enter__()

    others = [OtherMachine(machines, 1), OtherMachine(machines, 2)]
    threading.Thread(target=come_and_go, daemon=True).start()
    with met(machines, 1, "", never) as meeting:
        assert meeting
        for other in others:
            other.__exit__()


@pytest.mark.parametrize("number", [0, 1])
def test_one_that_goes_without_a_word_is_noticed(first: Machines, number: int) -> None:
    this = replace(first, number=number)
    with OtherMachine(first, 1 - number, leaves_after_s=0.0), met(this, 1, "", never) as meeting:
        assert meeting
        until(lambda: meeting.gone)
        assert meeting.gone == f"machine {1 - number} is gone"


def test_the_system_asks_whether_the_other_machine_is_there(first: Machines) -> None:
    with OtherMachine(first, 1), met(first, 1, "", never) as meeting:
        assert meeting
        [connection] = meeting.others.values()
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        times = [connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in connections._KEEPALIVE]
        assert times[0] + times[1] * times[2] <= 120


@pytest.mark.parametrize("number", [0, 1])
def test_what_was_done_elsewhere_needs_no_meeting(first: Machines, number: int) -> None:
    with met(replace(first, number=number), 1, "", lambda: True) as meeting:
        assert meeting is None


@pytest.mark.parametrize(
    ("number", "at", "said"),
    [
        (0, "", "machine 0 waits at 127.0.0.1:{port} for machine 1: still waiting"),
        (1, "", "machine 1 waits for the first one at 127.0.0.1:{port} (Connection refused): still waiting"),
        (1, "nobody.invalid", "at nobody.invalid:{port} (its name is not known here): still waiting"),
    ],
)
def test_who_is_waited_for_and_why_is_said_and_given_up_at_last(
    first: Machines, number: int, at: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(meetings, "SAYS_AFTER_S", 0.0)
    monkeypatch.setattr(meetings, "MEETS_WITHIN_S", 0.2)
    port = first.address[1]
    machines = Machines(2, number, f"{at or '127.0.0.1'}:{port}")
    with pytest.raises(CannotGoOnError, match="given up"), met(machines, 1, "", never):
        pass
    assert said.format(port=port) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "nobody.invalid",
            "machine 0 waits at nobody.invalid:1 for machine 1 (its name is not known here)",
        ),
        ("192.0.2.1", "machine 0 waits at 192.0.2.1:1 for machine 1 (which is no address of this machine)"),
        ("127.0.0.1", "machine 0 waits at 127.0.0.1:1 for machine 1:"),
    ],
)
def test_the_first_says_what_keeps_others_from_reaching_it(
    host: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(meetings, "SAYS_AFTER_S", 0.0)
    port, asked = free_port(), iter([False, False, True])
    with met(Machines(2, 0, f"{host}:{port}"), 1, "", lambda: next(asked)) as meeting:
        assert meeting is None
    assert said.replace(":1 ", f":{port} ") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("has", "listens"),
    [
        ((socket.AF_INET6,), socket.AF_INET6),
        ((socket.AF_INET6, socket.AF_INET), socket.AF_INET),
        ((socket.AF_INET,), socket.AF_INET),
    ],
)
def test_a_name_that_has_an_address_of_ipv6_alone_is_listened_to_there(
    has: tuple[int, ...], listens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: [(family, 1, 6, "", ("", 0)) for family in has])
    with connections.open_port("gpu-0", 0) as door:
        assert door.family == listens


@pytest.mark.parametrize("first", ["http://gpu-0:29400", "gpu 0:29400", "gpu-0", ":29400", "::1:29400", "gpu-0:http"])
def test_what_is_no_address_is_not_taken_for_one(first: str) -> None:
    with pytest.raises(ValueError, match=re.escape(first)):
        _ = Machines(2, 0, first).address


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    first = Machines(2, 0, f"[::1]:{free_port()}")
    assert first.address[0] == "::1"
    with OtherMachine(first, 1), met(first, 1, "", never) as meeting:
        assert meeting
        assert (meeting.host, meeting.own) == ("::1", "::1")


def test_the_interface_of_an_address() -> None:
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("192.0.2.7") is None
