"""What a backend is: something that runs a program and tells how it goes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

LAST_LINES = 20


@dataclass(frozen=True)
class Command:
    """A program of `jobs/` with its arguments; secrets travel in `environment` only."""

    program: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Progressed:
    """How far the program is."""

    done: int
    total: int | None
    eta_s: float | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Said:
    """A line for people."""

    line: str


@dataclass(frozen=True)
class Made:
    """The artifact that came of the program."""

    fingerprint: str
    uri: str
    cached: bool


Event = Progressed | Said | Made


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    exit_code: int
    lines: tuple[str, ...]
    """What it said, its last lines at least, progress left out."""
    made: Made | None = None

    @property
    def last_lines(self) -> list[str]:
        """The last few lines it said."""
        return list(self.lines[-LAST_LINES:])


class Backend(Protocol):
    """Where programs run."""

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the program to its end.

        Ctrl-C and SIGTERM are passed on as SIGTERM; when the program has ended, they are raised.
        """
        ...


def read_event(line: str) -> Event:
    """What a line of a program's output says: progress, an artifact, or words."""
    if line.startswith('{"event"'):
        try:
            return _typed(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Said(line)
    return Said(line)


def _typed(value: dict[str, object]) -> Event:
    match value:
        case {"event": "progress", "done": int(done), "total": int() | None as total, "metrics": dict(metrics)}:
            eta = value.get("eta_s")
            return Progressed(done, total, float(eta) if isinstance(eta, int | float) else None, metrics)
        case {"event": "artifact", "fingerprint": str(fingerprint), "uri": str(uri), "cached": bool(cached)}:
            return Made(fingerprint, uri, cached)
    raise ValueError(value)
