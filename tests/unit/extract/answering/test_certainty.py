import json

import pytest
import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.extract.answering.certainty import TokenProbabilities, item_probabilities


def answer(*values: str) -> str:
    return json.dumps({"observables": [{"type": "services", "value": value} for value in values]}, ensure_ascii=False)


def test_each_step_is_kept_as_greedy_decoding_takes_it_and_nothing_is_changed() -> None:
    kept = TokenProbabilities()
    first, second = torch.tensor([[0.0, 0.0], [0.0, 100.0]]), torch.tensor([[float("-inf"), 3.0], [0.0, 0.0]])

    assert kept(None, first) is first
    kept(None, second)

    assert kept.rows() == [pytest.approx([-0.6931472, 0.0]), pytest.approx([0.0, -0.6931472])]


def test_a_model_that_is_never_called_has_none() -> None:
    assert TokenProbabilities().rows() == []


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_end_everything(broken: float) -> None:
    kept = TokenProbabilities()
    kept(None, torch.tensor([[0.0, broken], [0.0, 1.0]]))

    with pytest.raises(CannotGoOnError, match="computes no numbers"):
        kept.rows()


def test_an_item_has_the_tokens_that_its_text_is_made_of(tokenizer) -> None:  # type: ignore[no-untyped-def]
    raw = answer("Svc0", "Büro—☃", "Svc2") + " "
    ids = tokenizer(raw, add_special_tokens=False)["input_ids"]
    shown = [tokenizer.decode(ids[: count + 1]) for count in range(len(ids))]
    start, end = raw.index("[") + 1, raw.index("}") + 1
    of_first = [start < len(text) and len(before) < end for before, text in zip(["", *shown], shown, strict=False)]
    logprobs = [-1.0 if inside else -0.5 for inside in of_first]
    logprobs[of_first.index(True)] = -2.0

    first, second, third = item_probabilities(raw, ids, logprobs, tokenizer.decode)

    assert (first.start, first.end) == (start, end)
    assert first.least == -2.0
    assert first.mean == pytest.approx(-1 - 1 / sum(of_first), abs=1e-4)
    assert raw[second.start : second.end] == '{"type": "services", "value": "Büro—☃"}'
    # a token may have a part of the item before it and of this one
    assert third.mean == third.least == -0.5


def test_what_is_no_answer_has_no_items() -> None:
    assert item_probabilities("no JSON", [1, 2], [-1.0, -1.0], lambda ids: "no JSON"[: len(ids)]) == ()
    assert item_probabilities("", [], [], lambda ids: "") == ()
