"""Processes that each keep a part of the weights (FSDP) train what one would, and go on from each other's parts."""

from dataclasses import replace

import pytest

from ctiforge.errors import InterruptedRunError
from ctiforge.pod.ranks import RanksFailedError
from tests.integration.training.of_ranks import KILL, OPTIONS, TERMINATE, apart


def test_two_with_half_the_weights_each_train_what_one_would(place, alone):
    # a GPU computes activations again
    one = alone(method="full", recompute=True)
    found = place.train(2, fsdp=True, recompute=True)
    assert found["steps"] == 20
    assert place.rows == one.rows
    assert apart(place, one) < 1e-5
    weights = sum(each.numel() for each in one.weights.values())
    assert sum(found["held"]) == weights
    assert max(found["held"]) < 0.51 * weights


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1])
def test_a_signal_to_one_stops_all_and_they_go_on_from_their_parts(place, alone, rank):
    with pytest.raises(InterruptedRunError, match="interrupted at step 8 of 20; its state is saved"):
        place.train(2, fsdp=True, signals=((rank, 8, TERMINATE),))
    found = place.train(2, fsdp=True)
    assert found["resumed_from_step"] == 8
    assert apart(place, alone(method="full")) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0])
def test_one_that_is_killed_costs_what_was_not_saved_by_all(place, alone, rank):
    with pytest.raises(RanksFailedError, match=f"process {rank} of 2 .* killed by signal 9"):
        place.train(2, fsdp=True, signals=((rank, 13, KILL),))
    found = place.train(2, fsdp=True)
    assert 13 - OPTIONS.save_steps <= found["resumed_from_step"] < 13
    assert apart(place, alone(method="full")) < 1e-5


@pytest.mark.slow
def test_parts_of_two_are_read_by_three(place, alone):
    options = replace(OPTIONS, batch_size=2, gradient_accumulation_steps=6)
    with pytest.raises(InterruptedRunError):
        place.train(2, options, fsdp=True, signals=((0, 7, TERMINATE),))
    found = place.train(3, options, fsdp=True)
    assert found["resumed_from_step"] == 7
    assert len(found["held"]) == 3
    assert apart(place, alone(options=options, method="full")) < 1e-5
