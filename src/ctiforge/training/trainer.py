"""One fine-tuning run: steps derived from the data, saved and stoppable at any step."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState

from ctiforge.errors import CannotGoOnError, InterruptedRunError, UsageError
from ctiforge.pod.ranks import OutOfMemoryOnRankError
from ctiforge.progress import warn
from ctiforge.records.training import CurvePoint, MicroBatch, StepPlan
from ctiforge.training.arguments import make_arguments
from ctiforge.training.batches import LengthBucketSampler, Rows
from ctiforge.training.callbacks import (
    Interruption,
    ProgressLines,
    Stops,
    Throughput,
    Updating,
    missed_look,
    stopped_improving,
)
from ctiforge.training.checkpoints import CheckpointWriter
from ctiforge.training.finite import check_weights
from ctiforge.training.memory import check_disk, tensor_bytes
from ctiforge.training.options import TrainingOptions
from ctiforge.training.parts import is_sharded
from ctiforge.training.randomness import OwnRandomness
from ctiforge.training.ranks import ALONE, Ranks
from ctiforge.training.resumable import (
    STATE,
    WEIGHTS,
    Kind,
    NothingLeftError,
    ResumableTrainer,
    free_gpu_memory,
    trainable,
)
from ctiforge.training.steps import Steps, derive_steps

if TYPE_CHECKING:
    from ctiforge.store.checkpoints import Checkpoints


@dataclass(frozen=True)
class TrainingResult:
    """What came out: the trainer's log lines, and the step whose weights are the result."""

    log: list[dict[str, float]]
    steps: Steps
    steps_done: int
    best_step: int
    best_validation_loss: float | None
    stopped_early: bool
    resumed_from: int
    """The step of the checkpoint that this attempt went on from; 0: from the beginning."""
    micro_batches: tuple[MicroBatch, ...]
    """The first, and each smaller one that a lack of memory forced."""
    checkpoints_blocked_s: float
    """Seconds that training waited for checkpoints."""
    seconds: float
    tokens_per_s: float | None
    """Tokens that all ranks learnt from in a second of this attempt's steps; None: it did none, or is not first."""

    def as_record(self) -> dict[str, Any]:
        """Make the fields of a `Training` that are about the run itself."""
        at_best = [line for line in self.log if line["step"] == self.best_step]
        return {
            "steps": StepPlan(**asdict(self.steps)),
            "steps_done": self.steps_done,
            "best_step": self.best_step,
            "best_validation_loss": self.best_validation_loss,
            "best_validation_f1": next((line["eval_f1"] for line in at_best if "eval_f1" in line), None),
            "stopped_early": self.stopped_early,
            "resumed_from_step": self.resumed_from,
            "micro_batches": self.micro_batches,
            "checkpoints_blocked_s": self.checkpoints_blocked_s,
            "validation_curve": tuple(
                CurvePoint(
                    step=int(line["step"]),
                    loss=line["eval_loss"],
                    choice_auc=line.get("eval_choice_auc"),
                    f1=line.get("eval_f1"),
                )
                for line in self.log
                if "eval_loss" in line
            ),
            "seconds": round(self.seconds, 1),
            "tokens_per_s": self.tokens_per_s and round(self.tokens_per_s, 1),
        }


