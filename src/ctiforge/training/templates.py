"""The chat template of a model as data: what of it is fixed, and where an answer begins in what it renders.

What is fixed becomes part of the template's text, so that whoever renders with it later (a server, llama.cpp) renders
what was trained.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.progress import warn
from ctiforge.records.model_note import ChatTemplate
from ctiforge.training.conversation import render_conversation
from ctiforge.training.encoding import END_TOKENS, end_token_id

_TAGS = r"think|thinking|reasoning|thought"
THOUGHT_OPENS = rf"<(?:{_TAGS})>|\[THINK\]"
"""What begins a thought, as a pattern: of DeepSeek-R1, Qwen 3 and most others; of Magistral."""
THOUGHT_CLOSES = rf"</(?:{_TAGS})>|\[/THINK\]"
"""What ends it."""
_SHOWN = 30
_ODD = "Naïve <b>\"q\" & 'p'</b> C:\\Temp\\{{ x }} \u0416"
"""What a template that cuts, escapes or rewrites what it is given does not leave as it is."""
_SYSTEM = f"System-Marker {_ODD}"
_IN_ARTICLES = "a\r\nb\u00a0c </think> <think> <|im_end|> <tool_call> https://x.invalid/a?b=1&c"
"""What templates look for in an answer, and what some rewrite."""
_ASKED = "\n".join(["User-Marker", *(f"{line}\t{_ODD} {_IN_ARTICLES}  \n" for line in range(2000)), "End-Marker"])
"""An article as long as they come, in about 250,000 characters."""
_ANSWER = f"Answer-Marker {_ODD}"
_TURNS = ({"role": "user", "content": _ASKED}, {"role": "assistant", "content": _ANSWER})
_RENDERED = ("messages", "add_generation_prompt", "continue_final_message", "tools", "documents")
"""What rendering itself hands to a template."""
_CLOCK = "strftime_now"
"""What a template asks for today's date."""
_DATE = re.compile(rf"set\s+(\w+)\s*=\s*{_CLOCK}\(")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OPENS_THOUGHT = re.compile(rf"({THOUGHT_OPENS})\s*$", re.IGNORECASE)
_REMEDY = "give a template with --template that writes each message's content once, as it is"
_CLOSE = {"[THINK]": "[/THINK]"}


def use_template(tokenizer: Any, template: ChatTemplate | None) -> Any:
    """Let a tokenizer render as a model was trained; one that already does stays as it is.

    Args:
        tokenizer: The model's tokenizer, which is changed.
        template: How its template is used; None: as it is.

    Returns:
        The same tokenizer.

    Raises:
        UsageError: A token that is to end answers is not in the vocabulary.
    """
    if template is None:
        return tokenizer
    if template.end_tokens:
        _check_tokens(tokenizer, template.end_tokens)
        setattr(tokenizer, END_TOKENS, template.end_tokens)
    text = template.jinja if template.jinja is not None else _own(tokenizer)
    if text is not None:
        tokenizer.chat_template = fixed_template(text, template.arguments, template.opening)
    return tokenizer


def choose_template(
    tokenizer: Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    jinja: str | None = None,
    end_tokens: Sequence[str] = (),
    close_thought: bool = False,
) -> ChatTemplate | None:
    """Find how a model's template is to be used so that an answer stands where it stands in a whole conversation.

    Args:
        tokenizer: The model's tokenizer, as it was loaded; it stays as it is.
        arguments: Variables of the template to fix.
        jinja: A template of the team's own.
        end_tokens: What ends an answer, where it is not what the template ends with.
        close_thought: Whether a thought that the generation prompt opens is closed, empty, before the answer.

    Returns:
        How it is used; None where it is used as it is.

    Raises:
        UsageError: The template opens a thought, and nobody said what is to become of it; it writes today's date; or it
            cannot be rendered, or does not show the turns of a conversation as they are.
    """
    given = ChatTemplate(dict(arguments or {}), jinja, "", tuple(end_tokens))
    text = jinja if jinja is not None else _own(tokenizer)
    if text is None:
        return None if given == ChatTemplate() else given
    if not text.strip():
        raise UsageError("the chat template is empty: give another one with --template")
    for name in given.arguments:
        if not re.search(rf"\b{name}\b", text, re.ASCII):
            warn(f"--template-args: the chat template does not use {name}")
    kept = tokenizer.chat_template
    try:
        use_template(tokenizer, given)
        _check_date(tokenizer)
        opening = _opening(tokenizer, close_thought)
    finally:
        tokenizer.chat_template = kept
        if hasattr(tokenizer, END_TOKENS):
            delattr(tokenizer, END_TOKENS)
    chosen = ChatTemplate(given.arguments, jinja, opening, given.end_tokens)
    return None if chosen == ChatTemplate() else chosen


def fixed_template(text: str, arguments: Mapping[str, Any], opening: str) -> str:
    """Write what is fixed into a template.

    Args:
        text: The template, in Jinja.
        arguments: Variables and their values.
        opening: What follows its generation prompt.

    Returns:
        The template; the same where all this is in it already.
    """
    head = "".join(f"{{% set {name} = {_literal(value)} %}}" for name, value in sorted(arguments.items()))
    said = json.dumps(opening, ensure_ascii=False)
    tail = f"{{% if add_generation_prompt %}}{{{{ {said} }}}}{{% endif %}}" if opening else ""
    return f"{'' if text.startswith(head) else head}{text}{'' if tail and text.endswith(tail) else tail}"


