"""Which pooling suits the data: each is tried with a linear head on the frozen encoder, scored on validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctiforge.data.records import OS_LABELS
from ctiforge.evaluation.classification import ClassSums, macro_f1
from ctiforge.osbert.embedding import embed_windows
from ctiforge.osbert.model import ArticleRow
from ctiforge.osbert.pooling import POOLINGS, Pooling, pool

_STEPS = 300
_LEARNING_RATE = 2e-2


@dataclass(frozen=True)
class PoolingTrial:
    """How one pooling did on the validation articles."""

    pooling: Pooling
    macro_f1: float
    recall_of_multiple: float | None
    """None where no validation article is about several systems."""


def try_poolings(
    encoder: Any, train: Sequence[ArticleRow], validation: Sequence[ArticleRow], weights: torch.Tensor, pad: int
) -> list[PoolingTrial]:
    """A trial of each pooling, best first; `encoder` is frozen, `weights` (classes,) are those of the loss."""
    rows = [*train, *validation]
    vectors, owners = embed_windows(encoder, [row.encoded for row in rows], pad, "train_os_bert")
    vectors = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6)
    labels = torch.tensor([row.label for row in rows])
    known = torch.from_numpy(owners) < len(train)
    features = torch.from_numpy(vectors)
    articles = torch.from_numpy(owners)
    trials = []
    for pooling in POOLINGS:
        head = _fit(pooling, features[known], articles[known], labels[: len(train)], weights)
        with torch.no_grad():
            logits = head(features[~known])
        pooled = pool(pooling, logits, articles[~known] - len(train), len(validation))
        trials.append(score_pooling(pooling, labels[len(train) :].tolist(), pooled.argmax(dim=1).tolist()))
    return sorted(trials, key=lambda trial: -trial.macro_f1)


def score_pooling(pooling: Pooling, truths: Sequence[int], predictions: Sequence[int]) -> PoolingTrial:
    """Macro-F1, and the recall of `multiple`, of numbered labels."""
    expected_labels, predicted_labels = ([OS_LABELS[n] for n in numbers] for numbers in (truths, predictions))
    sums = ClassSums(expected_labels, predicted_labels, OS_LABELS, np.ones((1, len(truths))))
    multiple = OS_LABELS.index("multiple")
    expected = float(sums.expected[0, multiple])
    recall = float(sums.found[0, multiple]) / expected if expected else None
    return PoolingTrial(pooling, float(macro_f1(sums)[0]), recall)


def _fit(
    pooling: Pooling, features: torch.Tensor, articles: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> torch.nn.Linear:
    torch.manual_seed(0)
    head = torch.nn.Linear(features.shape[1], len(OS_LABELS))
    optimizer = torch.optim.AdamW(head.parameters(), lr=_LEARNING_RATE, weight_decay=0.1)
    for _ in range(_STEPS):
        pooled = pool(pooling, head(features), articles, len(labels))
        each = torch.nn.functional.cross_entropy(pooled, labels, reduction="none") * weights[labels]
        optimizer.zero_grad()
        each.mean().backward()
        optimizer.step()
    return head
