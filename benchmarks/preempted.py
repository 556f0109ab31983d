"""`preempted.py LOG KILL FLAGS…`: jobs/train_extract.py, with every step noted in LOG, ended at one by a signal.

KILL is `never`, or like `SIGKILL@17`: in the middle of step 17's bookkeeping, after its weights have
changed. LOG gets `imported SECONDS` and one line `STEP SECONDS` for each finished step (Unix time).
"""

import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def main(log: Path, kill: str, flags: list[str]) -> None:
    """Train and, at its step, send the signal to this process."""
    import ctiforge.extract.train  # noqa: F401  (what the program imports when it begins to work)
    from ctiforge.training.callbacks import ProgressLines

    number, _, at = kill.partition("@")
    with log.open("a", buffering=1) as file:
        file.write(f"imported {time.time()}\n")
        on_step_end = ProgressLines.on_step_end

        def noted(self: Any, args: Any, state: Any, control: Any, **named: Any) -> None:
            on_step_end(self, args, state, control, **named)
            file.write(f"{state.global_step} {time.time()}\n")
            if at == str(state.global_step):
                os.kill(os.getpid(), signal.Signals[number])

        ProgressLines.on_step_end = noted  # type: ignore[method-assign]
        sys.argv = ["train_extract.py", *flags]
        runpy.run_path(str(ROOT / "jobs" / "train_extract.py"), run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