def read_arguments(text: str | None) -> dict[str, Any]:
    """Read the arguments of a template as a flag gives them.

    Args:
        text: A JSON object; None: there are none.

    Returns:
        Name → value.

    Raises:
        UsageError: It is no object, or a name cannot be a variable's, or is one that rendering itself sets.
    """
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(_NAME.fullmatch(name) for name in found):
        raise UsageError(f'--template-args {text}: give a JSON object of variables, like {{"enable_thinking": false}}')
    taken = next((name for name in found if name in _RENDERED), None)
    if taken:
        raise UsageError(f"--template-args: {taken} is set by whoever renders: fix other variables of the template")
    return found


def _own(tokenizer: Any) -> str | None:
    """Give the template for plain conversations: some tokenizers bring several."""
    own = tokenizer.chat_template
    if isinstance(own, Mapping):
        own = own.get("default")
    return str(own) if own else None


def _check_date(tokenizer: Any) -> None:
    """Refuse a template that writes the day on which it is rendered: no later prompt would be that of the training."""
    text = _own(tokenizer) or ""
    if _CLOCK not in text:
        return
    said = []
    for day in ("1 Jan 2001", "2 Feb 2002"):
        tokenizer.chat_template = f"{{% macro {_CLOCK}(format) %}}{day}{{% endmacro %}}{text}"
        said.append(_render(tokenizer, _SYSTEM, _TURNS[:1], add_generation_prompt=True))
    tokenizer.chat_template = text
    if said[0] == said[1]:
        return
    variable = _DATE.search(text)
    fix = (
        f'fix it with --template-args \'{{"{variable[1]}": "26 Jul 2024"}}\'' if variable else "give another --template"
    )
    raise UsageError(
        f"the chat template writes today's date into the prompt: another tomorrow than the one that was trained; {fix}"
    )


def _opening(tokenizer: Any, close_thought: bool) -> str:
    """Find what stands between the generation prompt and an answer; white space alone is the answer's own affair."""
    asking = _asking(tokenizer, "")
    if _SYSTEM not in (rendered := _asking(tokenizer, _SYSTEM)):
        raise UsageError(
            f"the system's text is not in what the chat template renders ({rendered[:_SHOWN]!r}): no model would be "
            f"told what to do; {_REMEDY}"
        )
    _warn_of_dropped_system(tokenizer)
    whole = _render(tokenizer, "", _TURNS, add_generation_prompt=False)
    thought = _OPENS_THOUGHT.search(asking)
    if thought and not close_thought:
        raise UsageError(
            f"the chat template opens a thought before the answer ({asking[-_SHOWN:]!r}): fix a variable of it "
            "(--template-args '{\"enable_thinking\": false}'), close the thought (--close-thought), or give "
            "a template of your own (--template)"
        )
    before, answer, _ = whole.partition(_ANSWER)
    if not answer or _ASKED not in before:
        raise UsageError(
            f"the assistant's turn is not behind the user's in what the chat template renders (…{whole[-_SHOWN:]!r}): "
            f"where an answer begins and ends cannot be told; {_REMEDY}"
        )
    if thought:
        tag = thought[1]
        newline = "" if asking.endswith("\n") else "\n"
        return f"{newline}\n{_CLOSE.get(tag.upper(), tag.replace('<', '</'))}\n\n"
    opening = before.removeprefix(asking) if before.startswith(asking) else ""
    return opening if opening.strip() else ""


def _asking(tokenizer: Any, system: str) -> str:
    """Render a prompt as one of an article is; the article must stand in it once, as it is."""
    asking = _render(tokenizer, system, _TURNS[:1], add_generation_prompt=True)
    times = asking.count(_ASKED)
    if times == 1:
        return asking
    said = "is not" if not times else f"stands {times} times"
    raise UsageError(
        f"the user's turn {said} in what the chat template renders ({asking[:_SHOWN]!r}): no model would be shown "
        f"an article as it is; {_REMEDY}"
    )


def _warn_of_dropped_system(tokenizer: Any) -> None:
    turns = [{"role": "system", "content": _SYSTEM}, _TURNS[0]]
    try:
        dropped = _SYSTEM not in tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception:  # a template that refuses the role says so to whoever sends one
        return
    if dropped:
        warn(
            "the chat template leaves out a system's turn: instructions are put before the user's text, and a server "
            "that is sent a system's turn does not show it"
        )


def _render(tokenizer: Any, system: str, turns: Sequence[dict[str, str]], *, add_generation_prompt: bool) -> str:
    try:
        return render_conversation(tokenizer, system, turns, add_generation_prompt=add_generation_prompt)
    except Exception as error:  # templates raise their own kinds of error
        raise UsageError(f"the chat template cannot be rendered: {error}; give one with --template") from None


def _check_tokens(tokenizer: Any, tokens: Sequence[str]) -> None:
    vocabulary = tokenizer.get_vocab()
    unknown = next((token for token in tokens if token not in vocabulary), None)
    if unknown is not None:
        end = tokenizer.convert_ids_to_tokens(end_token_id(tokenizer))
        raise UsageError(f"--end-token {unknown}: the tokenizer has no such token (its answers end with {end})")


def _literal(value: Any) -> str:
    """Write a value as Jinja reads it: as JSON, but for its constants."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(str(name))}: {_literal(each)}' for name, each in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)
