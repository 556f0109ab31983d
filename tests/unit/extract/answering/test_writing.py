"""Greedy answers of small models with random weights, together and each alone."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, Lfm2Config, LlamaConfig, MistralConfig

from ctiforge.extract.answering.constrained import AnswerConstraint
from ctiforge.extract.answering.item_choice import ALWAYS, choice_of
from ctiforge.extract.answering.writing import Asked, Writer

SMALL = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.7,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
FAMILIES = {
    "plain": LlamaConfig(**SMALL),
    "windowed": MistralConfig(sliding_window=9, **SMALL),
    "convolutions": Lfm2Config(full_attn_idxs=[1], block_multiple_of=8, **SMALL),
}


@pytest.fixture(params=FAMILIES)
def model(request):
    torch.manual_seed(4)
    return AutoModelForCausalLM.from_config(FAMILIES[request.param]).eval()


def asked(rows, seed=1):
    """Prompts of unlike lengths, with unlike rooms."""
    draw = torch.Generator().manual_seed(seed)
    lengths, rooms = (torch.randint(3, most, (rows,), generator=draw).tolist() for most in (30, 40))
    return [
        Asked(torch.randint(3, 61, (length,), generator=draw).tolist(), room)
        for length, room in zip(lengths, rooms, strict=True)
    ]


def rows_of_each_step(model, monkeypatch):
    seen = []
    forward = model.forward

    def counted(*given, **named):
        seen.append(len(named["input_ids"]))
        return forward(*given, **named)

    monkeypatch.setattr(model, "forward", counted)
    return seen


def up_to_its_end(written, ends):
    at = next((place for place, token in enumerate(written.ids) if token in ends), len(written.ids))
    return written.ids[: at + 1], written.logprobs[: at + 1]


def test_a_prompt_gets_the_answer_that_it_gets_alone_whichever_rows_leave_before(model, monkeypatch):
    prompts, ends = asked(9), (5, 17, 33)
    alone = [up_to_its_end(Writer(model, ends, 0).write([each])[0], ends) for each in prompts]
    seen = rows_of_each_step(model, monkeypatch)

    together = [up_to_its_end(each, ends) for each in Writer(model, ends, 0).write(prompts)]

    assert [ids for ids, _ in together] == [ids for ids, _ in alone]
    for (_, found), (_, expected) in zip(together, alone, strict=True):
        assert found == pytest.approx(expected, abs=1e-4)
    lengths = [len(ids) for ids, _ in alone]
    assert len(set(lengths)) > 3
    assert {room > length for (_, room), length in zip(prompts, lengths, strict=True)} == {True, False}
    assert seen[0] == 9 > 3 >= seen[-1]
    # no row is carried on for longer than another as many have something left to write
    assert sum(seen) <= 2 * sum(lengths) + len(prompts)


def test_a_model_whose_memory_cannot_lose_rows_reads_them_again(model, monkeypatch):
    prompts = asked(6, seed=2)
    expected = [each.ids for each in Writer(model, (5, 17, 33), 0).write(prompts)]
    monkeypatch.delattr("transformers.cache_utils.Cache.reorder_cache")

    assert [each.ids for each in Writer(model, (5, 17, 33), 0).write(prompts)] == expected


def test_what_each_row_may_write_holds_when_others_have_left(tokenizer):
    torch.manual_seed(7)
    config = LlamaConfig(**{**SMALL, "vocab_size": len(tokenizer), "initializer_range": 0.2})
    model = AutoModelForCausalLM.from_config(config).eval()
    end = tokenizer.eos_token_id
    forms = AnswerConstraint(tokenizer, len(tokenizer), end)
    types = [("services",), ("registry_keys", "services"), ("cmdline",), ("services",), ("sigma_queries",)]
    prompts = [
        Asked(tokenizer(text, add_special_tokens=False)["input_ids"], room)
        for text, room in zip(["a", "a b", "a b c d", "b", "c"], [60, 140, 75, 90, 64], strict=True)
    ]

    writer = Writer(model, (end,), tokenizer.pad_token_id, choice_of(tokenizer))

    longest = max(len(each.ids) for each in prompts)
    of_all = forms.processor(types, longest, [each.room for each in prompts])
    together = writer.write(prompts, bias=ALWAYS, constraint=of_all)

    for written, row, prompt in zip(together, types, prompts, strict=True):
        ids, _ = up_to_its_end(written, (end,))
        assert ids[-1] == end
        answer = json.loads(tokenizer.decode(ids[:-1]))
        assert {item["type"] for item in answer["observables"]} <= set(row)
        alone = forms.processor([row], len(prompt.ids), [prompt.room])
        (single,) = writer.write([prompt], bias=ALWAYS, constraint=alone)
        assert up_to_its_end(single, (end,))[0] == ids
        assert written.leaning == pytest.approx(single.leaning, abs=1e-3)
    assert len({len(each.ids) for each in together}) > 2
