"""Chat templates of the families that teams use, in short: where an answer begins, and what ends it.

The templates say what the families' own say for a system's and a user's turn, in fewer words.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from ctiforge.errors import UsageError
from ctiforge.extract.prompts import Prompt
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.model_note import ChatTemplate
from ctiforge.training.encoding import encode_example, end_token_id, end_token_ids, load_tokenizer, tokenizer_hash
from ctiforge.training.templates import choose_template, fixed_template, read_arguments, use_template

PROMPT = Prompt("own", "SYS", "Find {types} in {text}", "", {})
ANSWER = '{"observables":[]}'
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}"
    "<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA_32 = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{% if m.role == 'system' %}Today Date: {{ date_string }}\n\n{% endif %}{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL_1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
MISTRAL_3 = (
    "{% if messages[0].role == 'system' %}{% set said = messages[0].content ~ '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set said = '' %}{% set turns = messages %}{% endif %}{{ bos_token }}{% for m in turns %}"
    "{% if m.role == 'user' %}[INST] {{ said }}{{ m.content }}[/INST]{% else %} {{ m.content }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
)
QWEN_3 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
    "<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
OPENS_THOUGHT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}{% endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}"
    "{% elif m.role == 'system' %}{{ m.content }}{% else %}<|Assistant|>{{ m.content.split('</think>')[-1] }}"
    "{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
)
CHANNELS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}"
    "{% if loop.last and not add_generation_prompt %}<|return|>{% else %}<|end|>{% endif %}"
    "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
GRANITE = (
    "{% for m in messages %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
USER = "Find cmdline in TEXT"


@dataclass(frozen=True)
class Family:
    """A template, what is chosen of it, and what a prompt of it must be."""

    jinja: str
    prompt: str
    end: str
    arguments: dict[str, Any] = field(default_factory=dict)
    opening: str = ""
    close_thought: bool = False


FAMILIES = {
    "ChatML": Family(CHATML, f"<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n{USER}<|im_end|>\n"
                     "<|im_start|>assistant\n", "<|im_end|>"),
    "Llama 3": Family(LLAMA_3, "<s><|start_header_id|>system<|end_header_id|>\n\nSYS<|eot_id|><|start_header_id|>user"
                      f"<|end_header_id|>\n\n{USER}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
                      "<|eot_id|>"),
    "Llama 3.2, its date fixed": Family(
        LLAMA_32, "<s><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\nSYS<|eot_id|>"
        f"<|start_header_id|>user<|end_header_id|>\n\n{USER}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>", {"date_string": "26 Jul 2024"}),
    "Mistral v1": Family(MISTRAL_1, f"<s>[INST] SYS\n\n{USER} [/INST]", "</s>"),
    "Mistral v3": Family(MISTRAL_3, f"<s>[INST] SYS\n\n{USER}[/INST]", "</s>"),
    "Gemma": Family(GEMMA, f"<s><start_of_turn>user\nSYS\n\n{USER}<end_of_turn>\n<start_of_turn>model\n",
                    "<end_of_turn>"),
    "Phi": Family(PHI, f"<|system|>\nSYS<|end|>\n<|user|>\n{USER}<|end|>\n<|assistant|>\n", "<|end|>"),
    "Qwen 3, thinking off": Family(
        QWEN_3, f"<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n{USER}<|im_end|>\n<|im_start|>assistant\n"
        "<think>\n\n</think>\n\n", "<|im_end|>", {"enable_thinking": False}),
    "Qwen 3 as it is": Family(
        QWEN_3, f"<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n{USER}<|im_end|>\n<|im_start|>assistant\n"
        "<think>\n\n</think>\n\n", "<|im_end|>", opening="<think>\n\n</think>\n\n"),
    "opens a thought, told off": Family(
        OPENS_THOUGHT, f"<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n{USER}<|im_end|>\n<|im_start|>assistant\n"
        "<think>\n\n</think>\n\n", "<|im_end|>", {"enable_thinking": False}),
    "R1, its thought closed": Family(
        R1, f"<s>SYS<|User|>{USER}<|Assistant|><think>\n\n</think>\n\n", "</s>", opening="\n</think>\n\n",
        close_thought=True),
    "channels": Family(
        CHANNELS, f"<|start|>system<|message|>SYS<|end|><|start|>user<|message|>{USER}<|end|><|start|>assistant"
        "<|channel|>final<|message|>", "<|return|>", opening="<|channel|>final<|message|>"),
    "Granite": Family(
        GRANITE, "<|start_of_role|>system<|end_of_role|>SYS<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>"
        f"{USER}<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>"),
}  # fmt: skip


@pytest.fixture
def tokenizer_of():
    """The demo's tokenizer with another template and the special tokens that stand in it."""

    def make(jinja: str, *tokens: str) -> Any:
        made = load_tokenizer("demo")
        made.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>", "additional_special_tokens": [*tokens]})
        made.chat_template = jinja
        return made

    return make


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prompt_of_each_family_ends_where_its_answer_begins(tokenizer_of, name: str) -> None:
    family = FAMILIES[name]
    made = tokenizer_of(family.jinja, family.end)
    chosen = choose_template(made, arguments=family.arguments, close_thought=family.close_thought)
    assert chosen == (ChatTemplate(family.arguments, None, family.opening) if chosen else None)
    assert (chosen is None) == (not family.arguments and not family.opening)
    assert made.chat_template == family.jinja

    use_template(made, chosen)
    prompt = render_prompt("messages", PROMPT, ["cmdline"], "TEXT", made)
    assert prompt == family.prompt
    example = encode_example(made, prompt, ANSWER)
    assert made.convert_ids_to_tokens(example.input_ids[-1]) == family.end
    # what is trained once is rendered alike by whoever loads the tokenizer that was saved
    before = tokenizer_hash(made)
    assert tokenizer_hash(use_template(made, chosen)) == before


