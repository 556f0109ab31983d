"""One example as it is taught and as it is asked, in models that agree and that do not."""

import copy

import pytest

from ctiforge.extract.prompts import load_prompt
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.extract.prompts.template_check import check_template
from ctiforge.records.formatted import ExampleRow, FormatReport
from ctiforge.training.encoding import tokenizer_hash
from tests import making

WINDOW = "It ran whoami /all."
ANSWER = '{"observables":[{"type":"cmdline","value":"whoami /all"}]}'


@pytest.fixture
def check(tokenizer):
    """Checks the example with another tokenizer or other changes to it."""

    def run(ours=tokenizer, cut_for=tokenizer, text_format="messages", window=WINDOW, **changes):
        prompt = render_prompt(text_format, load_prompt("short-v1"), ("cmdline",), WINDOW, cut_for, platform=False)
        row = ExampleRow(**making.example(prompt=prompt, answer=ANSWER, **changes))
        report = FormatReport(
            **making.formatted(format=text_format, model="demo", tokenizer_hash=tokenizer_hash(cut_for))
        )
        return [(each.level, each.text) for each in check_template(report, row, window, "mine", ours)]

    return run


def changed(tokenizer, **changes):
    other = copy.deepcopy(tokenizer)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


@pytest.mark.parametrize("text_format", ["messages", "alpaca", "chatml", "simple"])
def test_a_model_that_is_taught_and_asked_alike_has_no_finding(check, text_format):
    assert check(text_format=text_format) == []


def test_data_cut_for_another_template_is_an_error(check, tokenizer):
    other = changed(tokenizer, chat_template=tokenizer.chat_template.replace("<user>", "<user> "))

    assert check(ours=other) == [("error", "the data was cut for the tokenizer of demo, mine has another")]


def test_a_prompt_that_inference_would_write_differently_is_an_error_that_shows_where(check):
    ((level, text),) = check(window="It ran whoami /priv.")

    assert level == "error"
    assert "taught and asked differently: token" in text
    assert "all" in text
    assert check(window=None) == []


def test_a_template_that_opens_answers_in_another_way_than_it_writes_them_is_told(check, tokenizer):
    template = tokenizer.chat_template.replace("<assistant>", "<assistant> ", 1)
    other = changed(tokenizer, chat_template=template)

    assert [level for level, _ in check(ours=other, cut_for=other)] == ["warning"]


def test_padding_with_the_end_token_is_told(check, tokenizer):
    other = changed(tokenizer, pad_token=tokenizer.eos_token)

    assert ["masks" in text or "mask both" in text for _, text in check(ours=other, cut_for=other)] == [True]
