"""The choice as an endpoint tells of it."""

from types import SimpleNamespace

import pytest

from ctiforge.extract.answering.endpoint import Completion, RefusedError
from ctiforge.extract.answering.served import EndpointAgent
from ctiforge.extract.answering.served_choice import ServedChoice
from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.records.model_note import AgentUsage, WindowSizes

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


EMPTY = render_answer(())
ITEM = '{"observables":[{"type":"services","value":"Svc1"}]}'
SIZES = WindowSizes(max_length=200, window_tokens=60, overlap_tokens=20)


class Served:
    """Chooses nothing, or an item, by so much; asked with a schema in which there must be an item, it gives one."""

    endpoint = SimpleNamespace(concurrency=1)

    def __init__(self, choice, leaning, *, holds_schema=True):
        self.choice, self.leaning, self.holds_schema, self.asked = choice, leaning, holds_schema, []

    def chat(self, turns, room, schema, **_):
        least = schema["properties"]["observables"].get("minItems", 0) if schema else 0
        self.asked.append(least)
        if least and not self.holds_schema:
            raise RefusedError("response_format is unknown")
        chosen = self.choice.item if self.leaning > 0 or least else self.choice.empty
        text = ITEM if chosen == self.choice.item else EMPTY
        others = {self.choice.item: -1.0 + self.leaning, self.choice.empty: -1.0}
        rest = text.removeprefix(self.choice.prefix + chosen)
        tokens = ((self.choice.prefix, {}), (chosen, others), (rest, {}))
        return completion(*tokens)


@pytest.mark.parametrize(
    ("leaning", "bias", "found", "asked"),
    [
        (-1.0, None, 0, [0]),
        (-1.0, 0.5, 0, [0]),
        (-1.0, 1.5, 1, [0, 1]),
        (1.0, -0.5, 1, [0]),
        (1.0, -1.5, 0, [0]),
    ],
)
def test_a_served_model_answers_by_its_threshold(tokenizer, leaning, bias, found, asked):
    usage = AgentUsage("messages", "short-v1", ("services",), SIZES, item_bias=bias)
    client = Served(ServedChoice.of(tokenizer), leaning)
    agent = EndpointAgent(client, usage, "served", tokenizer=tokenizer, logprobs=True)
    extraction = agent.extract("Svc1 runs.")
    assert len(extraction.observables) == found
    assert client.asked == asked
    assert extraction.windows[0].leaning == pytest.approx(leaning)


def test_an_endpoint_that_holds_no_answer_to_a_schema_keeps_its_own(tokenizer):
    usage = AgentUsage("messages", "short-v1", ("services",), SIZES, item_bias=9.0)
    client = Served(ServedChoice.of(tokenizer), -1.0, holds_schema=False)
    extraction = EndpointAgent(client, usage, "served", tokenizer=tokenizer, logprobs=True).extract("Svc1 runs.")
    assert extraction.observables == ()
    assert extraction.windows[0].error is None
