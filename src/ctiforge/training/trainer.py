"""One fine-tuning run: steps derived from the data, saved and stoppable at any step."""

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerControl, TrainerState

from ctiforge.errors import CannotGoOnError, InterruptedRunError
from ctiforge.progress import warn
from ctiforge.records.training import CurvePoint, MicroBatch, StepPlan
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.training.arguments import make_arguments
from ctiforge.training.batches import Collator, LengthBucketSampler, Rows
from ctiforge.training.callbacks import (
    Interruption,
    ProgressLines,
    Stops,
    Updating,
    stopped_improving,
    validation_ranks,
)
from ctiforge.training.checkpoints import CheckpointWriter
from ctiforge.training.choice import ItemChoice, auc, choice_loss, leanings
from ctiforge.training.encoding import IGNORE
from ctiforge.training.finite import check_weights, no_number
from ctiforge.training.memory import check_disk, tensor_bytes
from ctiforge.training.numerics import Numerics
from ctiforge.training.options import TrainingOptions
from ctiforge.training.steps import Steps, derive_steps

# The names that the trainer resumes from.
STATE = "trainer_state.json"
WEIGHTS = "pytorch_model.bin"


@dataclass(frozen=True)
class Kind:
    """What one line's training differs in from another's."""

    stage: str
    """The program's name, for progress lines."""
    collator: Collator
    """Rows into a batch; the batch's first tensor has one element or row for each of them."""
    numerics: Numerics
    """The types of weights, passes and optimizer."""
    mend: str
    """What a person can do about a GPU whose memory does not suffice."""
    choice: ItemChoice | None = None
    """Where an answer with items leaves an empty one; None where answers are of another kind."""
    choice_weight: float = 0.0
    """What the mean loss of that choice over windows weighs beside the mean loss of all tokens."""
    judge: Callable[[], float] | None = None
    """Gives F1 of the model as it is, 0 to 1, higher is better: then that decides before the loss; None: loss alone."""
    name: str | None = None
    """What the model is called, for a tracker."""


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
        }


def train(
    model: Any,
    train_rows: Rows[Any],
    validation_rows: Rows[Any],
    kind: Kind,
    options: TrainingOptions,
    checkpoints: Checkpoints,
    scratch: Path,
) -> TrainingResult:
    """Train a model in place; it ends with the weights of the lowest validation loss.

    Goes on from the newest whole checkpoint. SIGTERM or Ctrl-C ends the step and saves. Out of GPU memory,
    it goes on with at most half the micro-batch and the same effective batch.

    Args:
        model: The model on its device; its parameters with `requires_grad` are trained.
        train_rows: The training examples.
        validation_rows: The examples of each validation; empty: there is none, and the last weights are the result.
        kind: What differs from line to line.
        options: Length, speed and batch.
        checkpoints: Where the state outlives this process.
        scratch: A folder of this machine for files on their way there and for the best weights.

    Returns:
        The log, the steps, the best validation loss and the micro-batches used.

    Raises:
        InterruptedRunError: The training was told to end, and its state is saved.
        UsageError: The very first loss is no number in fp16, whose range the model exceeds.
        CannotGoOnError: Memory does not suffice for one example at once, the disk is too small, attempts keep
            ending before a newer checkpoint, or a loss or weight is no number; the last finite checkpoint is kept.
        StoreError: The store does not answer.
    """
    steps = derive_steps(len(train_rows), options)
    check_disk(scratch, checkpoints.store.folder, tensor_bytes(trainable(model).values()))
    started = time.monotonic()
    writer = CheckpointWriter(checkpoints, scratch)
    checkpoint = writer.begin(f"micro-batch {options.batch_size}", resume=options.resume)
    resumed_from = writer.newest
    used = [_micro_batch(options, resumed_from)]
    state = _state_of_finished(checkpoint, steps, options)
    with writer, Interruption() as interruption:
        while not state:
            trainer = _trainer(model, train_rows, validation_rows, kind, options, steps, writer, interruption)
            if _ran_to_its_end(trainer, checkpoint, kind):
                state = trainer.state
                break
            at = trainer.state.global_step
            options = _with_less_memory(options, at, kind)
            used.append(_micro_batch(options, at))
            checkpoint = _state_kept(trainer)
            del trainer
            _free_gpu_memory()
        blocked = writer.blocked_s
        writer.wait()
        check_weights(model, state.global_step, resumed_from)
        if interruption.came:
            raise _interrupted(state.global_step, steps, writer)
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
    )


