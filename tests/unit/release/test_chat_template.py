"""The exported template renders the text that training rendered, whatever the format and the template's roles."""

import pytest

from ctiforge.extract.prompts import load_prompt
from ctiforge.extract.prompts.rendering import guide_row, render_prompt
from ctiforge.release.chat_template import chat_template
from ctiforge.training.encoding import load_tokenizer

TYPES = ("cmdline", "registry")
WINDOWS = ("The actor ran `whoami /all`.", "{{ braces }} {% raw %}", "two\n\nparagraphs", "“quotes” 🚀")
TURNS = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
TEMPLATES = {
    "with a system role": TURNS,
    "refuses it": "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + TURNS,
    "drops it": TURNS.replace("%}<", "%}{% if m['role'] != 'system' %}<").replace("{% endfor", "{% endif %}{% endfor"),
}


def render(tokenizer, template, turns):
    tokenizer.chat_template = template
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("version", ["short-v1", "full-v1"])
@pytest.mark.parametrize("text_format", ["chatml", "alpaca", "simple"])
def test_a_fixed_format_is_rendered_from_its_turns(text_format, version, window):
    tokenizer, prompt = load_tokenizer("demo"), load_prompt(version)
    row = guide_row("alpaca" if text_format == "alpaca" else "messages", prompt, TYPES, window, "")
    turns = (
        row["messages"][:-1]
        if "messages" in row
        else [
            {"role": "system", "content": row["instruction"]},
            {"role": "user", "content": row["input"]},
        ]
    )
    expected = render_prompt(text_format, prompt, TYPES, window, tokenizer)
    assert render(tokenizer, chat_template(text_format, tokenizer), turns) == expected


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_system_s_words_come_where_training_put_them(kind, window):
    tokenizer, prompt = load_tokenizer("demo"), load_prompt("full-v1")
    tokenizer.chat_template = TEMPLATES[kind]
    expected = render_prompt("messages", prompt, TYPES, window, tokenizer)
    turns = guide_row("messages", prompt, TYPES, window, "")["messages"][:-1]
    assert render(tokenizer, chat_template("messages", tokenizer), turns) == expected


def test_marks_of_training_are_left_out():
    tokenizer = load_tokenizer("demo")
    assert "generation %}" in tokenizer.chat_template
    assert "generation %}" not in chat_template("messages", tokenizer)
