"""What a person may choose about a training run, and what holds where nobody chooses; no heavy imports."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ctiforge.errors import UsageError

Method = Literal["qlora", "lora", "full"]
"""What is trained: an adapter over 4-bit weights, one over whole weights, or all weights."""
Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""What passes compute in; `auto`: what the device does best."""
SelectBy = Literal["auto", "loss", "f1"]
"""What chooses the step whose weights are kept; `auto`: F1 of validation articles on a GPU, else the loss."""
OptimizerName = Literal["adamw", "adamw-8bit"]
"""AdamW, its averages in fp32 or in 8 bits."""

Schedule = Literal["linear", "cosine", "constant"]
"""How the learning rate goes on after warm-up: to 0 in a line or along half a cosine, or not down at all."""
Attention = Literal["auto", "sdpa", "eager", "flex"]
"""How attention is computed; `auto`: as transformers choose for the model."""

ALL_LINEAR = "all-linear"
"""The target of an adapter that is laid beside every linear layer but the one that computes logits."""
METHOD_WORDS: dict[str, str] = {"qlora": "QLoRA", "lora": "LoRA", "full": "full fine-tuning"}
"""What people call the methods."""
LEARNING_RATES: dict[Method, float] = {"qlora": 2e-4, "lora": 2e-4, "full": 2e-5}
"""The learning rate of each method where none is given: all weights take a tenth of what an adapter takes."""