@pytest.mark.parametrize("jinja", [OPENS_THOUGHT, R1, CHATML + "{% if add_generation_prompt %}[THINK]{% endif %}"])
def test_a_template_that_opens_a_thought_is_refused_unless_told(tokenizer_of, jinja: str) -> None:
    with pytest.raises(UsageError, match=r"opens a thought before the answer .*--close-thought"):
        choose_template(tokenizer_of(jinja))
    closed = choose_template(tokenizer_of(jinja), close_thought=True)
    assert closed is not None
    assert closed.opening.endswith("</think>\n\n" if "THINK]" not in jinja else "[/THINK]\n\n")


@pytest.mark.parametrize(
    ("jinja", "remedy"),
    [
        (LLAMA_32, 'fix it with --template-args \'{"date_string": "26 Jul 2024"}\''),
        ("{{ strftime_now('%d') }}" + CHATML, "give another --template"),
    ],
)
def test_a_template_that_writes_todays_date_is_refused(tokenizer_of, jinja: str, remedy: str) -> None:
    made = tokenizer_of(jinja)
    with pytest.raises(UsageError, match=re.escape(remedy)):
        choose_template(made)
    assert made.chat_template == jinja
    # one that asks for it and does not write it is as good as another
    assert choose_template(tokenizer_of("{% set day = strftime_now('%d') %}" + CHATML)) is None


def test_what_is_fixed_is_part_of_the_template_once(tokenizer_of) -> None:
    arguments = {"n": 3, "on": False, "empty": None, "text": 'a "b"', "list": [True, "x"], "map": {"k": False}}
    text = fixed_template("{{ n }}|{{ on }}|{{ empty }}|{{ text }}|{{ list }}|{{ map.k }}", arguments, "OPEN")
    made = tokenizer_of(text)
    rendered = made.apply_chat_template(
        [{"role": "user", "content": "x"}], tokenize=False, add_generation_prompt=True, on=True, n=9
    )
    assert rendered == "3|False|None|a \"b\"|[True, 'x']|FalseOPEN"
    assert fixed_template(text, arguments, "OPEN") == text


def test_end_tokens_that_are_named_are_trained_and_stop_an_answer(tokenizer_of) -> None:
    made = tokenizer_of(CHATML, "<|im_end|>", "<|eom_id|>")
    use_template(made, choose_template(made, end_tokens=("<|eom_id|>", "<|im_end|>")))
    assert made.convert_ids_to_tokens(end_token_ids(made)) == ["<|eom_id|>", "<|im_end|>"]
    assert made.convert_ids_to_tokens(end_token_id(made)) == "<|eom_id|>"
    with pytest.raises(UsageError, match=r"--end-token <\|nope\|>: the tokenizer has no such token"):
        choose_template(made, end_tokens=("<|nope|>",))


def test_a_template_of_the_teams_own_goes_before_the_models(tokenizer_of) -> None:
    made = tokenizer_of(GEMMA, "<end_of_turn>", "<|im_end|>")
    use_template(made, choose_template(made, jinja=CHATML))
    assert render_prompt("messages", PROMPT, ["cmdline"], "TEXT", made) == FAMILIES["ChatML"].prompt
    with pytest.raises(UsageError, match=r"cannot be rendered: .*; give one with --template"):
        choose_template(made, jinja="{{ nothing.at.all.here }}{% for %}")


