"""What a launcher says of a piece of work: each cause once, with the time in which it was known; a silent API."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ctiforge.launcher.backend import Event, Said
from ctiforge.launcher.kubernetes.diagnosis import Diagnosis
from ctiforge.records.run import Cause

SETTLES_S = 3.0
"""A new pod may have to wait for the room that an ended one takes until it is cleared away: that is not told."""
SILENCE_S = 15.0
"""So long without an answer of the API is said."""
GOES_ON = "what runs there goes on, and it is asked again; a network or VPN that is down is the usual reason"


@dataclass
class Telling:
    """What was said, and since when it was known."""

    on_event: Callable[[Event], None]
    known_since: dict[str, datetime] = field(default_factory=dict)
    """When each diagnosis was first made, by its words, in the API server's time."""
    silent_since: float | None = None
    """Since when the API does not answer, by the launcher's clock, once that was said."""

    def say(self, line: str) -> None:
        """Say a line to whoever looks on."""
        self.on_event(Said(line))

    def tell(self, diagnosis: Diagnosis, now: datetime) -> None:
        """Say what the work waits for, once, when it has lasted a moment."""
        if diagnosis.since is not None and (now - diagnosis.since).total_seconds() < SETTLES_S:
            return
        if diagnosis.summary not in self.known_since:
            self.say("\n".join(self.cause(diagnosis, now).lines()))

    def note(self, diagnosis: Diagnosis, now: datetime) -> None:
        """Remember since when it was known, without a word."""
        self.known_since.setdefault(diagnosis.summary, now)

    def cause(self, diagnosis: Diagnosis, now: datetime) -> Cause:
        """Give a diagnosis as the run's record keeps it."""
        self.note(diagnosis, now)
        # a limit that has passed is said behind the words that were known before
        told = [time for words, time in self.known_since.items() if diagnosis.summary.startswith(words)]
        return Cause(
            category=str(diagnosis.category),
            summary=diagnosis.summary,
            detail=diagnosis.detail,
            remedy=diagnosis.remedy,
            since=diagnosis.since,
            told_at=min(told),
        )

    def hear(self, silent_s: float, clock: float) -> None:
        """Say that the API does not answer, when that lasts, and when it does again.

        Args:
            silent_s: For how long it has owed an answer, in seconds.
            clock: The launcher's clock, in seconds.
        """
        if silent_s > SILENCE_S and self.silent_since is None:
            self.silent_since = clock - silent_s
            self.say(f"the cluster's API has not answered for {silent_s:.0f} s: {GOES_ON}")
        elif silent_s == 0 and self.silent_since is not None:
            self.say(f"the cluster's API answers again, after {clock - self.silent_since:.0f} s")
            self.silent_since = None
