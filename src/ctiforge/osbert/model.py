"""The classifier of articles: an encoder over windows, its logits pooled; and how one is loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from ctiforge.errors import UsageError
from ctiforge.osbert.pooling import pool
from ctiforge.osbert.windows import TOKENS_TOGETHER_ON_CPU, EncodedArticle, WindowSize, check_window, read_together
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import OsBertNote, Pooling
from ctiforge.training.encoding import IGNORE, cannot_load
from ctiforge.training.models import only_errors


@dataclass(frozen=True)
class ArticleRow:
    """One article to train on: its windows and the number of its label."""

    encoded: EncodedArticle
    label: int

    @property
    def length(self) -> int:
        """Count the tokens of all its windows."""
        return self.encoded.length


class WindowCollator:
    """Articles into one batch of all their windows.

    Gives `labels` (articles,), `articles` (windows,): the article of each window, `input_ids` and
    `attention_mask` (windows, length). The labels come first: a batch's size is that of its first tensor.
    """

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[ArticleRow]) -> dict[str, torch.Tensor]:
        """Make a batch of rows."""
        batch = collate_windows([window for row in rows for window in row.encoded.windows], self.pad_token_id)
        windows = torch.tensor([len(row.encoded.windows) for row in rows])
        articles = torch.arange(len(rows)).repeat_interleave(windows)
        return {"labels": torch.tensor([row.label for row in rows]), "articles": articles, **batch}


class PooledClassifier(torch.nn.Module):
    """Says what an article is about from what each of its windows shows; the loss is on the article alone.

    So no window is taught a label that it does not show. However many windows a batch has, the
    memory of a step is that of `TOKENS_TOGETHER`: where there are more, they are computed again for the gradient.
    """

    accepts_loss_kwargs = True
    """That transformers' trainer tells how many articles a step has."""

    def __init__(self, encoder: Any, pooling: Pooling, class_weights: torch.Tensor | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(
        self,
        labels: torch.Tensor,
        articles: torch.Tensor,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss, a scalar, and logits (articles, classes).

        The loss is divided by the articles, of the whole step where their number is given, and not by their weights:
        however a step is cut, its micro-batches add up to the same. An article labeled `IGNORE` has none.
        """
        logits = self.window_logits(input_ids, attention_mask)
        pooled = pool(self.pooling, logits, articles, len(labels))
        each = torch.nn.functional.cross_entropy(pooled, labels, reduction="none", ignore_index=IGNORE)
        if self.class_weights is not None:
            each = each * self.class_weights[labels.clamp(min=0)]
        count = len(labels) if num_items_in_batch is None else num_items_in_batch
        return {"loss": each.sum() / count, "logits": pooled}

    def window_logits(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Compute logits (windows, classes); windows of like length are computed together, without needless padding."""
        lengths: list[int] = attention_mask.sum(dim=1).tolist()
        parts = read_together(lengths)
        again = len(parts) > 1 and torch.is_grad_enabled()
        logits = []
        for part in parts:
            longest = lengths[part[-1]]
            ids, mask = input_ids[part, :longest], attention_mask[part, :longest]
            logits.append(
                checkpoint(self._logits, ids, mask, use_reentrant=False) if again else self._logits(ids, mask)
            )
        order = torch.tensor([number for part in parts for number in part])
        return torch.cat(logits)[torch.argsort(order)]

    def _logits(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def collate_windows(windows: Sequence[list[int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Pad windows on the right: `input_ids` and `attention_mask`, (windows, length)."""
    length = max(len(window) for window in windows)
    input_ids = torch.full((len(windows), length), pad_token_id)
    attention_mask = torch.zeros((len(windows), length), dtype=torch.long)
    for number, window in enumerate(windows):
        input_ids[number, : len(window)] = torch.tensor(window)
        attention_mask[number, : len(window)] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask}


def window_batches(
    windows: Sequence[list[int]], pad_token_id: int, device: torch.device
) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """Choose the numbers of windows that are computed together, and their batch on the device."""
    most = TOKENS_TOGETHER_ON_CPU if device.type == "cpu" else None
    for part in read_together([len(window) for window in windows], most):
        batch = collate_windows([windows[number] for number in part], pad_token_id)
        yield part, {name: tensor.to(device) for name, tensor in batch.items()}


def load_base(model: str, size: WindowSize, seed: int) -> Any:
    """Load the encoder of a folder or hub name with a head for our labels, its weights drawn by `seed`.

    A head that the base brings is kept where it knows exactly our labels, in whatever order.
    Raises UsageError for what is no encoder, or one that reads less than a window.
    """
    from transformers import AutoModelForSequenceClassification

    config = encoder_config(model)
    check_window(size, positions_of(config))
    torch.manual_seed(seed)
    order = _order_of(config)
    own = {} if order else {"id2label": dict(enumerate(OS_LABELS)), "label2id": _numbers()}
    try:
        loaded = AutoModelForSequenceClassification.from_pretrained(
            model,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            **own,
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("base model", model, error)) from error
    if order:
        _put_in_order(loaded, order)
    elif _names_labels(config) and hasattr(loaded, "classifier"):
        _draw_again(loaded)
    return loaded


def has_new_head(encoder: Any) -> bool:
    """Tell whether nothing was learnt yet by the last layer: its bias is as it was drawn."""
    return not last_linear(encoder).bias.any()


def last_linear(model: Any) -> Any:
    """Find the layer that computes the logits."""
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == len(OS_LABELS)][-1]


def load_trained(folder: Path, device: torch.device) -> tuple[Any, OsBertNote]:
    """Load a trained classifier, its outputs in the order of our labels, and how it reads.

    Raises UsageError for a folder that holds none, or names no labels, or others than ours.
    """
    from transformers import AutoModelForSequenceClassification

    config = encoder_config(str(folder))
    order = _order_of(config)
    if not order:
        named = ", ".join(map(str, config.id2label.values()))
        raise UsageError(
            f"{folder}: its config.json names the labels {named}, not {', '.join(OS_LABELS)}: "
            "set id2label and label2id there, in the order of the model's outputs"
        )
    try:
        loaded = AutoModelForSequenceClassification.from_pretrained(
            str(folder), trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", str(folder), error)) from error
    _put_in_order(loaded, order)
    return loaded.to(device).eval(), note_of(folder, positions_of(config))


def note_of(folder: Path, positions: int | None = None) -> OsBertNote:
    """Read how a model's folder says it reads; one that was not trained here reads all it can, windows averaged."""
    if (folder / OsBertNote.NAME).is_file():
        return OsBertNote.load(folder)
    size = WindowSize.of(min(positions or 512, 512))
    return OsBertNote(
        labels=OS_LABELS,
        name=folder.name,
        base_model=folder.name,
        max_length=size.max_length,
        overlap=size.overlap,
        pooling="mean",
        labeler="unknown",
    )


def save_trained(encoder: Any, tokenizer: Any, note: OsBertNote, folder: Path) -> None:
    """Write weights (safetensors), tokenizer and note into the folder."""
    encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    note.write(folder)


def encoder_config(model: str) -> Any:
    """Read the config of a folder or hub name; UsageError for what is no encoder that classifies."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    only_errors()
    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", model, error)) from error
    generates = any(str(name).endswith("ForCausalLM") for name in config.architectures or ())
    if generates or config.model_type not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        raise UsageError(
            f"{model!r} is a {config.model_type} model, no encoder that classifies: "
            "name a BERT, like ibm-research/CTI-BERT"
        )
    return config


def positions_of(config: Any) -> int | None:
    """Find the most tokens that an encoder can read at once; None where it has no such limit."""
    positions = getattr(config, "max_position_embeddings", None)
    # RoBERTa counts its positions from the padding index on
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return int(positions) - offset if positions else None


def _order_of(config: Any) -> list[int]:
    """Find for each of our labels the number of the model's output of that name; empty where it has other labels."""
    numbers = {str(label): int(number) for number, label in config.id2label.items()}
    return [numbers[label] for label in OS_LABELS] if set(numbers) == set(OS_LABELS) else []


def _names_labels(config: Any) -> bool:
    return len(config.id2label) == len(OS_LABELS)


def _numbers() -> dict[str, int]:
    return {label: number for number, label in enumerate(OS_LABELS)}


def _put_in_order(model: Any, order: list[int]) -> None:
    """Let the head's outputs come in the order of our labels."""
    config = model.config
    if order != list(range(len(order))):
        head = last_linear(model)
        with torch.no_grad():
            head.weight.copy_(head.weight[order].clone())
            head.bias.copy_(head.bias[order].clone())
    config.id2label, config.label2id = dict(enumerate(OS_LABELS)), _numbers()


def _draw_again(model: Any) -> None:
    """Draw the head again: one with five outputs of other names says nothing about ours."""
    head = last_linear(model)
    torch.nn.init.normal_(head.weight, std=getattr(model.config, "initializer_range", 0.02))
    torch.nn.init.zeros_(head.bias)
