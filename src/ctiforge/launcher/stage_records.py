"""What a run's record keeps of a stage when it begins, is found done, ends, or is cancelled."""

from collections import Counter
from datetime import UTC, datetime

from ctiforge.launcher.backend import Outcome
from ctiforge.records.run import RunRecord, StageRecord


def note_begun(entry: StageRecord) -> None:
    """Note that the stage runs from now on; how often and how long it ran in a former try stays."""
    entry.state, entry.started_at, entry.ended_at = "running", datetime.now(UTC), None
    entry.exit_code, entry.cause, entry.last_lines = None, None, []
    entry.artifact, entry.queued_s = None, None


def note_found(entry: StageRecord, fingerprint: str | None, artifact: str) -> None:
    """Note that the stage's artifact is there; in a run that is gone on with, what it did itself stays done."""
    entry.state = "done" if (entry.state, entry.fingerprint) == ("done", fingerprint) else "cached"
    entry.fingerprint, entry.artifact = fingerprint, artifact
    entry.exit_code, entry.last_lines, entry.cause = 0, [], None


def note_ended(entry: StageRecord, outcome: Outcome) -> None:
    """Note that the stage's program has ended, and what it took; whether that is well is another question."""
    entry.ended_at = datetime.now(UTC)
    entry.exit_code, entry.queued_s = outcome.exit_code, outcome.queued_s
    entry.attempts += outcome.attempts
    entry.interruptions = dict(Counter(entry.interruptions) + Counter(outcome.interruptions))
    entry.ran_s, entry.under_way_s = entry.ran_s + outcome.ran_s, 0.0


def note_cancelled(record: RunRecord) -> None:
    """Note that the run was cancelled, and with it the stages that were under way."""
    record.state = "cancelled"
    for entry in record.stages:
        if entry.state in ("running", "interrupted"):
            entry.state = "cancelled"