def train(
    model: Any,
    train_rows: Rows[Any],
    validation_rows: Rows[Any],
    kind: Kind,
    options: TrainingOptions,
    checkpoints: "Checkpoints",
    scratch: Path,
    ranks: Ranks = ALONE,
) -> TrainingResult:
    """Train a model in place; it ends with the weights of the lowest validation loss.

    Goes on from the newest whole checkpoint. SIGTERM or Ctrl-C ends the step, or the look at the validation after it,
    and saves. Out of GPU memory, it goes on with at most half the micro-batch and the same effective batch.

    Of several ranks each computes its share of every step; checkpoints, progress and the result are the first's.

    Args:
        model: The model on its device; its parameters with `requires_grad` are trained.
        train_rows: The training examples.
        validation_rows: The examples of each validation; empty: there is none, and the last weights are the result.
        kind: What differs from line to line.
        options: Length, speed and batch.
        checkpoints: Where the state outlives this process.
        scratch: A folder of this machine for files on their way there and for the best weights.
        ranks: This process among those that train the model together and share each step.

    Returns:
        The log, the steps, the best validation loss and the micro-batches used.

    Raises:
        InterruptedRunError: The training was told to end, and its state is saved.
        UsageError: The very first loss is no number in fp16, whose range the model exceeds; or the checkpoint is of a
            sharded model and this one is not, or the other way round.
        CannotGoOnError: Memory does not suffice for one example at once, the disk is too small, attempts keep
            ending before a newer checkpoint, or a loss or weight is no number; the last finite checkpoint is kept.
        OutOfMemoryOnRankError: This rank's memory does not suffice: all must begin again with a smaller micro-batch.
        StoreError: The store does not answer.
    """
    options = options.for_ranks(ranks.count)
    # one machine may have less memory than another
    smallest = min(ranks.gather(options.batch_size))
    options = replace(options, batch_size=smallest, gradient_accumulation_steps=options.effective_batch // smallest)
    steps = derive_steps(len(train_rows), options)
    if ranks.is_first:
        check_disk(scratch, checkpoints.store.folder, tensor_bytes(trainable(model).values()))
    started = time.monotonic()
    writer = _writer(model, checkpoints, scratch, ranks)
    checkpoint = writer.begin(f"micro-batch {options.batch_size}", resume=options.resume)
    _check_kind(checkpoint, writer.newest, model)
    resumed_from = writer.newest
    used = [_micro_batch(options, resumed_from)]
    state = _state_of_finished(checkpoint, steps, options, looks=len(validation_rows) > 0)
    throughput = Throughput(LengthBucketSampler(train_rows.lengths, options.effective_batch, options.seed))
    with writer, Interruption(ranks) as interruption:
        while not state:
            trainer = _trainer(model, train_rows, validation_rows, kind, options, steps, writer, interruption)
            if ranks.is_first:
                trainer.add_callback(throughput)
            if _ran_to_its_end(trainer, checkpoint, kind):
                state = trainer.state
                break
            at = trainer.state.global_step
            if ranks.count > 1:
                # the others are in the middle of the step
                raise OutOfMemoryOnRankError(f"out of GPU memory at step {at + 1}")
            options = _with_less_memory(options, at, kind)
            used.append(_micro_batch(options, at))
            checkpoint = _state_kept(trainer)
            del trainer
            free_gpu_memory()
        blocked = writer.blocked_s
        writer.wait()
        check_weights(model, state.global_step, resumed_from)
        if interruption.agreed():
            raise _interrupted(state.global_step, steps, writer)
    if ranks.is_first or is_sharded(model):
        _load_result(model, writer.best, checkpoint if state.global_step == resumed_from else None)
    return TrainingResult(
        log=state.log_history,
        steps=steps,
        steps_done=state.global_step,
        best_step=state.best_global_step or state.global_step,
        best_validation_loss=state.best_metric,
        stopped_early=state.global_step < steps.total,
        resumed_from=resumed_from,
        micro_batches=tuple(used),
        checkpoints_blocked_s=round(blocked, 3),
        seconds=time.monotonic() - started,
        tokens_per_s=throughput.tokens_per_s,
    )


def _writer(model: Any, checkpoints: "Checkpoints", scratch: Path, ranks: Ranks) -> CheckpointWriter:
    if not is_sharded(model):
        return CheckpointWriter(checkpoints, scratch, ranks)
    from ctiforge.training.sharded_checkpoints import ShardedCheckpointWriter

    return ShardedCheckpointWriter(checkpoints, scratch, ranks)


def _check_kind(checkpoint: Path | None, step: int, model: Any) -> None:
    if checkpoint and (checkpoint / WEIGHTS).exists() == is_sharded(model):
        saved, now = ("without", "with") if is_sharded(model) else ("with", "without")
        raise UsageError(
            f"the checkpoint of step {step} was saved {saved} --fsdp, and this training is {now} it: "
            f"go on {saved} it, or begin anew with --no-resume"
        )


def _micro_batch(options: TrainingOptions, from_step: int) -> MicroBatch:
    return MicroBatch(
        batch_size=options.batch_size,
        gradient_accumulation_steps=options.gradient_accumulation_steps,
        from_step=from_step,
    )


def _trainer(
    model: Any,
    train_rows: Rows[Any],
    validation_rows: Rows[Any],
    kind: Kind,
    options: TrainingOptions,
    steps: Steps,
    writer: CheckpointWriter,
    interruption: Interruption,
) -> ResumableTrainer:
    device = next(model.parameters()).device
    looks = len(validation_rows) > 0
    trainer = _trainer_of(model)(
        writer,
        kind,
        interruption,
        model=model,
        args=make_arguments(
            options,
            steps,
            writer.scratch,
            device,
            kind.numerics,
            evaluates=looks,
            ranks=writer.ranks,
            name=kind.name,
        ),
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=kind.collator,
        callbacks=[
            interruption,
            *([ProgressLines(kind.stage, steps.total)] if writer.ranks.is_first else []),
            Stops(writer, steps, options.early_stopping_patience),
            OwnRandomness(writer.ranks),
        ],
    )
    # The progress lines say the same.
    trainer.remove_callback(PrinterCallback)
    if looks:
        trainer.add_callback(_MakesUpFirst(trainer, steps))
    return trainer


class _MakesUpFirst(TrainerCallback):
    """Does the look that an interruption cut short, as soon as the checkpoint's state is there."""

    def __init__(self, trainer: ResumableTrainer, steps: Steps) -> None:
        self._trainer, self._steps = trainer, steps

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._trainer.make_up_look(self._steps)


def _trainer_of(model: Any) -> type[ResumableTrainer]:
    if not is_sharded(model):
        return ResumableTrainer
    from ctiforge.training.sharded_trainer import ShardedTrainer

    return ShardedTrainer


def _state_of_finished(
    checkpoint: Path | None, steps: Steps, options: TrainingOptions, *, looks: bool
) -> TrainerState | None:
    """Read the state in a checkpoint that has nothing left to do: the trainer itself would add a step."""
    if not checkpoint:
        return None
    state = TrainerState.load_from_json(str(checkpoint / STATE))
    if looks and missed_look(state, steps):
        return None
    finished = state.global_step >= steps.total or stopped_improving(state, options.early_stopping_patience)
    return state if finished else None


def _load_result(model: Any, best: Path, checkpoint: Path | None) -> None:
    """Load the best weights; those of the checkpoint where nothing was evaluated, nor trained since."""
    if is_sharded(model):
        from ctiforge.training.sharded_checkpoints import STATE_SHARDS
        from ctiforge.training.sharded_trainer import load_weights

        if shards := best if best.exists() else checkpoint and checkpoint / STATE_SHARDS:
            load_weights(model, shards)
        return
    file = best if best.exists() else checkpoint and checkpoint / WEIGHTS
    if file:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), strict=False)


