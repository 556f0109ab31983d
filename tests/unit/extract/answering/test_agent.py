"""The agent around a scripted model: windows, batches, halves, merging."""

import json
from types import SimpleNamespace

import pytest
import torch

from ctiforge.errors import CannotGoOnError, InterruptedRunError
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.extraction import Source
from ctiforge.records.model_note import AgentUsage, WindowSizes

SIZES = WindowSizes(max_length=200, window_tokens=60, overlap_tokens=20)
USAGE = AgentUsage("messages", "short-v1", ("cmdline", "services"), SIZES)


class ScriptedModel:
    """Answers each prompt with what `script` makes of its text."""

    device = torch.device("cpu")

    def __init__(self, tokenizer, script):
        self.tokenizer = tokenizer
        self.script = script
        self.batches = []

    def generate(self, input_ids, attention_mask, max_new_tokens, **_):
        self.batches.append(len(input_ids))
        rows = []
        for ids, mask in zip(input_ids.tolist(), attention_mask.tolist(), strict=True):
            prompt = self.tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m])
            answer = self.script(prompt.split("Copy each value")[1].split("<end>")[0])
            new = self.tokenizer(answer, add_special_tokens=False)["input_ids"][:max_new_tokens]
            ended = [*new, self.tokenizer.eos_token_id][:max_new_tokens]
            rows.append(ids + ended + [self.tokenizer.pad_token_id] * (max_new_tokens - len(ended)))
        return SimpleNamespace(sequences=torch.tensor(rows), past_key_values=None)


@pytest.fixture
def agent(tokenizer):
    def make(script, **options):
        return ExtractAgent(ScriptedModel(tokenizer, script), tokenizer, USAGE, "scripted", **options)

    return make


def services(*names):
    return json.dumps({"observables": [{"type": "services", "value": name} for name in names]}, separators=(",", ":"))


def named(text):
    return services(*dict.fromkeys(word.strip(".") for word in text.split() if word.startswith("Svc")))


TEXT = " ".join(f"Then Svc{number} was seen on that host." for number in range(12))


def test_items_of_all_windows_are_merged_in_order(agent):
    extraction = agent(named).extract(TEXT, source_url="https://example.invalid")
    assert [item.value for item in extraction.observables] == [f"Svc{number}" for number in range(12)]
    assert len(extraction.windows) > 2
    assert (extraction.source_url, extraction.requested_types) == ("https://example.invalid", ("cmdline", "services"))


def test_texts_share_batches_and_come_back_in_order(agent):
    scripted = agent(named, batch_size=64)
    found = list(scripted.extract_many([Source("Svc1 runs."), Source(""), Source("Svc2 runs.")]))
    assert [[item.value for item in each.observables] for each in found] == [["Svc1"], [], ["Svc2"]]
    assert scripted.model.batches == [2]


def test_a_window_whose_answer_has_no_room_is_asked_again_in_halves(agent):
    crowded = " ".join(f"Svc{number}a" for number in range(10))
    extraction = agent(named).extract(crowded)
    assert extraction.halved > 1
    assert {item.value for item in extraction.observables} == {f"Svc{number}a" for number in range(10)}
    assert not any(window.stopped_by_length for window in extraction.windows)


def test_a_model_that_does_not_stop_is_asked_no_second_time(agent):
    scripted = agent(lambda text: "x " * 500)
    extraction = scripted.extract(TEXT)

    assert extraction.halved == 0
    assert sum(scripted.model.batches) == len(extraction.windows) > 3


def test_an_item_that_a_border_cuts_is_asked_about_again_and_found_whole(agent):
    """A query longer than the overlap, within text that fills the windows on both sides."""
    query = "Svc" + "-".join(str(number) for number in range(12))
    text = f"{TEXT} {query} and {TEXT.replace('Svc', 'Other')}"

    def as_far_as_shown(shown):
        return services(*(word for word in shown.split() if word.startswith("Svc")))

    asked = agent(as_far_as_shown)
    for shift in range(0, 40, 4):
        moved = "On it. " * shift + text
        found = {item.value for item in asked.extract(moved).observables}
        assert query in found


def test_asking_again_stays_within_the_plan(agent):
    """Every window ends in what looks cut off."""
    scripted = agent(lambda shown: services(shown.split()[0], shown.split()[-1]))
    text = " ".join(f"word{number}" for number in range(400))
    planned = len(agent(lambda _: services()).extract(text).windows)

    extraction = scripted.extract(text)

    assert planned < len(extraction.windows) <= 2 * planned