def test_a_template_that_does_not_show_what_the_user_says_is_refused(tokenizer_of) -> None:
    with pytest.raises(UsageError, match=r"the user's turn is not in what the chat template renders \('constant'\)"):
        choose_template(tokenizer_of(CHATML), jinja="constant")
    with pytest.raises(UsageError, match="the user's turn is not in what"):
        choose_template(tokenizer_of(CHATML), arguments={"messages": []})
    with pytest.raises(UsageError, match="the chat template is empty: give another one"):
        choose_template(tokenizer_of(CHATML), jinja=" \n")


TURN = "{% for m in messages %}<|{{ m.role }}|>CONTENT<|end|>{% endfor %}<|assistant|>"


@pytest.mark.parametrize(
    ("jinja", "said"),
    [
        (
            "[INST] {{ messages[0].content }} [/INST]"
            "{% for m in messages if m.role == 'assistant' %}{{ m.content }}</s>{% endfor %}",
            "the user's turn is not in what the chat template renders ('[INST] System-Marker",
        ),
        (TURN.replace("CONTENT", "{{ m.content[:200] }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content[:20000] }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content[:60000] }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", r"{{ m.content|replace('\r\n', '\n') }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content|replace('http', 'hxxp') }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content|replace('\u00a0', ' ') }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content|replace('<|im_end|>', '') }}"), "the user's turn is not in"),
        (
            TURN.replace("CONTENT", "{{ m.content.split('</think>')[-1] if m.role == 'user' else m.content }}"),
            "the user's turn is not in",
        ),
        (TURN.replace("CONTENT", "{{ m.content|upper }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content|e }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content|tojson }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content.split()|join(' ') }}"), "the user's turn is not in"),
        (TURN.replace("CONTENT", "{{ m.content }}{{ m.content }}"), "the user's turn stands 2 times in"),
        ("{% for m in messages if m.role != 'assistant' %}{{ m.content }}{% endfor %}", "the assistant's turn is not"),
        ("{% for m in messages|reverse %}{{ m.content }}{% endfor %}", "the assistant's turn is not behind the user's"),
        (
            "{% for m in messages %}{{ m.content|e if m.role == 'assistant' else m.content }}{% endfor %}",
            "the assistant's turn is not",
        ),
        (
            "{% for m in messages if m.role != 'system' %}{{ m.content[m.content.find('User-Marker'):] }}{% endfor %}",
            "the system's text is not in",
        ),
    ],
)
def test_a_template_that_does_not_show_each_turn_as_it_is_is_refused(tokenizer_of, jinja: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"{re.escape(said)}.*give a template with --template that writes each"):
        choose_template(tokenizer_of(CHATML), jinja=jinja)


def test_a_template_that_drops_the_system_turn_shows_its_text_before_the_users_and_warns(
    tokenizer_of, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tokenizer_of(CHATML.replace("in messages %}", "in messages if m.role != 'system' %}"), "<|im_end|>")
    assert choose_template(made) is None
    assert "leaves out a system's turn" in capsys.readouterr().err
    assert f"SYS\n\n{USER}" in render_prompt("messages", PROMPT, ["cmdline"], "TEXT", made)
    choose_template(tokenizer_of(GEMMA))
    choose_template(tokenizer_of(MISTRAL_3))
    assert capsys.readouterr().err == ""


def test_a_variable_that_the_template_does_not_use_is_told_of(tokenizer_of, capsys: pytest.CaptureFixture[str]) -> None:
    choose_template(tokenizer_of(QWEN_3), arguments={"enable_thinking": False, "thinking": False})
    said = capsys.readouterr().err
    assert "does not use thinking" in said
    assert "enable_thinking" not in said


@pytest.mark.parametrize("name", ["messages", "add_generation_prompt", "tools"])
def test_what_rendering_sets_is_no_variable_to_fix(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is set by whoever renders"):
        read_arguments(f'{{"{name}": []}}')


@pytest.mark.parametrize("text", ["[1]", "{", '{"a b": 1}', "x"])
def test_arguments_are_a_json_object_of_variables(text: str) -> None:
    with pytest.raises(UsageError, match="give a JSON object of variables"):
        read_arguments(text)


def test_no_arguments_are_none() -> None:
    assert read_arguments(None) == {}
    assert read_arguments('{"enable_thinking": false}') == {"enable_thinking": False}
