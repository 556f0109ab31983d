from hypothesis import given
from hypothesis import strategies as st

from ctiforge.evaluation.matching import match
from ctiforge.observables import Observable


def outcome(expected: list[str], predicted: list[str], type: str = "cmdline") -> tuple[int, int, int, int]:
    """Found, exactly found, missed, wrong."""
    matches = match(
        [Observable(type=type, value=value) for value in expected],
        [Observable(type=type, value=value) for value in predicted],
    )
    found = [each for each in matches if each.expected and each.predicted]
    missed = [each for each in matches if not each.predicted]
    wrong = [each for each in matches if not each.expected]
    return len(found), sum(each.exact for each in found), len(missed), len(wrong)


def test_the_tiers_are_told_apart() -> None:
    assert outcome(["net  user", "whoami /all", "ipconfig /all"], ["net user", "whoami /all", "dir x"]) == (2, 1, 1, 1)


def test_each_expected_item_is_matched_once() -> None:
    assert outcome(["whoami /all"], ["whoami /all", "whoami  /all", "WHOAMI /ALL"]) == (1, 1, 0, 0)
    assert outcome(["whoami /all"], ["WHOAMI /ALL"]) == (1, 0, 0, 0)


def test_labels_that_share_a_key_are_one_item_to_find() -> None:
    assert outcome(['net group "A B"', 'net group "a b"'], ['net group "a b"']) == (1, 1, 0, 0)


def test_equal_values_of_different_types_do_not_match() -> None:
    matches = match([Observable(type="services", value="x")], [Observable(type="scheduled_tasks", value="x")])

    assert [(each.expected is None, each.predicted is None) for each in matches] == [(False, True), (True, False)]


def test_nothing_matches_nothing() -> None:
    assert match([], []) == []


VALUES = st.lists(st.sampled_from(["a b", "A  B", "a c", "d", "D", '"d"', "e f"]), max_size=8)


@given(VALUES, VALUES)
def test_every_match_is_one_to_one_and_the_tiers_are_nested(expected: list[str], predicted: list[str]) -> None:
    found, exact, missed, wrong = outcome(expected, predicted)

    assert exact <= found
    assert found + missed <= len(expected)
    assert found + wrong <= len(predicted)
    assert outcome(predicted, expected) == (found, exact, wrong, missed)
