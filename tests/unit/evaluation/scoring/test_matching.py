from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.prove_pairs import JudgedPair, judged_pairs, verdict
from ctiforge.evaluation.scoring.matching import Match, match
from ctiforge.records.observable import TYPES, Observable


@pytest.mark.parametrize("pair", [pytest.param(pair, id=f"{pair.type}-{pair.rule}") for pair in judged_pairs()])
def test_a_pair_is_scored_as_a_person_judged_it(pair: JudgedPair) -> None:
    assert verdict(pair.type, pair.expected, pair.predicted) == pair.verdict, pair.why
    assert verdict(pair.type, pair.predicted, pair.expected) == pair.verdict
    assert (
        verdict(pair.type, pair.expected, pair.expected)
        == verdict(pair.type, pair.predicted, pair.predicted)
        == "found"
    )


def test_every_type_has_pairs_of_each_verdict_and_no_rule_twice() -> None:
    pairs = judged_pairs()
    rules = {(pair.type, pair.rule) for pair in pairs}

    assert len(rules) == len(pairs) >= 80
    for type_ in TYPES:
        verdicts = [pair.verdict for pair in pairs if pair.type == type_]
        assert len(verdicts) >= 8
        assert set(verdicts) == {"found", "in part", "not found"}


BY_TYPE = {
    type_: sorted({value for pair in judged_pairs() if pair.type == type_ for value in (pair.expected, pair.predicted)})
    for type_ in TYPES
}
THREE = st.sampled_from(TYPES).flatmap(lambda type_: st.tuples(st.just(type_), *[st.sampled_from(BY_TYPE[type_])] * 3))


@given(THREE)
def test_verdicts_are_symmetric_and_what_is_found_is_one_class(drawn: tuple[str, str, str, str]) -> None:
    type_, one, other, third = drawn

    assert verdict(type_, one, other) == verdict(type_, other, one)
    if verdict(type_, one, other) == verdict(type_, other, third) == "found":
        assert verdict(type_, one, third) == "found"


def outcome(expected: list[str], predicted: list[str], type_: str = "cmdline") -> tuple[int, int, int, int]:
    """Found, exactly found, missed, wrong."""
    matches = match(
        [Observable(type=type_, value=value) for value in expected],
        [Observable(type=type_, value=value) for value in predicted],
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


def commands(*values: str) -> list[Observable]:
    return [Observable(type="cmdline", value=value) for value in values]


def in_part(expected: list[str], predicted: list[str]) -> dict[str, str]:
    """What was missed, with the wrong item that gives it in part."""
    matches = match(commands(*expected), commands(*predicted))
    return {each.expected.value: each.near.value for each in matches if each.expected and each.near}


def test_a_wrong_item_gives_a_missed_one_in_part_from_half_of_their_words_on() -> None:
    assert in_part(["net user bob /add"], ["net user bob"]) == {"net user bob /add": "net user bob"}
    assert in_part(["a b c d"], ["a b x y"]) == {"a b c d": "a b x y"}
    assert in_part(["a b c d e"], ["a b x y z"]) == {}


def test_each_side_of_a_pair_knows_the_other() -> None:
    missed, wrong = match(commands("net user bob /add"), commands("net user bob"))

    assert (missed.near, wrong.near) == (wrong.predicted, missed.expected)


def test_each_prediction_is_used_once_for_the_item_that_it_is_most_like() -> None:
    assert in_part(["copy a b", "copy a b c d"], ["copy a b c"]) == {"copy a b c d": "copy a b c"}
    assert in_part(["copy a b"], ["copy a x", "copy a y"]) == {"copy a b": "copy a x"}


def test_what_is_found_is_no_partner() -> None:
    assert in_part(["net user", "net user bob"], ["net user"]) == {}


def test_types_do_not_mix_in_part_either() -> None:
    matches = match([Observable(type="services", value="a b c")], [Observable(type="scheduled_tasks", value="a b d")])

    assert [each.near for each in matches] == [None, None]


VALUES = st.lists(st.sampled_from(["a b", "A  B", "a c", "d", "D", '"d"', "e f"]), max_size=8)


@given(VALUES, VALUES)
def test_every_match_is_one_to_one_and_the_tiers_are_nested(expected: list[str], predicted: list[str]) -> None:
    found, exact, missed, wrong = outcome(expected, predicted)

    assert exact <= found
    assert found + missed <= len(expected)
    assert found + wrong <= len(predicted)
    assert outcome(predicted, expected) == (found, exact, wrong, missed)


WORDS = st.lists(st.sampled_from(["net", "user", "bob", "/add", "whoami", "x"]), min_size=1, max_size=4)
COMMANDS = st.lists(WORDS.map(" ".join), max_size=6)


def tiers(matches: list[Match]) -> tuple[int, int, int]:
    """Items found at the strict, the normalized and the partial tier."""
    found = [each for each in matches if each.expected and each.predicted]
    partly = [each for each in matches if each.expected and (each.predicted or each.near)]
    return sum(each.exact for each in found), len(found), len(partly)


@given(COMMANDS, COMMANDS, st.randoms(use_true_random=False))
def test_the_order_of_predictions_never_matters(expected: list[str], predicted: list[str], random: Random) -> None:
    shuffled = random.sample(predicted, len(predicted))

    assert tiers(match(commands(*expected), commands(*predicted))) == tiers(
        match(commands(*expected), commands(*shuffled))
    )
    assert in_part(expected, predicted).keys() == in_part(expected, shuffled).keys()


@given(COMMANDS, COMMANDS)
def test_every_tier_holds_the_one_before_and_pairs_one_to_one(expected: list[str], predicted: list[str]) -> None:
    matches = match(commands(*expected), commands(*predicted))
    strict, normalized, partial = tiers(matches)
    given_count = sum(each.predicted is not None for each in matches)

    assert strict <= normalized <= partial <= min(given_count, sum(each.expected is not None for each in matches))
    assert sum(bool(each.near) for each in matches if each.expected) == sum(
        bool(each.near) for each in matches if not each.expected
    )


@given(COMMANDS, COMMANDS)
def test_a_wrong_item_more_never_raises_precision_and_an_item_more_never_lowers_what_is_found(
    expected: list[str], predicted: list[str]
) -> None:
    before = match(commands(*expected), commands(*predicted))
    wrong = match(commands(*expected), commands(*predicted, "certutil -urlcache"))
    more = match(commands(*expected), commands(*predicted, "net user bob"))

    assert tiers(wrong) == tiers(before)
    assert sum(each.predicted is not None for each in wrong) > sum(each.predicted is not None for each in before)
    assert all(one >= other for one, other in zip(tiers(more), tiers(before), strict=True))


@given(COMMANDS)
def test_a_perfect_answer_finds_everything_at_every_tier(expected: list[str]) -> None:
    matches = match(commands(*expected), commands(*expected))

    assert tiers(matches) == (len(matches),) * 3
