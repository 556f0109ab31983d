import json
import sys
from collections.abc import Sequence

from ctiforge.launcher.backend import Command, Event, Made, Progressed, Said
from ctiforge.launcher.local import LocalBackend, _Lines

PROGRAM = """
import json, os, sys
os.write(1, b"a line in ")
os.write(1, b"two pieces\\nwith \\xff no end")
for event in (
    {"event": "progress", "done": 1, "total": 2, "eta_s": None, "metrics": {}},
    {"event": "artifact", "fingerprint": "f", "uri": "u", "cached": False},
):
    print(json.dumps(event), file=sys.stderr)
print("noise", file=sys.stderr)
print("warning: mind", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


def own(program: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *arguments]


def test_what_a_program_says_becomes_events_and_an_outcome() -> None:
    events: list[Event] = []
    outcome = LocalBackend(own).run(Command("any", ("3",)), events.append)

    assert outcome.exit_code == 3
    assert outcome.made == Made("f", "u", False)
    assert sorted(outcome.lines) == ["a line in two pieces", "noise", "warning: mind", "with � no end"]
    assert [each for each in events if isinstance(each, Progressed)] == [Progressed(1, 2, None, {})]
    shown = sorted(each.line for each in events if isinstance(each, Said))
    assert shown == ["a line in two pieces", "warning: mind", "with � no end"]


def test_lines_are_put_together_from_pieces_of_their_own_stream() -> None:
    lines = _Lines()
    for stream, data in ((1, b"on"), (2, b"tw"), (1, b"e\nthr"), (2, b"o\n"), (1, b"ee")):
        lines.add(stream, data)
    lines.end()
    assert list(lines) == [(True, "one"), (False, "two"), (True, "three")]


def test_an_event_is_read_whatever_the_pieces() -> None:
    lines = _Lines()
    text = json.dumps({"event": "artifact", "fingerprint": "ä", "uri": "u", "cached": True}, ensure_ascii=False)
    for byte in text.encode():
        lines.add(2, bytes([byte]))
    lines.end()
    assert list(lines) == [(False, text)]
