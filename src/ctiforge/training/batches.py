"""Rows into batches: padded to the longest of a bucket, loss on answers only."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch

from ctiforge.training.encoding import IGNORE, EncodedExample

Collator = Callable[[Sequence[Any]], dict[str, torch.Tensor]]
"""Rows into a padded batch of tensors."""


class TrainingRow(Protocol):
    """One training example."""

    @property
    def length(self) -> int:
        """Count its tokens."""
        ...


AnyRow = TypeVar("AnyRow", bound=TrainingRow)

# Batches whose rows are sorted by length together: enough for little padding, few enough to stay shuffled.
_BATCHES_PER_BUCKET = 32


class AnswerCollator:
    """Pads rows on the right and asks the model for logits only where some row of the batch has loss.

    Makes `input_ids` and `attention_mask` (batch, length), `logits_to_keep` (positions,) and
    `shift_labels` = `labels` (batch, positions): the token that each kept position must predict,
    `IGNORE` where that row has no loss. On a large vocabulary the logits that are left out are most
    of the memory of a step.
    """

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[EncodedExample]) -> dict[str, torch.Tensor]:
        """Make a batch of rows."""
        length = max(len(row.input_ids) for row in rows)
        input_ids = torch.full((len(rows), length), self.pad_token_id)
        attention_mask = torch.zeros((len(rows), length), dtype=torch.long)
        labels = torch.full((len(rows), length), IGNORE)
        for index, row in enumerate(rows):
            size = len(row.input_ids)
            input_ids[index, :size] = torch.tensor(row.input_ids)
            attention_mask[index, :size] = 1
            labels[index, :size] = torch.tensor(row.labels)
        predicted = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORE)
        kept = (predicted != IGNORE).any(dim=0).nonzero().squeeze(-1)
        shifted = predicted[:, kept]
        return {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "logits_to_keep": kept,
            "labels": shifted,
            "shift_labels": shifted,
        }


class LengthBucketSampler(torch.utils.data.Sampler[int]):
    """Every row once an epoch, neighbors alike in length, batches in random order.

    Rows are shuffled, cut into buckets of some batches, sorted by length within each; then the
    batches are shuffled. `batch_size` is the effective batch, of one optimizer step: the order
    depends on it, `seed` and the epoch alone, so a resumed run sees the rows an uninterrupted one
    would, however its steps are cut into micro-batches (which are then alike in length as well).
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Note the epoch; the trainer calls it before each."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        order = random.Random(f"{self.seed}:{self.epoch}")
        rows = list(range(len(self.lengths)))
        order.shuffle(rows)
        size = self.batch_size * _BATCHES_PER_BUCKET
        batches = []
        for start in range(0, len(rows), size):
            bucket = sorted(rows[start : start + size], key=self.lengths.__getitem__)
            batches += [bucket[i : i + self.batch_size] for i in range(0, len(bucket), self.batch_size)]
        # A short batch in the middle would shift every later one.
        last = [batches.pop()] if batches and len(batches[-1]) < self.batch_size else []
        order.shuffle(batches)
        return iter([row for batch in batches + last for row in batch])


class Rows(torch.utils.data.Dataset[AnyRow]):
    """Encoded examples as a torch data set."""

    def __init__(self, rows: Sequence[AnyRow]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> AnyRow:
        return self.rows[index]

    @property
    def lengths(self) -> list[int]:
        """List the tokens of each row."""
        return [row.length for row in self.rows]
