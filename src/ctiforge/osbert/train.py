"""Fine-tunes OS-BERT on prepared articles and writes a model that says how it reads."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ctiforge.errors import UsageError
from ctiforge.osbert.cascade import choose_threshold
from ctiforge.osbert.detectors import FineTuned
from ctiforge.osbert.head import HeadStart, fit_starts, start_from
from ctiforge.osbert.model import (
    ArticleRow,
    PooledClassifier,
    WindowCollator,
    has_new_head,
    load_base,
    save_trained,
)
from ctiforge.osbert.pooling import POOLINGS
from ctiforge.osbert.prepared import check_classes, check_no_leak, class_counts, labeler_of
from ctiforge.osbert.windows import WindowSize, encode_articles
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import OsBertNote, Pooling
from ctiforge.records.os_article import LabeledArticle, read_labeled
from ctiforge.records.training import LOG_NAME, PoolingTrial, Training
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.hub import split_name
from ctiforge.training.batches import Rows
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.log import plot_curve, write_log
from ctiforge.training.models import pick_device
from ctiforge.training.numerics import ComputeDevice, Numerics, choose_numerics
from ctiforge.training.options import OS_BERT, TrainingOptions
from ctiforge.training.ranks import Ranks, joined, leave
from ctiforge.training.resumable import Kind
from ctiforge.training.tracking import check_tracker, tracked
from ctiforge.training.trainer import train

_MEND = "set a smaller --max-length, or use a larger GPU"


@dataclass(frozen=True)
class OsBertTraining:
    """One fine-tuning run as asked for on the command line."""

    base_model: str
    """The encoder as a person named it: a hub name with its commit, a folder, or `demo`."""
    base_folder: str
    """What transformers load it from: a folder or hub name."""
    name: str
    """What the new model is called."""
    max_length: int
    """Tokens of a window, its special tokens included."""
    pooling: Pooling | None
    """How the answers of windows become the article's; None: chosen on validation."""
    weigh_classes: bool
    """Whether rare classes weigh more in the loss."""
    training: TrainingOptions
    """Length, speed and batch."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    fp16: bool = False
    """Whether to compute in fp16, which takes a GPU; False: in what the device does best."""


def train_os_bert(
    request: OsBertTraining, parts: tuple[Path, Path], out: Path, scratch: Path, checkpoints: Checkpoints
) -> dict[str, Any]:
    """Fine-tune OS-BERT and write the model with its metadata, curve and log.

    Where the environment names other processes, all of them train it together, and the first writes.

    Args:
        request: What was asked for.
        parts: The training and the validation part of prepare_os.
        out: The folder for the model, `training_metadata.json`, `training_curve.png` and `log.jsonl`.
        scratch: A folder for files of the training on their way.
        checkpoints: Where the training's state outlives this process.

    Returns:
        What `training_metadata.json` holds; nothing in a process that is not the first.

    Raises:
        UsageError: The base model cannot be loaded, or the device will not do.
        DataError: There are fewer than two classes, or an article of validation is trained on.
        InterruptedRunError: The training was told to end, and its state is saved.
        CannotGoOnError: Memory or disk do not suffice.
    """
    with joined() as ranks:
        return _train(request, parts, out, scratch, checkpoints, ranks)


def _train(
    request: OsBertTraining,
    parts: tuple[Path, Path],
    out: Path,
    scratch: Path,
    checkpoints: Checkpoints,
    ranks: Ranks,
) -> dict[str, Any]:
    check_tracker(request.training.report_to)
    device = pick_device(request.device)
    numerics = numerics_of(ComputeDevice.of(device), request.fp16)
    articles, validation_articles = (read_labeled(part) for part in parts)
    check_no_leak(articles, validation_articles, "validation")
    classes = class_counts(articles)
    warnings = check_classes(classes)
    weights = class_weights(classes) if request.weigh_classes else {label: float(n > 0) for label, n in classes.items()}
    size = WindowSize.of(request.max_length)
    encoder = load_base(request.base_folder, size, request.training.seed).to(device)
    tokenizer = load_tokenizer(request.base_folder)
    pad = int(tokenizer.pad_token_id or 0)
    rows, validation = (_rows(tokenizer, part, size) for part in (articles, validation_articles))
    tensor = torch.tensor([weights[label] for label in OS_LABELS])
    poolings = [request.pooling] if request.pooling else POOLINGS
    starts = ranks.by_first(partial(fit_starts, encoder, poolings, rows, validation, tensor, pad))
    pooling = starts[0].pooling
    if has_new_head(encoder):
        start_from(encoder, starts[0])
    model = PooledClassifier(encoder, pooling, tensor).to(device)
    kind = Kind("train_os_bert", WindowCollator(pad), numerics, _MEND, name=request.name)
    with tracked(request.training.report_to, scratch, out) if ranks.is_first else nullcontext():
        result = train(model, Rows(rows), Rows(validation), kind, request.training, checkpoints, scratch, ranks)
    leave()
    if not ranks.is_first:
        return {}
    base_model, base_revision = split_name(request.base_model)
    note = OsBertNote(
        labels=OS_LABELS,
        name=request.name,
        base_model=base_model,
        base_revision=base_revision,
        max_length=size.max_length,
        overlap=size.overlap,
        pooling=pooling,
        labeler=labeler_of(articles),
    )
    save_trained(model.encoder.float(), tokenizer, note, out)
    threshold = choose_threshold(validation_articles, FineTuned(out, device.type))
    note.model_copy(update={"threshold": threshold}).write(out)
    training = Training(
        name=note.name,
        base_model=note.base_model,
        base_revision=note.base_revision,
        options=asdict(request.training),
        max_length=note.max_length,
        overlap=note.overlap,
        pooling=note.pooling,
        labeler=note.labeler,
        examples=len(rows),
        validation_examples=len(validation),
        windows=sum(len(row.encoded.windows) for row in rows),
        classes=classes,
        class_weights=weights,
        pooling_trials=tuple(_trial(start) for start in starts),
        deviations_from_guide=OS_BERT.deviations(request.training, request.max_length),
        warnings=tuple(warnings),
        device=str(device),
        ranks=ranks.count if ranks.count > 1 else None,
        **result.as_record(),
    )
    training.write(out)
    write_log(result.log, out / LOG_NAME)
    plot_curve(result.log, request.name, out / "training_curve.png", unit="loss per article (nats)")
    return training.model_dump(mode="json")


def numerics_of(device: ComputeDevice, fp16: bool) -> Numerics:
    """Choose the types of a training; UsageError for fp16 on a CPU."""
    if fp16 and device.kind != "cuda":
        raise UsageError("--fp16 needs a GPU, and this run has none: leave it out")
    return choose_numerics(device, precision="fp16" if fp16 else "auto")


def class_weights(classes: dict[str, int]) -> dict[str, float]:
    """Weigh classes by inverse frequency, 1 on average over articles; 0 for one without any (sklearn's `balanced`)."""
    total = sum(classes.values())
    present = sum(count > 0 for count in classes.values())
    return {label: total / (present * count) if count else 0.0 for label, count in classes.items()}


def _rows(tokenizer: Any, articles: Sequence[LabeledArticle], size: WindowSize) -> list[ArticleRow]:
    encoded = encode_articles(tokenizer, [article.content for article in articles], size)
    return [ArticleRow(e, OS_LABELS.index(a.label)) for e, a in zip(encoded, articles, strict=True)]


def _trial(start: HeadStart) -> PoolingTrial:
    return PoolingTrial(pooling=start.pooling, macro_f1=start.macro_f1, recall_of_multiple=start.recall_of_multiple)
