"""transformers' trainer with our batches, validation and checkpoints, alone or as one of several ranks."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerControl

from ctiforge.errors import CannotGoOnError, InterruptedRunError
from ctiforge.pod.ranks import OutOfMemoryOnRankError
from ctiforge.progress import warn
from ctiforge.training.batches import Collator, LengthBucketSampler, MicroBatches, MicroBatchLoader, NeverEmpty, evenly
from ctiforge.training.callbacks import Interruption, missed_look, validation_ranks
from ctiforge.training.checkpoints import CheckpointWriter
from ctiforge.training.choice import ItemChoice, auc, choice_loss, leanings
from ctiforge.training.encoding import IGNORE
from ctiforge.training.finite import check_weights, no_number
from ctiforge.training.numerics import Numerics
from ctiforge.training.randomness import RandomState, random_state, restore_random
from ctiforge.training.steps import Steps

# The names that the trainer resumes from.
STATE = "trainer_state.json"
WEIGHTS = "pytorch_model.bin"
SCHEDULER = "scheduler.pt"
RANDOM = "random.pt"
"""The random state of each rank."""


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
    judge: Callable[[Callable[[], object]], float] | None = None
    """Gives F1 of the model as it is, 0 to 1, higher is better: then that decides before the loss; None: loss alone.

    It calls what it is given every few seconds, and lets through what that raises.
    """
    name: str | None = None
    """What the model is called, for a tracker."""


class NothingLeftError(Exception):
    """There is nothing to train: the loop would do a step all the same."""


class ResumableTrainer(Trainer):
    """The trainer with batches of like lengths, and with checkpoints that are written beside its loop.

    Its own `group_by_length` learns far worse. A checkpoint is what `Trainer.train` resumes from,
    with the trainable parameters alone for weights.
    """

    control: TrainerControl

    def __init__(self, writer: CheckpointWriter, kind: Kind, interruption: Interruption, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.writer = writer
        self.interruption = interruption
        self.ranks = writer.ranks
        self.kind = kind
        if kind.numerics.scales_loss and self.accelerator.scaler is None:
            # accelerate computes in fp16 on a GPU alone; torch does on a CPU as well
            self.accelerator.native_amp = True
            self.accelerator.scaler = torch.amp.GradScaler(self.accelerator.device.type)

    def get_train_dataloader(self) -> Any:
        """Load this rank's micro-batches: the trainer's own way would give other rows to other numbers of ranks."""
        order = LengthBucketSampler(self.train_dataset.lengths, self._effective_batch, self.args.seed)
        batches = MicroBatches(order, self.args.train_batch_size, self.ranks)
        return self._loader(self.train_dataset, batches, MicroBatchLoader)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Load this rank's share of the validation."""
        size = self.args.per_device_eval_batch_size
        # a loader draws a number: not one of the training's, which is the same however often it looks
        own = torch.Generator()
        return self._loader(self.eval_dataset, evenly(len(self.eval_dataset), size, self.ranks), generator=own)

    def _loader(self, rows: Any, batches: Any, kind: Any = torch.utils.data.DataLoader, **named: Any) -> Any:
        collator = NeverEmpty(self.kind.collator, rows)
        memory = self.args.dataloader_pin_memory
        return kind(rows, batch_sampler=batches, collate_fn=collator, pin_memory=memory, **named)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss; one that is no number ends the training before it changes a weight."""
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if self.kind.choice and self.kind.choice_weight and model.training:
            summed = choice_loss(outputs.logits, inputs["labels"], self.kind.choice)
            # as the model's own loss: a mean of the step's batch, else of this micro-batch
            of_step = self.model_accepts_loss_kwargs and num_items_in_batch is not None
            # gradients are averaged over the ranks
            windows = self._effective_batch / self.ranks.count if of_step else len(inputs["labels"])
            loss = loss + self.kind.choice_weight * summed / windows
        if not torch.isfinite(loss):
            raise no_number(self.state.global_step, self.writer.newest, self.kind.numerics)
        return (loss, outputs) if return_outputs else loss

    @property
    def _effective_batch(self) -> int:
        return int(self.args.train_batch_size * self.args.gradient_accumulation_steps) * self.ranks.count

    def evaluate(self, *arguments: Any, **named: Any) -> dict[str, float]:
        """Evaluate, in smaller batches where memory is short; nothing is known where it was told to stop."""
        while True:
            size = self.args.per_device_eval_batch_size
            try:
                metrics = self._validate()
                self.log(metrics)
                self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
                return metrics
            except InterruptedRunError:
                self.control.should_evaluate = False
                self.control.should_save = self.control.should_training_stop = True
                return {}
            except torch.OutOfMemoryError:
                if self.ranks.count > 1:
                    raise OutOfMemoryOnRankError("out of GPU memory in an evaluation") from None
                if size == 1:
                    raise CannotGoOnError(
                        f"out of GPU memory in an evaluation with one example at once: {self.kind.mend}"
                    ) from None
            # outside the except clause, where the error no longer holds on to what was computed
            self.args.per_device_eval_batch_size = size // 2
            free_gpu_memory()
            warn(f"out of GPU memory in an evaluation with {size} examples at once: again with {size // 2}")

    def _validate(self) -> dict[str, float]:
        """Average the loss over everything that is predicted, whatever batches it lies in; beside it the choice."""
        model, total, count, leaning = self.model, 0.0, 0.0, list[tuple[float, bool]]()
        model.eval()
        with torch.no_grad():
            with self.interruption.look() as go_on:
                for batch in self.get_eval_dataloader():
                    inputs = self._prepare_inputs(batch)
                    predicted = int((inputs["labels"] != IGNORE).sum())
                    if not predicted:
                        # this rank has no more rows, and another computes with its part of the weights
                        model(**inputs)
                        go_on()
                        continue
                    with self.compute_loss_context_manager():
                        loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
                    total, count = total + float(loss) * predicted, count + predicted
                    if self.kind.choice:
                        found = leanings(outputs.logits, inputs["labels"], self.kind.choice)
                        leaning += [each for each in found if each]
                    go_on()
            total, count = self.ranks.sum([total, count])
            share = auc([each for part in self.ranks.gather(leaning) for each in part])
            f1 = self._judge() if self.kind.judge else None
        told = {"eval_loss": total / count, "eval_choice_auc": share, "eval_f1": f1}
        return {name: value for name, value in told.items() if value is not None}

    def _judge(self) -> float:
        """Let the first judge the model; the others wait, and hear a signal as it does."""
        judge = self.kind.judge
        assert judge
        mine = 0.0
        with self.interruption.look() as go_on, self.accelerator.autocast():
            if self.ranks.is_first:
                mine = judge(go_on)
        return self.ranks.sum([mine])[0]

    def make_up_look(self, steps: Steps) -> None:
        """Do the look that an interruption cut short, before anything is trained.

        Raises:
            NothingLeftError: The training ends with it.
        """
        if not missed_look(self.state, steps):
            return
        metrics = self.evaluate()
        self._determine_best_metric(metrics, None)
        if self.control.should_training_stop or self.state.global_step >= steps.total:
            raise NothingLeftError

    # private hook: the one place that knows a new best while its weights are still in the model
    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        if not metrics:
            return False
        *before, now = validation_ranks(self.state)
        better = all(now < each for each in before)
        if better:
            self.state.best_metric, self.state.best_global_step = metrics["eval_loss"], self.state.global_step
            self._keep_best()
        return better

    def _keep_best(self) -> None:
        if self.ranks.is_first:
            self.writer.keep_best(trainable(self.model))

    # private hook: the original writes whole models to a folder and stops the loop for it
    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # these helpers write what `train(resume_from_checkpoint=…)` reads back, under its own file names
        self.store_flos()
        step = self.state.global_step
        check_weights(self.model, step, self.writer.newest)
        of_ranks = self.ranks.gather((self.writer.newest, random_state()))
        if not self.ranks.is_first:
            self.writer.newest = of_ranks[0][0]
            return
        folder = self.writer.new_folder(step)
        self._write_small(folder, [state for _, state in of_ranks])
        large = {WEIGHTS: trainable(self.model), "optimizer.pt": self.optimizer.state_dict()}
        self.writer.save(step, folder, large)

    def _write_small(self, folder: Path, randomness: list[RandomState]) -> None:
        self._save_scaler(str(folder))
        torch.save(randomness, folder / RANDOM)
        torch.save(self.lr_scheduler.state_dict(), folder / SCHEDULER)
        self.state.save_to_json(str(folder / STATE))

    # private hook: the original keeps a file of each rank, and finds none where their number has changed
    def _load_rng_state(self, checkpoint: str | None) -> None:
        file = Path(checkpoint or "") / RANDOM
        states = torch.load(file, weights_only=True) if checkpoint and file.is_file() else []
        if self.ranks.rank < len(states):
            restore_random(states[self.ranks.rank])


def trainable(model: Any) -> dict[str, torch.Tensor]:
    """Collect the parameters that training changes, by name; tied ones once."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def free_gpu_memory() -> None:
    """Give back what no tensor uses any more, so that a smaller batch finds room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
