"""One fine-tuning run: steps derived from the data, loss on answers, saved and stoppable at any step."""

import math
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from ctiforge.errors import InterruptedRunError
from ctiforge.progress import Progress
from ctiforge.training.batches import AnswerCollator, LengthBucketSampler, Rows
from ctiforge.training.checkpoints import newest_complete
from ctiforge.training.models import compute_dtype
from ctiforge.training.options import TrainingOptions


@dataclass(frozen=True)
class Steps:
    """Steps of one run, in optimizer updates."""

    per_epoch: int
    total: int
    warmup: int
    save_every: int
    evaluate_every: int


@dataclass(frozen=True)
class TrainingResult:
    """What came out: the trainer's log lines, and the step whose weights are the result."""

    log: list[dict[str, float]]
    steps: Steps
    steps_done: int
    best_step: int
    best_validation_loss: float | None
    stopped_early: bool
    seconds: float


def derive_steps(examples: int, options: TrainingOptions) -> Steps:
    """Steps from the data, so that 40 examples and 40,000 both evaluate and save: `min(flag, one epoch)`."""
    per_epoch = max(1, math.ceil(examples / options.effective_batch))
    total = options.max_steps or max(1, math.ceil(per_epoch * options.epochs))
    evaluate_every = max(1, min(options.eval_steps, per_epoch, total))
    wanted = max(1, min(options.save_steps, per_epoch, total))
    # The best weights can only be restored where a checkpoint was saved with its evaluation.
    save_every = max(evaluate_every, wanted // evaluate_every * evaluate_every)
    return Steps(per_epoch, total, round(total * options.warmup_ratio), save_every, evaluate_every)


def train(
    model: Any, train_rows: Rows, validation_rows: Rows, pad_token_id: int, options: TrainingOptions, scratch: Path
) -> TrainingResult:
    """Train `model` in place; it ends with the weights of the lowest validation loss.

    Checkpoints go to `scratch`; a complete one found there is gone on from. SIGTERM or Ctrl-C ends the
    step, saves and raises InterruptedRunError.
    """
    steps = derive_steps(len(train_rows), options)
    device = next(model.parameters()).device
    interruption = _Interruption()
    callbacks: list[TrainerCallback] = [interruption, _ProgressLines(steps.total)]
    if len(validation_rows):
        callbacks.append(EarlyStoppingCallback(options.early_stopping_patience))
    trainer = _BucketTrainer(
        model=model,
        args=_arguments(options, steps, scratch, device, evaluates=len(validation_rows) > 0),
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=AnswerCollator(pad_token_id),
        callbacks=callbacks,
    )
    # The progress lines say the same.
    trainer.remove_callback(PrinterCallback)
    with interruption:
        checkpoint = newest_complete(scratch) if options.resume else None
        output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    state = trainer.state
    if interruption.came:
        raise InterruptedRunError(
            f"interrupted at step {state.global_step} of {steps.total}; its state is saved: "
            "the same command goes on from there"
        )
    return TrainingResult(
        log=state.log_history,
        steps=steps,
        steps_done=state.global_step,
        best_step=state.best_global_step or state.global_step,
        best_validation_loss=state.best_metric,
        stopped_early=state.global_step < steps.total,
        seconds=float(output.metrics["train_runtime"]),
    )


class _BucketTrainer(Trainer):
    """The trainer with batches of like lengths; its own `group_by_length` learns far worse."""

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthBucketSampler:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        return LengthBucketSampler(rows.lengths, self.args.train_batch_size, self.args.seed)


class _ProgressLines(TrainerCallback):
    """Steps, loss and validation loss as progress lines."""

    def __init__(self, total: int) -> None:
        self.progress = Progress("train_extract", total)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.__enter__()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.update(state.global_step)

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        shown = {"loss": "loss", "eval_loss": "validation_loss"}
        metrics = {shown[name]: float(value) for name, value in (logs or {}).items() if name in shown}
        self.progress.update(state.global_step, metrics)

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.__exit__(None, None, None)


class _Interruption(TrainerCallback):
    """On SIGTERM or SIGINT: finish the step, save, stop. A second signal ends the program at once."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        if self.came:
            control.should_save = True
            control.should_training_stop = True
        return control

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.came = True
        signal.signal(number, self._before[number])


def _arguments(
    options: TrainingOptions, steps: Steps, scratch: Path, device: torch.device, *, evaluates: bool
) -> TrainingArguments:
    dtype = compute_dtype(device)
    return TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        gradient_accumulation_steps=options.gradient_accumulation_steps,
        max_steps=steps.total,
        learning_rate=options.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=steps.warmup,
        weight_decay=options.weight_decay,
        adam_beta2=options.adam_beta2,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=steps.evaluate_every,
        save_strategy="steps",
        save_steps=steps.save_every,
        save_total_limit=2,
        load_best_model_at_end=evaluates,
        metric_for_best_model="eval_loss" if evaluates else None,
        greater_is_better=False if evaluates else None,
        logging_steps=max(1, min(10, steps.evaluate_every)),
        prediction_loss_only=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        use_cpu=device.type == "cpu",
        bf16=dtype is torch.bfloat16,
        fp16=dtype is torch.float16,
        seed=options.seed,
        disable_tqdm=True,
        report_to=options.report_to,
    )
