"""Whether a model sees that a window holds something."""

import pytest
import torch

from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.records.observable import Observable
from ctiforge.training.choice import ItemChoice, auc, choice_loss, find_choice, leanings
from ctiforge.training.encoding import IGNORE, encode_answer, load_tokenizer

EMPTY = render_answer(())


def answer(type_: str, value: str) -> str:
    return render_answer((Observable(type=type_, value=value),))


def test_answers_part_at_one_token():
    tokenizer = load_tokenizer("demo")
    some = [answer("cmdline", "whoami /all"), answer("services", "Upd"), answer("hunt_queries", "{}")]
    choice = find_choice(tokenizer, EMPTY, some)
    assert choice is not None
    nothing = encode_answer(tokenizer, EMPTY)
    at = len(choice.prefix)
    assert nothing[: at + 1] == [*choice.prefix, choice.empty]
    for each in some:
        ids = encode_answer(tokenizer, each)
        assert ids[: at + 1] == [*choice.prefix, choice.item]


def test_without_answers_or_where_they_part_in_several_ways_there_is_no_choice():
    tokenizer = load_tokenizer("demo")
    assert find_choice(tokenizer, EMPTY, []) is None
    assert find_choice(tokenizer, EMPTY, [answer("cmdline", "a"), "prose"]) is None


CHOICE = ItemChoice(prefix=(1,), item=5, empty=6)
# an item, nothing, neither of both, an answer that ends before, one that begins otherwise
LABELS = torch.tensor(
    [[IGNORE, 1, 5, 2], [1, 6, IGNORE, IGNORE], [1, 7, 2, IGNORE], [1, IGNORE, IGNORE, IGNORE], [3, 5, 2, IGNORE]]
)


def test_the_odds_are_read_where_the_answer_says_it():
    logits = torch.zeros(5, 4, 9)
    logits[0, 2, 5], logits[1, 1, 6] = 2.0, 3.0
    assert leanings(logits, LABELS, CHOICE) == [(2.0, True), (-3.0, False), None, None, None]


def test_the_loss_of_the_choice_is_that_of_one_token_of_each_window():
    logits = torch.randn(5, 4, 9, generator=torch.Generator().manual_seed(0))
    expected = -logits[0, 2].log_softmax(-1)[5] - logits[1, 1].log_softmax(-1)[6]
    assert torch.isclose(choice_loss(logits, LABELS, CHOICE), expected)
    assert choice_loss(logits, LABELS[2:], CHOICE) == 0


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(2.0, True), (-1.0, False)], 1.0),
        ([(-1.0, True), (2.0, False)], 0.0),
        ([(1.0, True), (1.0, False)], 0.5),
        ([(3.0, True), (1.0, True), (2.0, False), (0.0, False)], 0.75),
        ([(1.0, True)], None),
        ([], None),
    ],
)
def test_the_share_of_pairs_in_the_right_order(pairs, expected):
    assert auc(pairs) == expected
