"""What a training leaves of either line: `training_metadata.json`, and a line of `log.jsonl` for each look."""

from typing import Any, ClassVar

from ctiforge.records.base import File, Record

LOG_NAME = "log.jsonl"


class StepPlan(Record):
    """How long a training was to be, in optimizer updates."""

    total: int
    per_epoch: int
    warmup: int
    save_every: int
    evaluate_every: int
    at_risk: int
    """At most so many were done again after a crash."""


class MicroBatch(Record):
    """Examples in memory at once, how many of those made a step, and from which step on."""

    batch_size: int
    gradient_accumulation_steps: int
    from_step: int


class CurvePoint(Record):
    """The validation loss after a step, in nats."""

    step: int
    loss: float | None
    """None where it was no number: the training came apart."""


class PoolingTrial(Record):
    """How one pooling of windows fared on validation before training."""

    pooling: str
    macro_f1: float | None
    recall_of_multiple: float | None


class Training(File):
    """How a model was trained: what was asked for, on what, and how it went. OS-BERT has some fields of its own."""

    NAME: ClassVar[str] = "training_metadata.json"

    name: str
    base_model: str
    method: str | None = None
    """`qlora` or `full`; OS-BERT has no choice."""
    options: dict[str, Any]
    """The flags of the training, by name."""
    lora: dict[str, Any] | None = None
    max_length: int
    """Tokens of an example; OS-BERT: of a window."""
    examples: int
    validation_examples: int
    steps: StepPlan
    steps_done: int
    best_step: int
    best_validation_loss: float | None
    """In nats."""
    stopped_early: bool
    resumed_from_step: int
    micro_batches: tuple[MicroBatch, ...]
    checkpoints_blocked_s: float
    """Seconds that training waited for checkpoints."""
    validation_curve: tuple[CurvePoint, ...]
    seconds: float
    deviations_from_guide: dict[str, tuple[Any, Any]]
    """Setting to (the guide's, ours)."""
    warnings: tuple[str, ...]
    device: str
    trainable_parameters: int | None = None
    overlap: int | None = None
    """Of OS-BERT, like all that follow: tokens that two windows share."""
    pooling: str | None = None
    labeler: str = ""
    """Whose labels it was trained on."""
    windows: int | None = None
    """Of all training articles."""
    classes: dict[str, int] = {}
    """Class to training articles."""
    class_weights: dict[str, float] = {}
    pooling_trials: tuple[PoolingTrial, ...] = ()

    @property
    def measured_with(self) -> dict[str, Any]:
        """What is part of the loss: those of trainings that differ here do not compare."""
        return {"pooling": self.pooling, "class_weights": self.class_weights} if self.pooling else {}


class LogLine(Record):
    """What the trainer told of one step: of training, of a validation, or at the end of all; the names are its own."""

    loss: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None
    eval_loss: float | None = None
    eval_runtime: float | None = None
    """In seconds."""
    eval_samples_per_second: float | None = None
    eval_steps_per_second: float | None = None
    train_runtime: float | None = None
    """In seconds."""
    train_samples_per_second: float | None = None
    train_steps_per_second: float | None = None
    total_flos: float | None = None
    train_loss: float | None = None
    epoch: float | None = None
    step: int