CHOICE_WEIGHT = 0.0
"""What the choice between an item and an empty answer weighs: its mean loss over windows beside that of all tokens.

None of its own: 0.25 tells windows far better after some epochs, and after one finds too much (make prove-choice).
"""

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
    """The highest, after warm-up."""
    warmup_ratio: float = 0.03
    """Share of the steps, 0 to 1, in which the learning rate rises."""
    schedule: Schedule = "linear"
    """How it goes on from there."""
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
    precision: Precision = "auto"
    """What passes compute in."""
    optimizer: OptimizerName = "adamw"
    """AdamW, its averages in fp32 or in 8 bits."""
    report_to: str = "none"
    """The tracker that transformers reports to: `none`, `tensorboard` and so on."""
    resume: bool = True
    """Whether to go on from an earlier attempt's checkpoint."""

    @property
    def effective_batch(self) -> int:
        """Count the examples of one optimizer step."""
        return self.batch_size * self.gradient_accumulation_steps

    def for_ranks(self, count: int) -> "TrainingOptions":
        """Cut the effective batch, which stays what it is, into micro-batches for so many processes.

        Args:
            count: Processes that train together.

        Returns:
            The options with at most the same micro-batch.

        Raises:
            UsageError: The effective batch cannot be shared evenly.
        """
        effective = self.effective_batch
        if effective % count:
            raise UsageError(
                f"{count} processes: a step's {effective} examples (--batch-size {self.batch_size} x "
                f"--gradient-accumulation-steps {self.gradient_accumulation_steps}) cannot be shared evenly: "
                f"give numbers whose product {count} divides"
            )
        share = effective // count
        size = next(size for size in range(min(self.batch_size, share), 0, -1) if share % size == 0)
        return replace(self, batch_size=size, gradient_accumulation_steps=effective // size)

    def with_smaller_micro_batch(self) -> "TrainingOptions":
        """Halve the micro-batch, or more, and keep the effective batch; the micro-batch must be above 1."""
        effective = self.effective_batch
        # what was shared evenly by ranks still is
        size = next(s for s in range(self.batch_size // 2, 0, -1) if self.batch_size % s == 0)
        return replace(self, batch_size=size, gradient_accumulation_steps=effective // size)


@dataclass(frozen=True)
class LoraOptions:
    """Low-rank adaptation (Hu et al. 2021)."""

    r: int = 16
    """The rank."""
    alpha: int = 32
    """The adapter's output is scaled by alpha / r."""
    dropout: float = 0.05
    """The share of the adapter's inputs that training drops, 0 to 1."""
    targets: str = ALL_LINEAR
    """The layers that it is laid beside: names of modules with a comma between them, or `all-linear`."""

    @property
    def target_names(self) -> list[str]:
        """List the names that `targets` says, each once, in the order of the alphabet."""
        return sorted({each.strip() for each in self.targets.split(",") if each.strip()})


@dataclass(frozen=True)
class Defaults:
    """The guide's settings of one kind of model: what its flags are by default, and what deviations are told from."""

    training: TrainingOptions
    max_length: int
    """Tokens of a window."""
    method: Method | None = None
    """What is trained; None where there is no choice."""

    def deviations(
        self, training: TrainingOptions, max_length: int, method: Method | None = None
    ) -> dict[str, list[Any]]:
        """List the settings that differ from the guide's, which has a learning rate for each method.

        Args:
            training: Our options.
            max_length: Our tokens of a window.
            method: What we train; None where there is no choice.

        Returns:
            Name to [the guide's, ours].
        """
        guide = replace(self.training, learning_rate=LEARNING_RATES[method]) if method else self.training
        usual, ours = _of_guide(guide, self.max_length, self.method), _of_guide(training, max_length, method)
        return {name: [usual[name], ours[name]] for name in usual if ours[name] != usual[name]}


def _of_guide(training: TrainingOptions, max_length: int, method: Method | None) -> dict[str, Any]:
    """Pick the settings that the guide names."""
    named = {name: getattr(training, name) for name in ("batch_size", "epochs", "learning_rate")}
    return named | {"max_length": max_length} | ({"method": method} if method else {})


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
    method="qlora",
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


def choose_method(method: Method | None, qlora: bool | None) -> Method:
    """Choose what is trained, by --method or by the older --qlora/--no-qlora.

    Args:
        method: What --method says; None where it is not given.
        qlora: What --qlora or --no-qlora says; None where neither is given.

    Returns:
        The method; the guide's where nobody says.

    Raises:
        UsageError: Both are given.
    """
    if method and qlora is not None:
        raise UsageError("give --method alone: --qlora means --method qlora, and --no-qlora --method full")
    if method:
        return method
    return "full" if qlora is False else "qlora"


def check_fsdp(method: Method, training: TrainingOptions, select_by: SelectBy, processes: int) -> None:
    """Refuse what does not go together with weights that are shared out to the processes.

    Args:
        method: What is trained.
        training: The options.
        select_by: What is to choose the weights.
        processes: How many train together, on all machines.

    Raises:
        UsageError: Something does not.
    """
    if method != "full":
        raise UsageError("--fsdp shares out weights that are all trained: add --method full, or leave --fsdp out")
    if processes == 1:
        raise UsageError("--fsdp shares the weights out to several processes: add --nproc or --nodes, or leave it out")
    if training.optimizer != "adamw":
        raise UsageError("--fsdp: averages in 8 bits cannot be shared out: leave --optimizer out")
    if training.precision == "fp16":
        raise UsageError("--fsdp computes in bf16 or fp32: give --precision bf16 or fp32")
    if select_by == "f1":
        raise UsageError("--fsdp: no process has the whole model to answer with during training: --select-by loss")


def choose_lora(
    method: Method, *, r: int | None, alpha: int | None, dropout: float | None, targets: str | None
) -> LoraOptions:
    """Choose the adapter's options.

    Args:
        method: What is trained.
        r: What --lora-r says; None where it is not given, as for the others.
        alpha: What --lora-alpha says.
        dropout: What --lora-dropout says.
        targets: What --lora-targets says.

    Returns:
        The options; the guide's where nobody says.

    Raises:
        UsageError: One is given and no adapter is trained, or the targets name nothing.
    """
    flags = {"r": r, "alpha": alpha, "dropout": dropout, "targets": targets}
    given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    if given and method == "full":
        raise UsageError(f"--lora-{next(iter(given))}: --method full trains all weights and no adapter: leave it out")
    lora = replace(LORA, **given)
    if not lora.target_names:
        raise UsageError(f"--lora-targets: name modules with a comma between them, or {ALL_LINEAR}")
    return replace(lora, targets=",".join(lora.target_names))


def result_params(training: TrainingOptions, lora: LoraOptions | None) -> dict[str, Any]:
    """List the options that change what a training gives, for its fingerprint.

    Args:
        training: The options; the effective batch stands for its two factors.
        lora: The adapter's options; None where all weights are trained.

    Returns:
        Name → value, as JSON can hold it.
    """
    params = {name: value for name, value in asdict(training).items() if name not in _WITHOUT_EFFECT}
    if training.schedule == "linear":
        # as in fingerprints of before it could be chosen
        del params["schedule"]
    return params | {"effective_batch": training.effective_batch, "lora": _lora_params(lora) if lora else None}


def _lora_params(lora: LoraOptions) -> dict[str, Any]:
    """List an adapter's options; what holds by default counts as in fingerprints of before it could be chosen."""
    params = asdict(lora)
    return params if lora.targets != ALL_LINEAR else {name: params[name] for name in params if name != "targets"}
