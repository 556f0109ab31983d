"""What came of a run, as a kind and in words. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from ctiforge.errors import ExitCode
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.settings import RunResult

GATE = "promote"
"""The program of the stage that asks the gate."""
IS_BAD = ("failed", "interrupted", "cancelled")


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    run: RunRecord
    kind: RunResult | None
    """None where it did not end by itself: interrupted or cancelled."""
    began: bool = True
    """False where the launcher could not even start it: the record says why, and has no stages."""

    @property
    def stage(self) -> StageRecord | None:
        """The stage that it ended badly at, or whose gate was not passed."""
        bad = (each for each in self.run.stages if each.state in IS_BAD or each.exit_code)
        return next(bad, None)

    @property
    def words(self) -> str:
        """One line for people: the run, what came of it and why."""
        if not self.began:
            return f"{self.run.id} cannot start: {self.run.reason}"
        if self.kind in (None, "failed"):
            place = f" at {self.stage.name}" if self.stage else ""
            why = self.stage.cause.summary if self.stage and self.stage.cause else self.run.reason
            return f"{self.run.id} {self.run.state}{place}" + (f": {why}" if why else "")
        said = self.stage.last_lines[-1:] if self.stage else []
        return ": ".join([f"{self.run.id}: {_MEANINGS[self.kind]}", *said])


_MEANINGS = {
    "refused": "the gate refused the new model",
    "promoted": "the new model is in use",
    "waiting": "the new model passed the gate and waits for a person (ctiforge approve)",
    "nothing-new": "nothing new to train on",
    "trained": "a new model is trained",
}


def result_of(run: RunRecord, live: Collection[str], *, was_promoted: bool, approval: bool) -> Result:
    """Say what came of a run.

    Args:
        run: Its record, as it ended.
        live: The names of its stages that do their work in every run.
        was_promoted: Whether a model became the champion of the line since the run began.
        approval: Whether a person has to approve what passes the gate.

    Returns:
        The result. A night on which every other stage was cached is `nothing-new`, also where the gate refused the
        same model once more.
    """
    if run.state != "done":
        return Result(run, "failed" if run.state == "failed" else None)
    gate = next((each for each in run.stages if each.program == GATE and each.state == "done"), None)
    if gate and gate.exit_code == ExitCode.DONE and was_promoted:
        return Result(run, "promoted")
    if all(each.state in ("cached", "skipped") for each in run.stages if each.name not in live):
        return Result(run, "nothing-new")
    if gate is None:
        return Result(run, "trained")
    if gate.exit_code == ExitCode.GATE:
        return Result(run, "refused")
    return Result(run, "waiting" if approval else "trained")
