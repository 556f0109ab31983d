"""What a report reads of the files that stages leave: the parts it speaks of; older files may lack some."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Steps(_Record):
    """How long a training was to be, in optimizer updates."""

    total: int | None = None
    per_epoch: int | None = None
    warmup: int | None = None
    evaluate_every: int | None = None


class Training(_Record):
    """`training_metadata.json` of either line."""

    name: str = ""
    base_model: str = ""
    method: str | None = None
    options: dict[str, Any] = {}
    lora: dict[str, Any] | None = None
    max_length: int | None = None
    examples: int | None = None
    validation_examples: int | None = None
    steps: Steps = Steps()
    steps_done: int | None = None
    best_step: int | None = None
    best_validation_loss: float | None = None
    stopped_early: bool = False
    resumed_from_step: int = 0
    micro_batches: tuple[dict[str, int], ...] = ()
    checkpoints_blocked_s: float | None = None
    seconds: float | None = None
    deviations_from_guide: dict[str, tuple[Any, Any]] = {}
    """Setting to (the guide's, ours)."""
    warnings: tuple[str, ...] = ()
    device: str | None = None
    trainable_parameters: int | None = None
    pooling: str | None = None
    labeler: str | None = None
    class_weights: dict[str, float] = {}


class LogLine(_Record):
    """One line of `log.jsonl`."""

    step: int
    loss: float | None = None
    eval_loss: float | None = None
    learning_rate: float | None = None


class Truncation(_Record):
    """What cutting whole articles on the right would have left."""

    articles_with_answer: int
    answers_whole: int
    answers_gone: int
    answer_tokens_kept_share: float
    loss_tokens_answer_share: float


class Lengths(_Record):
    """The token report of prepared examples; shares are between 0 and 1."""

    examples: int
    validation_examples: int
    prompt_tokens_median: float
    prompt_tokens_max: int
    answer_tokens_median: float
    answer_tokens_max: int
    tokens_max: int
    items: int
    answers_lost: int
    items_too_long: int
    items_beyond_overlap: int
    machine_labels_dropped: int
    human_labels_unlocated: int
    empty_share_training: float
    empty_share_inference: float
    answers_kept_share: float
    loss_tokens_answer_share: float
    right_truncation: Truncation


class Sizes(_Record):
    """Tokens of an example, of its window, and of what two windows share."""

    max_length: int
    window_tokens: int
    overlap_tokens: int


class Formatted(_Record):
    """`format.json`: how articles became examples."""

    format: str = ""
    model: str = ""
    prompt_version: str = ""
    sizes: Sizes
    leaked: tuple[dict[str, str], ...] = ()
    """Articles removed for repeating a held-out one."""
    report: Lengths


class Harvest(_Record):
    """`report.json`: what a harvest read, kept and left out."""

    read: int = 0
    executions: int = 0
    kept: int = 0
    positives: int = 0
    negatives: int = 0
    observables: int = 0
    excluded: dict[str, int] = {}
    unlabelled: dict[str, int] = {}
    items_set_aside: dict[str, int] = {}
    files_set_aside: dict[str, str] = {}
    entries_set_aside: dict[str, int] = {}
    generations: dict[str, int] = {}
    labelled_articles: dict[str, int] = {}
    positive_articles: dict[str, int] = {}
    observables_by_type: dict[str, int] = {}
    platforms: dict[str, int] = {}
    lengths: dict[str, int] = {}


class LabelerAgreement(_Record):
    """How far two labelers agree."""

    first: str
    other: str
    articles: int
    kappa: float | None = None


class Prepared(_Record):
    """`prepare.json`: where the articles of OS-BERT come from."""

    labeler: str = ""
    articles_read: int = 0
    labelled: int = 0
    min_hunt_score: float | None = None
    augment: int = 0
    set_aside: dict[str, int] = {}
    flags: dict[str, int] = {}
    classes: dict[str, int] = {}
    parts: dict[str, dict[str, int]] = {}
    agreement: tuple[LabelerAgreement, ...] = ()
    warnings: tuple[str, ...] = ()
