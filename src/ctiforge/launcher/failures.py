"""Why a run ended other than well, in words: a stage that failed, a signal, a crash of the launcher."""

from ctiforge.errors import CtiforgeError, ExitCode
from ctiforge.launcher.backend import Outcome
from ctiforge.records.run import State

STOPPED = "stopped by Ctrl-C; nothing half-written is kept, the same command goes on from here"
CANCELLED = "the run was cancelled; the same command starts it again"
MEANINGS = {
    int(ExitCode.USAGE): "usage or configuration error",
    int(ExitCode.DATA): "data error",
    int(ExitCode.CANNOT_GO_ON): "cannot go on on this machine",
    int(ExitCode.GATE): "the gate was not passed",
    int(ExitCode.INTERRUPTED): "interrupted, its state is saved",
    137: "killed, perhaps out of memory",
}


_REFUSED = "what it made did not pass its own check"
"""Of a stage that ended so without an artifact; the gate's decision is one."""


class StageFailedError(CtiforgeError):
    """A stage ended badly; the run ends with its exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def stage_failure(name: str, outcome: Outcome, log: str = "") -> StageFailedError:
    """Say how a stage's program has ended badly.

    Args:
        name: The stage.
        outcome: How it ended.
        log: Where its whole log is, or why there is none; "" where that is not told.

    Returns:
        The error to raise: its exit code, the cluster's cause and its last lines.
    """
    meaning = _REFUSED if outcome.exit_code == ExitCode.GATE else MEANINGS.get(outcome.exit_code, "a crash")
    lines = [f"{name} ended with exit code {outcome.exit_code} ({meaning})"]
    lines += outcome.cause.lines() if outcome.cause else []
    lines += ["its last lines:", *(f"  {line}" for line in outcome.last_lines)] if outcome.last_lines else []
    lines.append(f"{log}; the same command goes on from here" if log else "the same command goes on from here")
    return StageFailedError("\n".join(lines), outcome.exit_code)


def how_it_ended(error: BaseException) -> tuple[State, int | None, str]:
    """Say what a run's record keeps of the error that ends the run.

    Args:
        error: What was raised.

    Returns:
        The run's state, its exit code (None where a signal or a crash of the launcher ended it), and why, in one line.
    """
    if isinstance(error, CtiforgeError):
        state: State = "interrupted" if error.exit_code == ExitCode.INTERRUPTED else "failed"
        return state, int(error.exit_code), str(error).partition("\n")[0]
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None, "the launcher was stopped by Ctrl-C"
    if isinstance(error, SystemExit):
        return "interrupted", None, "the launcher was stopped by SIGTERM"
    return "interrupted", None, f"the launcher broke: {type(error).__name__}: {error}"
