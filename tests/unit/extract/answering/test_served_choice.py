"""The choice as an endpoint tells of it."""

import pytest

from ctiforge.extract.answering.endpoint import Completion
from ctiforge.extract.answering.served_choice import ServedChoice
from ctiforge.extract.prompts.rendering import render_answer

CHOICE = ServedChoice('{"observables":[', '{"', "]}")


def completion(*tokens):
    """Each token with its alternatives."""
    texts = [(text, -0.1) for text, _ in tokens]
    return Completion("".join(text for text, _ in texts), False, 1, 1, tuple(texts), tuple(each for _, each in tokens))


PREFIX = (('{"', {'{"': -0.1}), ("observables", {}), ('":[', {}))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((*PREFIX, ("]}", {"]}": -0.5, '{"': -2.0})), -1.5),
        ((*PREFIX, ('{"', {"]}": -3.0, '{"': -0.5})), 2.5),
        # the other one is not among the alternatives: it is no likelier than the last of them
        ((*PREFIX, ("]}", {"]}": -0.1, "]": -4.0, "x": -6.0})), -5.9),
        ((*PREFIX, ("]", {"]": -0.1, "x": -6.0})), None),
        ((("I", {}), (" think", {})), None),
        (PREFIX, None),
        ((), None),
    ],
)
def test_the_odds_are_those_of_the_token_after_what_every_answer_begins_with(tokens, expected):
    found = CHOICE.leaning(completion(*tokens))
    assert found == (expected if expected is None else pytest.approx(expected))


def test_the_texts_are_those_of_the_tokenizers_own_tokens(tokenizer):
    choice = ServedChoice.of(tokenizer)
    assert choice is not None
    assert render_answer(()).startswith(choice.prefix + choice.empty)
    assert '{"observables":[{"'.startswith(choice.prefix + choice.item)
    assert ServedChoice.of(None) is None
