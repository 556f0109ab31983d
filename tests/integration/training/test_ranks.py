"""Several processes train what one would: the same rows and weights.

Every method, and kills of either process at many steps, are `make prove-ranks`.
"""

import pytest

from ctiforge.errors import UsageError
from tests.integration.training.of_ranks import apart


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", pytest.param("qlora", marks=pytest.mark.prove)])
def test_two_train_what_one_would(place, alone, method):
    # a GPU computes activations again
    recompute = method == "qlora"
    one = alone(method=method, recompute=recompute)
    found = place.train(2, method=method, recompute=recompute)
    assert found["steps"] == 20
    assert place.rows == one.rows
    assert [len(rows) for rows in place.rows.values()] == [16, 16, 16, 12] * 5
    assert apart(place, one) < 1e-5
    # epochs differ in their order
    steps = [str(rows) for rows in place.rows.values()]
    assert len({tuple(steps[start : start + 4]) for start in range(0, 20, 4)}) > 1
    # each has its share
    assert all((place.seen / f"rows-{rank}.jsonl").read_text() for rank in range(2))


def test_a_step_that_cannot_be_shared_is_refused(place):
    with pytest.raises(UsageError, match=r"3 processes: a step's 16 examples .* cannot be shared evenly"):
        place.train(3)