def test_a_model_that_was_not_trained_to_end_is_not_asked_again(agent):
    extraction = agent(lambda text: "x " * 500, halves=False).extract(TEXT)
    assert extraction.halved == 0
    assert all(window.stopped_by_length and not window.json_parsed for window in extraction.windows)


def test_a_bad_window_costs_that_window_alone(agent):
    def breaks(text):
        if "Svc5" in text:
            raise RuntimeError("kernel failed\nlong trace")
        return named(text)

    extraction = agent(breaks).extract(TEXT)
    assert {item.value for item in extraction.observables} >= {"Svc0", "Svc11"}
    assert {window.error for window in extraction.windows} == {None, "RuntimeError: kernel failed"}


@pytest.mark.parametrize("error", [ValueError("odd\ntrace"), torch.OutOfMemoryError("CUDA out of memory")])
def test_what_fails_on_one_window_costs_that_window_alone(agent, error):
    def breaks(text):
        if "Svc5" in text:
            raise error
        return named(text)

    extraction = agent(breaks).extract(TEXT)

    assert {item.value for item in extraction.observables} >= {"Svc0", "Svc11"}
    assert {window.error for window in extraction.windows} == {None, f"{type(error).__name__}: {error}".splitlines()[0]}


def test_a_batch_that_memory_is_too_small_for_is_halved(agent):
    def most_of_two(self, input_ids, **named):
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return ScriptedModel.generate(self, input_ids, **named)

    scripted = agent(named)
    scripted.model.__class__ = type("Small", (ScriptedModel,), {"generate": most_of_two})
    extraction = scripted.extract(TEXT)

    assert [item.value for item in extraction.observables] == [f"Svc{number}" for number in range(12)]
    assert not any(window.error for window in extraction.windows)


def test_a_device_that_failed_ends_everything(agent):
    calls = []

    def breaks(text):
        calls.append(text)
        raise RuntimeError("CUDA error: an illegal memory access was encountered\ntrace")

    with pytest.raises(CannotGoOnError, match="the device failed"):
        agent(breaks).extract(TEXT)
    assert len(calls) == 1


def test_each_window_of_the_plan_is_told_of_once_whatever_is_asked_about_again(agent):
    told = []
    scripted = agent(lambda shown: services(shown.split()[0], shown.split()[-1]))
    source = Source(" ".join(f"word{number}" for number in range(400)))
    (extraction,) = scripted.extract_many([source], lambda: told.append(1))

    plan = scripted.plan(source)
    assert len(told) == len(plan) < len(extraction.windows)
    assert set(plan) <= {(window.start, window.end) for window in extraction.windows}


def test_only_the_types_asked_for_are_kept(agent):
    assert agent(named).extract(TEXT, ["cmdline"]).observables == ()


def test_what_shares_a_batch_changes_no_answer(agent):
    long = services(*(f"Svc{number}-with-a-name-that-takes-much-room" for number in range(9)))
    sources = [Source("Svc1 runs."), Source(" ".join(["The weather was fine that day."] * 6)), Source(TEXT)]

    def answers(batch_size):
        extractions = agent(lambda _: long, batch_size=batch_size, halves=False).extract_many(sources)
        return [[(window.raw, window.stopped_by_length) for window in each.windows] for each in extractions]

    assert answers(1) == answers(8)
    assert {stopped for found in answers(8) for _, stopped in found} == {True}


def test_what_a_checkpoint_s_generation_config_asks_for_changes_no_answer():
    agent = ExtractAgent.load("demo", usage=USAGE, device="cpu")
    before = [window.raw for window in agent.extract(TEXT).windows]
    settings = {"repetition_penalty": 1.5, "min_new_tokens": 90, "suppress_tokens": [5, 6, 7], "max_length": 3}
    agent.model.generation_config.update(**settings)

    assert [window.raw for window in agent.extract(TEXT).windows] == before
    assert agent.model.generation_config.repetition_penalty == 1.5


def test_what_is_called_with_each_token_can_end_the_work_and_changes_no_answer():
    agent = ExtractAgent.load("demo", usage=USAGE, device="cpu")
    written = []
    assert agent.heeding(lambda: written.append(1)).extract(TEXT).observables == agent.extract(TEXT).observables
    tokens = len(written)

    def end():
        written.append(1)
        raise InterruptedRunError("told to stop")

    with pytest.raises(InterruptedRunError):
        agent.heeding(end).extract(TEXT)
    assert (tokens > 1, len(written)) == (True, tokens + 1)
