"""What a training leaves of either line: `training_metadata.json`, and a line of `log.jsonl` for each look."""

from typing import Any, ClassVar

from pydantic import Field

from ctiforge.records.answer import ChoiceQuality
from ctiforge.records.base import File, Record, is_none

LOG_NAME = "log.jsonl"


class StepPlan(Record):
    """How long a training was to be, in optimizer updates."""

    total: int
    """Of the whole training, unless it stops early."""
    per_epoch: int
    """Of one pass over the examples."""
    warmup: int
    """While the learning rate rises."""
    save_every: int
    """Between two checkpoints."""
    evaluate_every: int
    """Between two validations."""
    at_risk: int
    """At most so many were done again after a crash."""


class MicroBatch(Record):
    """How a batch was cut to fit into memory, and from when on."""

    batch_size: int
    """Examples in memory at once."""
    gradient_accumulation_steps: int
    """Micro-batches of one optimizer step."""
    from_step: int
    """The step from which on it held."""


class CurvePoint(Record):
    """The validation loss after a step, in nats."""

    step: int
    """The optimizer step."""
    loss: float | None
    """None where it was no number: the training came apart."""
    choice_auc: float | None = Field(None, exclude_if=is_none)
    """How well the model tells windows with an item from windows without, 0 to 1 (0.5: not at all); of an agent."""
    f1: float | None = Field(None, exclude_if=is_none)
    """F1 of greedy answers on validation articles, 0 to 1; left out where the loss alone decides."""


class ItemThreshold(Record):
    """The threshold of an item, set on validation articles as they are, with all their empty windows."""

    articles: int
    """Labeled validation articles."""
    quality: ChoiceQuality
    """How well the model tells their windows with an item from those without."""
    bias: float | None = None
    """What is added to the log-odds (natural logarithm) of an item; None: no threshold was set."""
    f1_without: float | None = None
    """F1 of first answers without a bias, 0 to 1; None where it was not computed."""
    f1: float | None = None
    """The same with the bias."""
    why_none: str = ""
    """Why no threshold was set."""


class PoolingTrial(Record):
    """How one pooling of windows fared on validation before training."""

    pooling: str
    """The way of pooling."""
    macro_f1: float | None
    """On validation, 0 to 1; None where nothing could be scored."""
    recall_of_multiple: float | None
    """Recall of the class `multiple`, 0 to 1; None where no article is of it."""


class Training(File):
    """How a model was trained: what was asked for, on what, and how it went. OS-BERT has some fields of its own."""

    NAME: ClassVar[str] = "training_metadata.json"

    name: str
    """What the model is called."""
    base_model: str
    """What it was trained from: a hub name, a folder, or `demo`."""
    base_revision: str | None = Field(None, exclude_if=is_none)
    """The commit of a hub name; left out of others, and not known of models of before it was kept."""
    method: str | None = None
    """`qlora`, `lora` or `full`; OS-BERT has no choice."""
    computed_in: str | None = Field(None, exclude_if=is_none)
    """`float32`, `bfloat16` or `float16`; not known of models of before it was kept."""
    options: dict[str, Any]
    """The flags of the training, by name."""
    lora: dict[str, Any] | None = None
    """Rank, alpha, dropout and targets of the adapter; None where all weights were trained."""
    max_length: int
    """Tokens of an example; OS-BERT: of a window."""
    examples: int
    """Examples for training; of OS-BERT articles."""
    validation_examples: int
    """Examples for validation; of OS-BERT articles."""
    set_aside: dict[str, int] | None = Field(None, exclude_if=is_none)
    """What is wrong with rows → how many were not trained on for it; left out where there are none."""
    steps: StepPlan
    """How long it was to be."""
    steps_done: int
    """Optimizer steps that were done."""
    best_step: int
    """The step whose weights are the model."""
    best_validation_loss: float | None
    """In nats; None where nothing was validated."""
    best_validation_f1: float | None = Field(None, exclude_if=is_none)
    """F1 of greedy answers on validation articles at that step, 0 to 1; left out where the loss alone decides."""
    stopped_early: bool
    """Whether it ended because validation no longer brought anything better."""
    resumed_from_step: int
    """The step of the checkpoint that the last attempt went on from; 0: from the beginning."""
    micro_batches: tuple[MicroBatch, ...]
    """The first, and each smaller one that a lack of memory forced."""
    checkpoints_blocked_s: float
    """Seconds that training waited for checkpoints."""
    validation_curve: tuple[CurvePoint, ...]
    """The validation loss over the steps."""
    seconds: float
    """How long the last attempt took."""
    tokens_per_s: float | None = Field(None, exclude_if=is_none)
    """Tokens, padding apart, that all processes learnt from in a second of its steps, without looks and checkpoints."""
    deviations_from_guide: dict[str, tuple[Any, Any]]
    """Setting to (the guide's, ours)."""
    warnings: tuple[str, ...]
    """What a person should know of the data, a line each."""
    device: str
    """`cpu`, or the GPU."""
    ranks: int | None = Field(None, exclude_if=is_none)
    """Processes that trained it together; left out of one."""
    trainable_parameters: int | None = None
    """Weights that were trained; None of OS-BERT."""
    item_threshold: ItemThreshold | None = Field(None, exclude_if=is_none)
    """Of an agent: how well it tells windows with an item, and its threshold; left out where nothing was validated."""
    overlap: int | None = None
    """Of OS-BERT, like all that follow: tokens that two windows share."""
    pooling: str | None = None
    """How the answers of windows become the article's."""
    labeler: str = ""
    """Whose labels it was trained on."""
    windows: int | None = None
    """Windows of all training articles."""
    classes: dict[str, int] = {}
    """Class to training articles."""
    class_weights: dict[str, float] = {}
    """Class → its weight in the loss."""
    pooling_trials: tuple[PoolingTrial, ...] = ()
    """How each way of pooling fared before training."""

    @property
    def measured_with(self) -> dict[str, Any]:
        """List what is part of the loss: the losses of trainings that differ here do not compare."""
        return {"pooling": self.pooling, "class_weights": self.class_weights} if self.pooling else {}


class LogLine(Record):
    """What the trainer told of one step: of training, of a validation, or at the end of all; the names are its own."""

    loss: float | None = None
    """Mean training loss since the line before, in nats."""
    grad_norm: float | None = None
    """The norm of the gradient."""
    learning_rate: float | None = None
    """Of this step."""
    eval_loss: float | None = None
    """The validation loss, in nats."""
    eval_choice_auc: float | None = None
    """How well it tells windows with an item from windows without, 0 to 1; 0.5 is chance."""
    eval_f1: float | None = None
    """F1 of greedy answers on validation articles, 0 to 1."""
    eval_runtime: float | None = None
    """In seconds."""
    eval_samples_per_second: float | None = None
    """Validation examples a second."""
    eval_steps_per_second: float | None = None
    """Validation batches a second."""
    train_runtime: float | None = None
    """In seconds."""
    train_samples_per_second: float | None = None
    """Training examples a second."""
    train_steps_per_second: float | None = None
    """Optimizer steps a second."""
    total_flos: float | None = None
    """Floating-point operations so far, as transformers reckon them."""
    train_loss: float | None = None
    """Mean loss of the whole training, in nats."""
    epoch: float | None = None
    """Passes over the examples so far."""
    step: int
    """The optimizer step."""
