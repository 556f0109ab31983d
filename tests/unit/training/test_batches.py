import random

import pytest
import torch

from ctiforge.training.batches import (
    AnswerCollator,
    LengthBucketSampler,
    MicroBatches,
    NeverEmpty,
    Rows,
    evenly,
)
from ctiforge.training.encoding import IGNORE, EncodedExample
from ctiforge.training.ranks import Ranks


def test_logits_are_asked_for_only_where_a_row_has_loss():
    batch = AnswerCollator(pad_token_id=0)([EncodedExample([5, 6, 7, 8], 2), EncodedExample([5, 6, 9], 2)])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8], [5, 6, 9, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["logits_to_keep"].tolist() == [1, 2]
    assert batch["shift_labels"].tolist() == [[7, 8], [9, IGNORE]]


def test_a_pad_token_equal_to_the_end_token_keeps_the_end_token_in_the_loss():
    batch = AnswerCollator(pad_token_id=8)([EncodedExample([5, 7, 8], 1), EncodedExample([5, 7, 7, 8], 1)])
    assert batch["shift_labels"].tolist() == [[7, 8, IGNORE], [7, 7, 8]]


def test_every_row_comes_once_and_neighbours_are_alike_in_length():
    lengths = [(i * 37) % 100 + 1 for i in range(512)]
    order = list(LengthBucketSampler(lengths, 4, seed=1))
    assert sorted(order) == list(range(512))
    spread = [
        max(lengths[i] for i in order[k : k + 4]) - min(lengths[i] for i in order[k : k + 4]) for k in range(0, 512, 4)
    ]
    assert max(spread) <= 8


def test_the_order_depends_on_seed_and_epoch_alone():
    sampler = LengthBucketSampler([3, 1, 2, 9, 5, 4], 2, seed=1)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_tokens_of_a_step_are_those_of_its_rows():
    lengths = [3, 1, 2, 9, 5]
    sampler = LengthBucketSampler(lengths, 2, seed=1)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        rows = list(sampler)
        assert sampler.tokens_of_steps().tolist() == [
            sum(lengths[row] for row in rows[at : at + 2]) for at in (0, 2, 4)
        ]


def test_rows_of_a_step_do_not_depend_on_how_it_is_cut_into_micro_batches():
    """And each micro-batch holds rows alike in length: little padding, whatever its size."""
    lengths = [(i * 37) % 400 + 1 for i in range(1_024)]
    order = list(LengthBucketSampler(lengths, 16, seed=1))

    def padded(size):
        return sum(size * max(lengths[i] for i in order[k : k + size]) for k in range(0, len(order), size))

    assert padded(4) <= padded(8) <= padded(16) <= 1.1 * sum(lengths)


def test_a_short_batch_comes_last():
    lengths = list(range(1, 12))
    order = list(LengthBucketSampler(lengths, 4, seed=3))
    assert len(order) == 11
    assert sorted(order) == list(range(11))


def order_of_lists(lengths, batch_size, seed, epoch):
    """The order as it was made of lists: a run that was begun with it goes on with the same rows."""
    order = random.Random(f"{seed}:{epoch}")
    rows = list(range(len(lengths)))
    order.shuffle(rows)
    batches = []
    for start in range(0, len(rows), batch_size * 32):
        bucket = sorted(rows[start : start + batch_size * 32], key=lengths.__getitem__)
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    last = [batches.pop()] if batches and len(batches[-1]) < batch_size else []
    order.shuffle(batches)
    return [row for batch in batches + last for row in batch]


@pytest.mark.parametrize(("rows", "batch_size"), [(0, 4), (1, 4), (64, 16), (515, 4), (1_000, 16), (5_000, 3)])
def test_the_order_is_the_one_that_lists_gave(rows, batch_size):
    lengths = [(i * 37) % 100 + 1 for i in range(rows)]
    sampler = LengthBucketSampler(lengths, batch_size, seed=7)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert list(sampler) == order_of_lists(lengths, batch_size, 7, epoch)


def test_rows_know_their_lengths():
    rows = Rows([EncodedExample([1, 2, 3], 1), EncodedExample([1], 0)])
    assert rows.lengths.tolist() == [3, 1]
    assert isinstance(AnswerCollator(0)(rows.rows)["input_ids"], torch.Tensor)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 29, 32, 60])
def test_ranks_share_each_step_and_compute_equally_often(rows, count):
    lengths = [5 + number % 7 for number in range(rows)]
    order = LengthBucketSampler(lengths, 16, seed=3)
    of_ranks = [list(MicroBatches(order, 2, Ranks(rank, count))) for rank in range(count)]
    assert {len(each) for each in of_ranks} == {len(MicroBatches(order, 2, Ranks(0, count)))}
    per_step = 16 // (2 * count)
    steps = [list(order)[start : start + 16] for start in range(0, rows, 16)]
    for number, step in enumerate(steps):
        turns = slice(number * per_step, (number + 1) * per_step)
        seen = [row for each in of_ranks for batch in each[turns] for row in batch]
        assert sorted(seen) == sorted(step)


def test_an_empty_micro_batch_is_the_shortest_row_without_loss():
    rows = Rows([EncodedExample([7, 8, 9], 1), EncodedExample([5, 6], 1)])
    collate = NeverEmpty(AnswerCollator(0), rows)
    batch = collate([])
    assert batch["input_ids"].tolist() == [[5, 6]]
    assert batch["labels"].tolist() == batch["shift_labels"].tolist() == [[IGNORE]]
    assert collate([rows[0]])["labels"].tolist() == [[8, 9]]


def test_what_is_looked_at_once_is_looked_at_by_one_rank():
    shares = [evenly(7, 2, Ranks(rank, 3)) for rank in range(3)]
    assert shares == [[[0, 1], [6]], [[2, 3]], [[4, 5]]]
