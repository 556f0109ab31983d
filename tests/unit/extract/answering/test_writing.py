"""Greedy answers of small models with random weights, together and each alone."""

import json
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, Lfm2Config, LlamaConfig, MistralConfig

from ctiforge.extract.answering.constrained import AnswerConstraint
from ctiforge.extract.answering.item_choice import ALWAYS, choice_of
from ctiforge.extract.answering.writing import PromptTokens, Writer

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
        PromptTokens(torch.randint(3, 61, (length,), generator=draw).tolist(), room)
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


def test_a_prompt_gets_the_answer_that_it_gets_alone_whichever_rows_leave_before(model, monkeypatch):
    prompts, ends = asked(9), (5, 17, 33)
    alone = [Writer(model, ends, 0).write([each])[0] for each in prompts]
    seen = rows_of_each_step(model, monkeypatch)

    together = Writer(model, ends, 0).write(prompts)

    assert [each.ids for each in together] == [each.ids for each in alone]
    for found, expected in zip(together, alone, strict=True):
        assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
    lengths = [len(each.ids) for each in alone]
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
        PromptTokens(tokenizer(text, add_special_tokens=False)["input_ids"], room)
        for text, room in zip(["a", "a b", "a b c d", "b", "c"], [60, 140, 75, 90, 64], strict=True)
    ]

    writer = Writer(model, (end,), tokenizer.pad_token_id, choice_of(tokenizer))

    longest = max(len(each.ids) for each in prompts)
    of_all = forms.processor(types, longest, [each.room for each in prompts])
    together = writer.write(prompts, bias=ALWAYS, constraint=of_all)

    for written, row, prompt in zip(together, types, prompts, strict=True):
        assert written.ids[-1] == end
        answer = json.loads(tokenizer.decode(written.ids[:-1]))
        assert {item["type"] for item in answer["observables"]} <= set(row)
        alone = forms.processor([row], len(prompt.ids), [prompt.room])
        (single,) = writer.write([prompt], bias=ALWAYS, constraint=alone)
        assert single.ids == written.ids
        assert written.leaning == pytest.approx(single.leaning, abs=1e-3)
    assert len({len(each.ids) for each in together}) > 2


class Played:
    """Writes to each prompt what its first token stands for, as transformers would."""

    device = torch.device("cpu")
    generation_config = None

    def __init__(self, answers):
        self.answers = answers
        self.steps = 0

    def generate(self, input_ids, max_new_tokens, stopping_criteria, **_):
        ids, prompt = input_ids, input_ids.shape[1]
        over = torch.zeros(len(ids), dtype=torch.bool)
        while not over.all() and ids.shape[1] < prompt + max_new_tokens:
            written = ids.shape[1] - 1
            following = torch.tensor([(*self.answers[int(row[0])], *[0] * 900)[written] for row in ids])
            ids = torch.cat([ids, torch.where(over, 0, following)[:, None]], dim=1)
            over = over | torch.stack([each(ids, None) for each in stopping_criteria]).any(dim=0)
            self.steps += 1
        return SimpleNamespace(sequences=ids, past_key_values=None)


def round_and_round(before, period):
    draw = torch.Generator().manual_seed(before * 1000 + period)
    said = torch.randint(10, 50, (before + period,), generator=draw).tolist()
    return [*said[:before], *said[before:] * (1000 // period + 1)]


@pytest.mark.parametrize(("before", "period"), [(0, 1), (40, 1), (5, 37), (90, 64), (3, 128)])
@pytest.mark.parametrize("beside", [0, 5])
def test_an_answer_that_says_one_thing_again_and_again_is_cut_off_at_the_same_place_whatever_is_beside_it(
    before, period, beside
):
    answers = {3: round_and_round(before, period), 4: list(range(10, 14)) * 8 + [2]}
    prompts = [PromptTokens([3], 900), *[PromptTokens([4], 900)] * beside]

    circling, *others = Writer(Played(answers), (2,), 0).write(prompts)

    least = before + max(192, 4 * period)
    assert least <= len(circling.ids) < least + 32
    assert circling.ids == answers[3][: len(circling.ids)]
    assert [each.ids for each in others] == [answers[4]] * beside


def test_what_is_long_or_alike_or_has_a_constraint_is_no_circle():
    counts = [token for number in range(300) for token in (11, 12, 13, 14 + number % 30, 50 + number // 30)]
    longer_than_looked_for = round_and_round(0, 129)
    for answer in (counts, longer_than_looked_for):
        (written,) = Writer(Played({3: answer}), (2,), 0).write([PromptTokens([3], 700)])
        assert written.ids == answer[:700]

    class Any:
        def __call__(self, _ids, scores):
            return scores

        def of_rows(self, _rows):
            return self

    (written,) = Writer(Played({3: round_and_round(0, 7)}), (2,), 0).write([PromptTokens([3], 700)], constraint=Any())
    assert len(written.ids) == 700
