"""Where training starts: a linear head fitted on the encoder as it is, with the pooling that suits the data.

Fine-tuning from such a head needs fewer steps and distorts less of what the encoder knows than from
a random one (linear probing, then fine-tuning; Kumar et al. 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctiforge.evaluation.scoring.classification import ClassCounts, macro_f1
from ctiforge.osbert.model import ArticleRow, last_linear, window_batches
from ctiforge.osbert.pooling import pool
from ctiforge.progress import Progress
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import Pooling

_STEPS = 300
_CHECK_EVERY = 10
_STEPS_UNCHECKED = 50
_LEARNING_RATE = 1e-2
# a window begins by showing nothing, with a probability of three quarters: if each showed every system
# a little, all of a long article's together would show several for certain
_NOTHING = 2.5


@dataclass(frozen=True)
class HeadStart:
    """A fitted head of one pooling, and how it does on the validation articles; None where there are none."""

    pooling: Pooling
    weight: torch.Tensor
    bias: torch.Tensor
    macro_f1: float | None
    recall_of_multiple: float | None
    """None also where no validation article is about several systems."""


def fit_starts(
    encoder: Any,
    poolings: Sequence[Pooling],
    train: Sequence[ArticleRow],
    validation: Sequence[ArticleRow],
    weights: torch.Tensor,
    pad_token_id: int,
) -> list[HeadStart]:
    """Fit a head for each pooling, the best on validation first; `weights` (classes,) are those of the loss."""
    features = _Features.of(encoder, [*train, *validation], pad_token_id)
    starts = [_fit(pooling, features, len(train), weights) for pooling in poolings]
    return sorted(starts, key=lambda start: -(start.macro_f1 or 0))


def start_from(encoder: Any, start: HeadStart) -> None:
    """Set the encoder's last layer to the fitted weights."""
    head = last_linear(encoder)
    with torch.no_grad():
        head.weight.copy_(start.weight)
        head.bias.copy_(start.bias)


def score(truths: Sequence[int], predictions: Sequence[int]) -> tuple[float, float | None]:
    """Compute macro-F1, and the recall of `multiple`, of numbered labels."""
    expected, predicted = ([OS_LABELS[number] for number in numbers] for numbers in (truths, predictions))
    sums = ClassCounts(expected, predicted, OS_LABELS).once()
    multiple = OS_LABELS.index("multiple")
    several = float(sums.expected[0, multiple])
    return float(macro_f1(sums)[0]), float(sums.found[0, multiple]) / several if several else None


@dataclass(frozen=True)
class _Features:
    """What the head gets of every window, (windows, hidden), centred and scaled; whose it is; the articles' labels."""

    values: torch.Tensor
    owners: torch.Tensor
    labels: torch.Tensor
    mean: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, encoder: Any, rows: Sequence[ArticleRow], pad_token_id: int) -> "_Features":
        windows = [window for row in rows for window in row.encoded.windows]
        values = _inputs_of_head(encoder, windows, pad_token_id)
        mean = values.mean(dim=0)
        # one scale for all: a value that hardly varies would get a weight out of all proportion
        scale = (values - mean).std() + 1e-6
        owners = torch.tensor([number for number, row in enumerate(rows) for _ in row.encoded.windows])
        return cls((values - mean) / scale, owners, torch.tensor([row.label for row in rows]), mean, scale)

    def pooled(self, head: torch.nn.Linear, pooling: Pooling, first: int, last: int) -> torch.Tensor:
        """Compute the logits of the articles from `first` until before `last`."""
        chosen = (self.owners >= first) & (self.owners < last)
        return pool(pooling, head(self.values[chosen]), self.owners[chosen] - first, last - first)


def _fit(pooling: Pooling, features: _Features, trained: int, weights: torch.Tensor) -> HeadStart:
    """Train on the first `trained` articles, until the loss on the others is lowest."""
    head = _new_head(features.values.shape[1], pooling)
    optimizer = torch.optim.AdamW(head.parameters(), lr=_LEARNING_RATE, weight_decay=0.1)
    count = len(features.labels)
    lowest, best = float("inf"), {name: value.clone() for name, value in head.state_dict().items()}
    for step in range(1, (_STEPS if count > trained else _STEPS_UNCHECKED) + 1):
        loss = _loss(features.pooled(head, pooling, 0, trained), features.labels[:trained], weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if count > trained and step % _CHECK_EVERY == 0:
            with torch.no_grad():
                pooled = features.pooled(head, pooling, trained, count)
            now = float(_loss(pooled, features.labels[trained:], weights))
            if now < lowest:
                lowest, best = now, {name: value.clone() for name, value in head.state_dict().items()}
    figures: tuple[float | None, float | None] = None, None
    if count > trained:
        head.load_state_dict(best)
        with torch.no_grad():
            predicted = features.pooled(head, pooling, trained, count).argmax(dim=1)
        figures = score(features.labels[trained:].tolist(), predicted.tolist())
    # the encoder's own values are neither centred nor scaled
    weight = head.weight.detach() / features.scale
    return HeadStart(pooling, weight, head.bias.detach() - weight @ features.mean, *figures)


def _new_head(hidden: int, pooling: Pooling) -> torch.nn.Linear:
    head = torch.nn.Linear(hidden, len(OS_LABELS))
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        if pooling == "noisy-or":
            head.bias[OS_LABELS.index("Unknown")] = _NOTHING
    return head


def _loss(pooled: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (torch.nn.functional.cross_entropy(pooled, labels, reduction="none") * weights[labels]).mean()


@torch.no_grad()
def _inputs_of_head(encoder: Any, windows: Sequence[list[int]], pad_token_id: int) -> torch.Tensor:
    """Compute what the encoder's last layer gets of each window, (windows, hidden), on the CPU."""
    head, device = last_linear(encoder), next(encoder.parameters()).device
    values = torch.empty(len(windows), head.in_features)
    seen: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    was_training = encoder.training
    encoder.eval()
    try:
        with Progress("train_os_bert", len(windows)) as progress:
            for part, batch in window_batches(windows, pad_token_id, device):
                encoder(**batch)
                values[part] = seen.pop().float().cpu()
                progress.advance(len(part))
    finally:
        hook.remove()
        encoder.train(was_training)
    return values
