import json

import pytest

from ctiforge.errors import UsageError
from ctiforge.extract.prompts import load_prompt
from ctiforge.extract.prompts.rendering import guide_row, render_answer, render_prompt
from ctiforge.records.observable import Observable
from ctiforge.training.encoding import count_tokens

FULL = load_prompt("full-v1")
WITH_SYSTEM = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
DROPS_SYSTEM = "{% for m in messages if m['role'] != 'system' %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"


def test_the_short_prompt_costs_about_80_tokens_of_the_demo_tokenizer(tokenizer):
    text = load_prompt("short-v1").user(
        ("cmdline", "registry", "services", "scheduled_tasks", "process_lineage", "hunt_queries"), ""
    )
    assert count_tokens(tokenizer, [text])[0] <= 80


def test_braces_of_an_article_are_its_own():
    assert FULL.user(["cmdline"], "{types} {x}").endswith("{types} {x}")


def test_an_unknown_version_names_those_there_are():
    with pytest.raises(UsageError, match="full-v1, short-v1"):
        load_prompt("full-v9")


def test_a_template_with_a_system_role_gets_one(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", WITH_SYSTEM)
    prompt = render_prompt("messages", FULL, ["cmdline"], "text", tokenizer)
    assert prompt.startswith("[system]You are a detection engineer")
    assert prompt.endswith("text[assistant]")


def test_a_template_that_refuses_the_system_role_gets_it_folded_into_the_users_turn(tokenizer):
    prompt = render_prompt("messages", FULL, ["cmdline"], "text", tokenizer)
    assert prompt.startswith("<s><user>You are a detection engineer")
    assert prompt.endswith("text<end><assistant>")


def test_a_template_that_drops_the_system_role_gets_it_folded_as_well(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", DROPS_SYSTEM)
    assert render_prompt("messages", FULL, ["cmdline"], "text", tokenizer).startswith("[user]You are a detection")


def test_messages_needs_a_chat_template(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", None)
    with pytest.raises(UsageError, match="no chat template"):
        render_prompt("messages", FULL, ["cmdline"], "text", tokenizer)


@pytest.mark.parametrize(
    ("text_format", "ends"),
    [("chatml", "<|im_start|>assistant\n"), ("alpaca", "### Response:\n"), ("simple", "Answer:\n")],
)
def test_the_fixed_formats_end_where_the_answer_begins(tokenizer, text_format, ends):
    prompt = render_prompt(text_format, FULL, ["cmdline"], "THE TEXT", tokenizer)
    assert prompt.endswith(ends)
    assert prompt.count("THE TEXT") == 1


def test_an_answer_is_compact_json_without_empty_fields():
    answer = render_answer(
        [Observable(type="cmdline", value='net group "x"', platform="Windows"), Observable(type="services", value="é")]
    )
    assert (
        answer == '{"observables":[{"type":"cmdline","value":"net group \\"x\\"","platform":"Windows"},'
        '{"type":"services","value":"é"}]}'
    )


def test_guide_rows_have_the_shape_of_their_format():
    answer = json.dumps({})
    assert set(guide_row("alpaca", FULL, ["cmdline"], "t", answer)) == {"instruction", "input", "output"}
    assert set(guide_row("simple", FULL, ["cmdline"], "t", answer)) == {"prompt", "completion"}
    roles = [turn["role"] for turn in guide_row("chatml", FULL, ["cmdline"], "t", answer)["messages"]]
    assert roles == ["system", "user", "assistant"]
    short = guide_row("messages", load_prompt("short-v1"), ["cmdline"], "t", answer)
    assert [turn["role"] for turn in short["messages"]] == ["user", "assistant"]
