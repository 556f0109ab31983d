"""What a backend is: something that runs a program and tells how it goes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ctiforge.launcher.plan import Answer
from ctiforge.records.run import Cause

LAST_LINES = 20


@dataclass(frozen=True)
class Task:
    """Which piece of which run a command is."""

    run: str
    stage: str
    fingerprint: str | None = None
    """What it is expected to make; None where nobody knows before it ran."""
    batch: tuple[int, int | None] | None = None
    """The program's own micro-batch and accumulation, where memory may be saved by a smaller one."""
    ran_before_s: float = 0.0
    """Seconds that programs of the same run have run before it."""
    seen_s: float = 0.0
    """Seconds that its own attempts were seen to run by a launcher that was stopped meanwhile."""
    place: str = ""
    """Where the same work is other work: a cluster's release and its store; "" where there is one place alone."""


@dataclass(frozen=True)
class Command:
    """A program with its arguments; secrets travel in `environment` only."""

    program: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    task: Task | None = None


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


@dataclass(frozen=True)
class Ran:
    """How long the attempts under way have run so far: told at each change of their state, and when one leaves."""

    seconds: float


Event = Progressed | Said | Made | Ran


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    exit_code: int
    lines: tuple[str, ...]
    """What it said, its last lines at least, progress left out."""
    made: Made | None = None
    attempts: int = 1
    cause: Cause | None = None
    """Why it ended badly, where the backend knows more than the exit code."""
    queued_s: float | None = None
    """Seconds before the program started."""
    ran_s: float = 0.0
    """Seconds that it ran, all attempts together, where the backend has a limit for that."""
    interruptions: Mapping[str, int] = field(default_factory=dict)
    """How often it was stopped and started again before this end, by the category of the cause."""

    @property
    def last_lines(self) -> list[str]:
        """The last few lines it said."""
        return list(self.lines[-LAST_LINES:])


class Backend(Protocol):
    """Where programs run."""

    goes_on: str
    """What goes on there, for a person who stopped the run; "" where nothing does."""
    brings_demo: bool
    """Whether the demo database can be started there; elsewhere the place names its own database."""

    def ask(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask what each command would make there, by the names of their stages."""
        ...

    def check(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask whether each command's flags can be read, whatever its inputs are; answers have no fingerprint."""
        ...

    def estimate(self, commands: Mapping[str, Command]) -> list[str]:
        """Ask what memory each command takes, by its model's config on this machine; lines for people."""
        ...

    def close(self) -> None:
        """End what answers questions; a program that runs is left alone."""
        ...

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the program to its end.

        Ctrl-C and SIGTERM are raised: here after the program, told to end, has ended; in a cluster
        at once, since there the program goes on.
        """
        ...


def read_event(line: str) -> Event:
    """Give what a line of a program's output says: progress, an artifact, or words."""
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
