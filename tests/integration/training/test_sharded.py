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
