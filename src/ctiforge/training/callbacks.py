"""What watches a training run from its side: progress lines, stops, signals."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from ctiforge.errors import InterruptedRunError
from ctiforge.progress import Progress
from ctiforge.training.batches import LengthBucketSampler
from ctiforge.training.checkpoints import CheckpointWriter
from ctiforge.training.ranks import Ranks
from ctiforge.training.steps import Steps


class ProgressLines(TrainerCallback):
    """Steps, loss and validation loss as progress lines."""

    def __init__(self, stage: str, total: int) -> None:
        self.progress = Progress(stage, total)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.__enter__()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.update(state.global_step)

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        shown = {"loss": "loss", "eval_loss": "validation_loss", "eval_choice_auc": "choice_auc", "eval_f1": "f1"}
        metrics = {shown[name]: float(value) for name, value in (logs or {}).items() if name in shown}
        self.progress.update(state.global_step, metrics)

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.__exit__(None, None, None)


class Stops(TrainerCallback):
    """Ends training when the validation loss has not fallen for some evaluations, and bounds what a crash can cost."""

    def __init__(self, writer: CheckpointWriter, steps: Steps, patience: int) -> None:
        self.writer = writer
        self.steps = steps
        self.patience = patience

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # what the checkpoint remembers may come from other flags
        state.save_steps = self.steps.save_every

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step + 1 - self.writer.newest > self.steps.at_risk:
            self.writer.wait()

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if stopped_improving(state, self.patience):
            control.should_training_stop = True


def stopped_improving(state: TrainerState, patience: int) -> bool:
    """Tell whether so many evaluations brought nothing better; a resumed run finds the log in its checkpoint."""
    ranks = validation_ranks(state)
    return bool(ranks) and len(ranks) - 1 - ranks.index(min(ranks)) >= patience


def validation_ranks(state: TrainerState) -> list[tuple[float, float]]:
    """Rank the evaluations so far, the smallest best: by F1 where it is judged, then by loss."""
    looks = [line for line in state.log_history if "eval_loss" in line]
    return [(-line.get("eval_f1", 0.0), line["eval_loss"]) for line in looks]


def missed_look(state: TrainerState, steps: Steps) -> bool:
    """Tell whether an interruption came before the look that was to follow the step a checkpoint stands for."""
    at = state.global_step
    due = at > 0 and (at % state.eval_steps == 0 or at >= steps.total)
    return due and at not in [line["step"] for line in state.log_history if "eval_loss" in line]


class Updating(TrainerCallback):
    """Knows whether the optimizer is at work: then the weights are neither the old ones nor the new."""

    def __init__(self) -> None:
        self.now = False

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.now = True

    def on_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.now = False


class Throughput(TrainerCallback):
    """Counts the tokens that a training learns from, and its seconds without looks and checkpoints."""

    def __init__(self, order: LengthBucketSampler, now: Callable[[], float] = time.monotonic) -> None:
        self._order = order
        self._now = now
        self._epoch, self._of_steps = -1, list[int]()
        self._tokens, self._seconds, self._since = 0, 0.0, 0.0

    @property
    def tokens_per_s(self) -> float | None:
        """Tell the tokens that all ranks together learnt from in a second; None before the first step."""
        return self._tokens / self._seconds if self._seconds else None

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._since = self._now()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        epoch, step = divmod(state.global_step - 1, -(-len(self._order) // self._order.batch_size))
        if epoch != self._epoch:
            self._order.set_epoch(epoch)
            self._epoch, self._of_steps = epoch, self._order.tokens_of_steps().tolist()
        self._tokens += self._of_steps[step]
        self._seconds += self._now() - self._since
        self._since = self._now()

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._since = self._now()

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._since = self._now()


class Interruption(TrainerCallback):
    """On SIGTERM or SIGINT: finish the step, save, stop. A second signal ends the program at once.

    A look at the validation is cut short, and done again by whoever goes on. Of several ranks all stop after the same
    step, whichever the signal reached first.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.came = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        if self.agreed():
            control.should_evaluate = False
            control.should_save = True
            control.should_training_stop = True
        return control

    def agreed(self) -> bool:
        """Tell whether a signal has come to any rank; all ask together, and get the same answer."""
        return self._ranks.any(self.came)

    @contextmanager
    def look(self) -> Iterator[Callable[[], object]]:
        """Look at the validation, which a signal to any rank cuts short; ranks may have more to do than others.

        Yields:
            What is called between two pieces of the work.

        Raises:
            InterruptedRunError: A signal has come; all ranks get it.
        """

        def ask(working: bool) -> bool:
            came, others = self._ranks.sum([self.came, working])
            if came:
                raise InterruptedRunError("interrupted in the middle of a look at the validation")
            return others > 0

        yield partial(ask, True)
        while ask(False):
            pass

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.came = True
        signal.signal(number, self._before[number])
