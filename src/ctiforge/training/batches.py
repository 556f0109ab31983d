"""Rows into batches: padded to the longest of a bucket, loss on answers only."""

import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ctiforge.training.encoding import IGNORE, EncodedExample
from ctiforge.training.ranks import Ranks

Collator = Callable[[Sequence[Any]], dict[str, torch.Tensor]]
"""Rows into a padded batch of tensors."""
Lengths = npt.NDArray[np.int32]
"""Tokens of each row."""


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

    def __init__(self, lengths: Sequence[int] | Lengths, batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths, np.int32)
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
        rows = _shuffled(len(self), order)
        size = self.batch_size * _BATCHES_PER_BUCKET
        for start in range(0, len(rows), size):
            bucket = rows[start : start + size]
            bucket[:] = bucket[np.argsort(self.lengths[bucket], kind="stable")]
        whole = len(rows) // self.batch_size
        for batch in _shuffled(whole, order):
            yield from rows[batch * self.batch_size : (batch + 1) * self.batch_size].tolist()
        # a short batch in the middle would shift every later one
        yield from rows[whole * self.batch_size :].tolist()

    def tokens_of_steps(self) -> npt.NDArray[np.int64]:
        """Count the tokens that each step of this epoch learns from, padding apart."""
        rows = np.fromiter(self, np.int32, len(self))
        return np.add.reduceat(self.lengths[rows], range(0, len(rows), self.batch_size), dtype=np.int64)


class MicroBatches(torch.utils.data.Sampler[list[int]]):
    """The micro-batches of one rank: those of each step are dealt to the ranks in turn.

    However many ranks there are, a step learns from the same rows. Where a step has too few, as the last of an epoch,
    a rank gets an empty micro-batch: each must have as many as the others.
    """

    def __init__(self, rows: LengthBucketSampler, micro_batch: int, ranks: Ranks) -> None:
        self.rows = rows
        self.micro_batch = micro_batch
        self.ranks = ranks

    def set_epoch(self, epoch: int) -> None:
        """Note the epoch; the trainer calls it before each, here where batches are skipped."""
        self.rows.set_epoch(epoch)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.rows), self.rows.batch_size)
        return whole * self._rounds(self.rows.batch_size) + self._rounds(rest)

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.rows)
        while step := list(islice(numbers, self.rows.batch_size)):
            for turn in range(self._rounds(len(step))):
                start = (turn * self.ranks.count + self.ranks.rank) * self.micro_batch
                yield step[start : start + self.micro_batch]

    def _rounds(self, rows: int) -> int:
        """Count the micro-batches that each rank has of a step of so many rows."""
        return -(-rows // (self.micro_batch * self.ranks.count))


class MicroBatchLoader(torch.utils.data.DataLoader[Any]):
    """Loads micro-batches, in another order in each epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Note the epoch; the trainer calls it before each."""
        self.batch_sampler.set_epoch(epoch)


class NeverEmpty:
    """Makes of an empty micro-batch one row without loss, so that a rank computes as often as the others."""

    def __init__(self, collator: Collator, rows: "Rows[Any]") -> None:
        self.collator = collator
        self.rows = rows

    def __call__(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Make a batch of rows."""
        if rows:
            return self.collator(rows)
        batch = self.collator([self.rows[int(self.rows.lengths.argmin())]])
        without = {name: torch.full_like(batch[name], IGNORE) for name in ("labels", "shift_labels") if name in batch}
        return batch | without


class Rows(torch.utils.data.Dataset[AnyRow]):
    """Encoded examples as a torch data set."""

    def __init__(self, rows: Sequence[AnyRow]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> AnyRow:
        return self.rows[index]

    @property
    def lengths(self) -> Lengths:
        """List the tokens of each row."""
        return np.fromiter((row.length for row in self.rows), np.int32, len(self.rows))


def evenly(count: int, size: int, ranks: Ranks) -> list[list[int]]:
    """Give a rank its share of rows that are looked at once, in their order.

    Args:
        count: Of all rows.
        size: Rows of a batch.
        ranks: The rank.

    Returns:
        The numbers of its rows, by batch.
    """
    batches = [list(range(start, min(start + size, count))) for start in range(0, count, size)]
    return batches[ranks.rank :: ranks.count]


def _shuffled(count: int, order: random.Random) -> npt.NDArray[np.int32]:
    """Shuffle the numbers below `count` as a list of them would be, in 4 bytes each."""
    numbers = array("i", range(count))
    order.shuffle(numbers)
    return np.frombuffer(numbers, np.int32).copy()