def _ran_to_its_end(trainer: ResumableTrainer, checkpoint: Path | None, kind: Kind) -> bool:
    """Train; False when the GPU's memory did not suffice."""
    updating = Updating()
    trainer.add_callback(updating)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except NothingLeftError:
        trainer.callback_handler.on_train_end(trainer.args, trainer.state, trainer.control)
    except torch.OutOfMemoryError as error:
        if updating.now:
            raise CannotGoOnError(
                f"the GPU has no memory for the optimizer's step ({_first_line(error)}), whatever the batch: "
                f"{kind.mend}"
            ) from None
        return False
    return True


def _with_less_memory(options: TrainingOptions, step: int, kind: Kind) -> TrainingOptions:
    if options.batch_size == 1:
        raise CannotGoOnError(f"out of GPU memory at step {step + 1} with one example at once: {kind.mend}")
    smaller = options.with_smaller_micro_batch()
    warn(
        f"out of GPU memory at step {step + 1} with --batch-size {options.batch_size}: going on with "
        f"--batch-size {smaller.batch_size} --gradient-accumulation-steps {smaller.gradient_accumulation_steps}"
    )
    return smaller


def _state_kept(trainer: ResumableTrainer) -> Path | None:
    """Fetch the checkpoint of the last step that was finished; a step that was not has changed no weights."""
    writer = trainer.writer
    writer.wait()
    if trainer.state.global_step == writer.newest:
        # nothing new: at the very beginning there is no checkpoint, and the weights are the initial ones
        return writer.fetch_newest()
    # the hook is called by hand: the trainer itself saves only at a step that it finishes
    trainer._save_checkpoint(trainer.model, None)
    writer.wait()
    if writer.failure:
        raise writer.failure
    return writer.fetch_newest()


def _interrupted(step: int, steps: Steps, writer: CheckpointWriter) -> Exception:
    if writer.failure:
        return writer.failure
    return InterruptedRunError(
        f"interrupted at step {step} of {steps.total}; its state is saved: the same command goes on from there"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
