from time import process_time

import numpy as np
import pytest

from ctiforge.evaluation.scoring.nearness import nearness


def near(type_: str, one: str, other: str) -> float:
    return float(nearness(type_, [one], [other])[0, 0])


def test_overlap_is_the_f1_of_two_bags_of_words() -> None:
    assert near("other", "net user /add bob", "net user") == 2 * 2 / 6
    assert near("other", "a a b", "a b b") == 2 * 2 / 6
    assert near("other", "x", "y") == near("other", "/", "/") == -1


def test_each_missed_item_is_held_against_each_wrong_one() -> None:
    found = nearness("cmdline", ["net user", "dir c:"], ["dir c: /s", "whoami", "net user bob"])

    assert found.shape == (2, 3)
    assert (found >= 0).tolist() == [[False, False, True], [True, False, False]]


@pytest.mark.parametrize("sides", [([], ["a"]), (["a"], []), ([], [])])
def test_nothing_is_near_to_nothing(sides: tuple[list[str], list[str]]) -> None:
    assert nearness("cmdline", *sides).shape == (len(sides[0]), len(sides[1]))


def test_where_one_thing_decides_no_words_are_counted() -> None:
    assert near("scheduled_tasks", "microsoft\\windows\\a\\b\\nightly", "nightly") == 2 * 1 / 6
    assert near("network_indicators", "https://a.example/b/c/d/e/f", "a.example") >= 0


def test_long_lists_cost_no_look_at_all_pairs() -> None:
    started = process_time()
    found = nearness(
        "cmdline", [f"copy a{n} b c d" for n in range(500)], [f"ping 10.0.{n // 250}.{n % 250}" for n in range(500)]
    )

    assert np.all(found == -1)
    assert process_time() - started < 2
