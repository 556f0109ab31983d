from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.evaluation.scoring.pairing import pair_up

NONE = -1.0


def test_as_many_pairs_as_can_be_go_before_the_best_one() -> None:
    # the best pair first would leave the second row without
    assert pair_up(np.array([[0.9, 0.5], [0.6, NONE]])) == {0: 1, 1: 0}


def test_of_as_many_pairs_the_highest_total_is_taken() -> None:
    assert pair_up(np.array([[0.9, 0.8], [0.8, 0.2]])) == {0: 1, 1: 0}
    assert pair_up(np.array([[0.5, 0.9, 0.7]])) == {0: 1}
    assert pair_up(np.array([[0.5], [NONE], [0.9]])) == {2: 0}


def test_nothing_pairs_with_nothing() -> None:
    assert pair_up(np.empty((0, 3))) == pair_up(np.full((2, 2), NONE)) == {}


def test_two_long_lists_that_are_all_alike_pair_up() -> None:
    assert len(pair_up(np.full((300, 400), 0.5))) == 300


WEIGHTS = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.lists(
        st.lists(st.sampled_from([NONE, NONE, 0.0, 0.5, 0.6, 1.0]), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    ).map(np.array)
)


@given(WEIGHTS)
def test_no_pairing_has_more_pairs_or_as_many_and_a_higher_total(weights: np.ndarray) -> None:
    paired = pair_up(weights)

    assert len(set(paired.values())) == len(paired)
    assert all(weights[edge] >= 0 for edge in paired.items())
    count, total = _best(weights)
    assert len(paired) == count >= len(_greedy(weights))
    assert abs(sum(weights[edge] for edge in paired.items()) - total) < 1e-9


def _best(weights: np.ndarray) -> tuple[int, float]:
    wide = weights if weights.shape[0] <= weights.shape[1] else weights.T
    tried = [
        [wide[edge] for edge in enumerate(columns) if wide[edge] >= 0]
        for columns in permutations(range(wide.shape[1]), wide.shape[0])
    ]
    return max((len(each), round(sum(each), 9)) for each in tried)


def _greedy(weights: np.ndarray) -> dict[int, int]:
    taken: dict[int, int] = {}
    for row, column in sorted(np.ndindex(weights.shape), key=lambda edge: -weights[edge]):
        if weights[row, column] >= 0 and row not in taken and column not in taken.values():
            taken[row] = column
    return taken