def trainable(model: Any) -> dict[str, torch.Tensor]:
    """Collect the parameters that training changes, by name; tied ones once."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def _micro_batch(options: TrainingOptions, from_step: int) -> MicroBatch:
    return MicroBatch(
        batch_size=options.batch_size,
        gradient_accumulation_steps=options.gradient_accumulation_steps,
        from_step=from_step,
    )


class ResumableTrainer(Trainer):
    """The trainer with batches of like lengths, and with checkpoints that are written beside its loop.

    Its own `group_by_length` learns far worse. A checkpoint is what `Trainer.train` resumes from,
    with the trainable parameters alone for weights.
    """

    control: TrainerControl

    def __init__(self, writer: CheckpointWriter, kind: Kind, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.writer = writer
        self.kind = kind
        if kind.numerics.scales_loss and self.accelerator.scaler is None:
            # accelerate computes in fp16 on a GPU alone; torch does on a CPU as well
            self.accelerator.native_amp = True
            self.accelerator.scaler = torch.amp.GradScaler(self.accelerator.device.type)

    # private hook of transformers: no public argument takes a sampler
    def _get_train_sampler(self, train_dataset: Any = None) -> LengthBucketSampler:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        return LengthBucketSampler(rows.lengths, self._effective_batch, self.args.seed)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss; one that is no number ends the training before it changes a weight."""
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if self.kind.choice and self.kind.choice_weight and model.training:
            summed = choice_loss(outputs.logits, inputs["labels"], self.kind.choice)
            # as the model's own loss: a mean of the step's batch, else of this micro-batch
            of_step = self.model_accepts_loss_kwargs and num_items_in_batch is not None
            windows = self._effective_batch if of_step else len(inputs["labels"])
            loss = loss + self.kind.choice_weight * summed / windows
        if not torch.isfinite(loss):
            raise no_number(self.state.global_step, self.writer.newest, self.kind.numerics)
        return (loss, outputs) if return_outputs else loss

    @property
    def _effective_batch(self) -> int:
        return int(self.args.train_batch_size * self.args.gradient_accumulation_steps)

    def evaluate(self, *arguments: Any, **named: Any) -> dict[str, float]:
        """Evaluate, in smaller batches where memory is short."""
        while True:
            size = self.args.per_device_eval_batch_size
            try:
                metrics = self._validate()
                self.log(metrics)
                self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
                return metrics
            except torch.OutOfMemoryError:
                if size == 1:
                    raise CannotGoOnError(
                        f"out of GPU memory in an evaluation with one example at once: {self.kind.mend}"
                    ) from None
            # outside the except clause, where the error no longer holds on to what was computed
            self.args.per_device_eval_batch_size = size // 2
            _free_gpu_memory()
            warn(f"out of GPU memory in an evaluation with {size} examples at once: again with {size // 2}")

    def _validate(self) -> dict[str, float]:
        """Average the loss over everything that is predicted, whatever batches it lies in; beside it the choice."""
        model, total, count, leaning = self.model, 0.0, 0, list[tuple[float, bool]]()
        model.eval()
        with torch.no_grad():
            for batch in self.get_eval_dataloader():
                inputs = self._prepare_inputs(batch)
                predicted = int((inputs["labels"] != IGNORE).sum())
                with self.compute_loss_context_manager():
                    loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
                total, count = total + float(loss) * predicted, count + predicted
                if self.kind.choice:
                    found = leanings(outputs.logits, inputs["labels"], self.kind.choice)
                    leaning += [each for each in found if each]
            share = auc(leaning)
            with self.accelerator.autocast():
                f1 = self.kind.judge() if self.kind.judge else None
        told = {"eval_loss": total / count, "eval_choice_auc": share, "eval_f1": f1}
        return {name: value for name, value in told.items() if value is not None}

    # private hook: the one place that knows a new best while its weights are still in the model
    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        *before, now = validation_ranks(self.state)
        better = all(now < each for each in before)
        if better:
            self.state.best_metric, self.state.best_global_step = metrics["eval_loss"], self.state.global_step
            self.writer.keep_best(trainable(self.model))
        return better

    # private hook: the original writes whole models to a folder and stops the loop for it
    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # these helpers write what `train(resume_from_checkpoint=…)` reads back, under its own file names
        self.store_flos()
        step = self.state.global_step
        check_weights(self.model, step, self.writer.newest)
        folder = self.writer.new_folder(step)
        self._save_scaler(str(folder))
        self._save_rng_state(str(folder))
        torch.save(self.lr_scheduler.state_dict(), folder / "scheduler.pt")
        self.state.save_to_json(str(folder / STATE))
        large = {WEIGHTS: trainable(self.model), "optimizer.pt": self.optimizer.state_dict()}
        self.writer.save(step, folder, large)


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
    trainer = ResumableTrainer(
        writer,
        kind,
        model=model,
        args=make_arguments(
            options, steps, writer.scratch, device, kind.numerics, evaluates=len(validation_rows) > 0, name=kind.name
        ),
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=kind.collator,
        callbacks=[
            interruption,
            ProgressLines(kind.stage, steps.total),
            Stops(writer, steps, options.early_stopping_patience),
        ],
    )
    # The progress lines say the same.
    trainer.remove_callback(PrinterCallback)
    return trainer


def _state_of_finished(checkpoint: Path | None, steps: Steps, options: TrainingOptions) -> TrainerState | None:
    """Read the state in a checkpoint that has nothing left to train: the trainer itself would add a step."""
    if not checkpoint:
        return None
    state = TrainerState.load_from_json(str(checkpoint / STATE))
    finished = state.global_step >= steps.total or stopped_improving(state, options.early_stopping_patience)
    return state if finished else None


def _load_result(model: Any, best: Path, checkpoint: Path | None) -> None:
    """Load the best weights; those of the checkpoint where nothing was evaluated, nor trained since."""
    file = best if best.exists() else checkpoint and checkpoint / WEIGHTS
    if file:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), strict=False)


def _ran_to_its_end(trainer: ResumableTrainer, checkpoint: Path | None, kind: Kind) -> bool:
    """Train; False when the GPU's memory did not suffice."""
    updating = Updating()
    trainer.add_callback(updating)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
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


def _free_gpu_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
