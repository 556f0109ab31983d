"""What a person may choose about a training run, and what holds where nobody chooses; no heavy imports."""

from dataclasses import asdict, dataclass, replace
from typing import Any

# They change how a run is watched, saved or cut into pieces of memory, not what comes out.
_WITHOUT_EFFECT = ("report_to", "resume", "save_steps", "batch_size", "gradient_accumulation_steps")


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast a model learns; the names are those of the flags."""

    batch_size: int = 4
    """The micro-batch: examples in memory at once."""
    gradient_accumulation_steps: int = 4
    """Micro-batches of one optimizer step."""
    epochs: float = 3.0
    """Passes over the examples."""
    max_steps: int | None = None
    """Optimizer steps at most; None: as many as the epochs have."""
    learning_rate: float = 2e-4
    """The highest, after warm-up; it falls to 0 in a line."""
    warmup_ratio: float = 0.03
    """Share of the steps, 0 to 1, in which the learning rate rises."""
    weight_decay: float = 0.0
    """AdamW's (Loshchilov & Hutter 2019)."""
    adam_beta2: float = 0.999
    """How slowly AdamW forgets squared gradients, 0 to 1."""
    save_steps: int = 100
    """Optimizer steps between two checkpoints, at most."""
    eval_steps: int = 100
    """Optimizer steps between two validations, at most."""
    early_stopping_patience: int = 3
    """Validations without a better loss after which training ends."""
    seed: int = 0
    """Of the order of examples, of dropout and of new weights."""
    report_to: str = "none"
    """The tracker that transformers reports to: `none`, `tensorboard` and so on."""
    resume: bool = True
    """Whether to go on from an earlier attempt's checkpoint."""

    @property
    def effective_batch(self) -> int:
        """Count the examples of one optimizer step."""
        return self.batch_size * self.gradient_accumulation_steps

    def with_smaller_micro_batch(self) -> "TrainingOptions":
        """Halve the micro-batch, or more, and keep the effective batch; the micro-batch must be above 1."""
        effective = self.effective_batch
        size = next(size for size in range(self.batch_size // 2, 0, -1) if effective % size == 0)
        return replace(self, batch_size=size, gradient_accumulation_steps=effective // size)


@dataclass(frozen=True)
class LoraOptions:
    """Low-rank adaptation (Hu et al. 2021) of all linear layers."""

    r: int = 16
    """The rank."""
    alpha: int = 32
    """The adapter's output is scaled by alpha / r."""
    dropout: float = 0.05
    """The share of the adapter's inputs that training drops, 0 to 1."""


@dataclass(frozen=True)
class Defaults:
    """The guide's settings of one kind of model: what its flags are by default, and what deviations are told from."""

    training: TrainingOptions
    max_length: int
    """Tokens of a window."""
    qlora: bool = False

    def deviations(self, training: TrainingOptions, max_length: int, qlora: bool = False) -> dict[str, list[Any]]:
        """List the settings that differ from the guide's: name to [the guide's, ours]."""
        usual, ours = _of_guide(self.training, self.max_length, self.qlora), _of_guide(training, max_length, qlora)
        return {name: [usual[name], ours[name]] for name in usual if ours[name] != usual[name]}


def _of_guide(training: TrainingOptions, max_length: int, qlora: bool) -> dict[str, Any]:
    """Pick the settings that the guide names."""
    named = {name: getattr(training, name) for name in ("batch_size", "epochs", "learning_rate")}
    return named | {"max_length": max_length, "qlora": qlora}


LORA = LoraOptions()
AGENT = Defaults(
    TrainingOptions(
        batch_size=4,
        gradient_accumulation_steps=4,
        epochs=3.0,
        learning_rate=2e-4,
        warmup_ratio=0.03,
        weight_decay=0.0,
    ),
    max_length=2048,
    qlora=True,
)
OS_BERT = Defaults(
    TrainingOptions(
        batch_size=16,
        gradient_accumulation_steps=1,
        epochs=3.0,
        learning_rate=2e-5,
        warmup_ratio=0.1,
        weight_decay=0.01,
    ),
    max_length=512,
)


def result_params(training: TrainingOptions, lora: LoraOptions | None) -> dict[str, Any]:
    """List the options that change what a training gives, for its fingerprint.

    Args:
        training: The options; the effective batch stands for its two factors.
        lora: The adapter's options; None where all weights are trained.

    Returns:
        Name → value, as JSON can hold it.
    """
    params = {name: value for name, value in asdict(training).items() if name not in _WITHOUT_EFFECT}
    return params | {"effective_batch": training.effective_batch, "lora": asdict(lora) if lora else None}
