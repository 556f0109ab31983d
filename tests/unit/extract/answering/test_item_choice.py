"""The choice between an item and an empty answer, while a model writes."""

import pytest
import torch

from ctiforge.extract.answering.item_choice import ALWAYS, ItemBias, choice_of
from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.training.choice import ItemChoice

CHOICE = ItemChoice(prefix=(7, 8), item=1, empty=2)
PROMPT = [9, 9, 9]


def test_every_answer_of_a_tokenizer_makes_the_choice_at_one_token(tokenizer):
    choice = choice_of(tokenizer)
    assert choice is not None
    assert tokenizer.decode([*choice.prefix, choice.empty]) in render_answer(())


def scores(*odds):
    rows = torch.zeros(len(odds), 5)
    rows[:, CHOICE.item] = torch.tensor(odds)
    return rows


def test_the_bias_shifts_only_rows_that_stand_at_the_choice():
    bias = ItemBias(CHOICE, 2.0, len(PROMPT))
    written = torch.tensor([[*PROMPT, 7, 8], [*PROMPT, 7, 3]])
    given = scores(-1.5, -1.5)
    shifted = bias(written, given)
    assert shifted[:, CHOICE.item].tolist() == [0.5, -1.5]
    assert shifted[:, CHOICE.empty].tolist() == [0.0, 0.0]
    assert given[0, CHOICE.item] == -1.5
    assert bias.leanings(2) == [-1.5, None]


@pytest.mark.parametrize(
    ("odds", "bias", "first"),
    [(6.0, -7.0, CHOICE.empty), (-6.0, 7.0, CHOICE.item), (6.0, -3.0, CHOICE.item), (-6.0, 3.0, CHOICE.empty)],
)
def test_the_bias_parts_two_tokens_and_lets_no_third_one_win(odds, bias, first):
    given = torch.tensor([[0.0, odds / 2, -odds / 2, 0.0, 2.5]])
    shifted = ItemBias(CHOICE, bias, len(PROMPT))(torch.tensor([[*PROMPT, 7, 8]]), given)
    assert int(shifted.argmax()) == first


@pytest.mark.parametrize("written", [[7], [7, 8, 1], []])
def test_before_and_after_the_choice_nothing_is_changed(written):
    bias = ItemBias(CHOICE, ALWAYS, len(PROMPT))
    given = scores(-3.0)
    assert torch.equal(bias(torch.tensor([[*PROMPT, *written]]), given), given)
    assert bias.leanings(1) == [None]
