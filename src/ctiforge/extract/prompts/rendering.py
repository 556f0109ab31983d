"""Renders one window's prompt and answer as text, in each of the training formats."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from ctiforge.errors import UsageError
from ctiforge.extract.prompts import Prompt
from ctiforge.records.model_note import Format
from ctiforge.records.observable import Observable
from ctiforge.training.conversation import render_conversation
from ctiforge.training.special_tokens import break_special


class ChatTokenizer(Protocol):
    """What rendering needs of a Hugging Face tokenizer."""

    chat_template: Any
    bos_token: str | None

    def apply_chat_template(self, conversation: Any, /, *, tokenize: bool, add_generation_prompt: bool) -> Any:
        """Render a conversation."""
        ...


def render_prompt(
    text_format: Format,
    prompt: Prompt,
    types: Sequence[str],
    window: str,
    tokenizer: ChatTokenizer,
    *,
    platform: bool = True,
    solved: Sequence[tuple[str, str]] = (),
) -> str:
    """Render the text that stands before the answer.

    `messages` is what the model's own chat template renders; `chatml`, `alpaca` and `simple` are fixed
    texts (ChatML of OpenAI, the template of Stanford Alpaca, instruction and text in plain). `solved` are examples that
    go before, a user's turn and its answer each. Special tokens that the window spells stay text.
    Raises UsageError where `messages` is asked of a tokenizer without a chat template.
    """
    window = break_special(tokenizer, window)
    solved = [(break_special(tokenizer, asked), break_special(tokenizer, answer)) for asked, answer in solved]
    user = prompt.user(types, window, platform=platform)
    if text_format == "messages":
        return _render_messages(prompt.system, user, tokenizer, solved)
    if solved:
        before = "".join(f"{asked}\n\nAnswer:\n{answer}\n\n" for asked, answer in solved)
        return f"{prompt.system}\n\n{before}{user}\n\nAnswer:\n".lstrip()
    if text_format == "chatml":
        turns = [("system", prompt.system)] * bool(prompt.system) + [("user", user)]
        return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns) + "<|im_start|>assistant\n"
    if text_format == "alpaca":
        instruction = _instruction(prompt, types, platform)
        return (
            "Below is an instruction that describes a task, paired with an input that provides further context. "
            "Write a response that appropriately completes the request.\n\n"
            f"### Instruction:\n{instruction}\n\n### Input:\n{window}\n\n### Response:\n"
        )
    return f"{prompt.system}\n\n{user}\n\nAnswer:\n".lstrip()


def render_answer(observables: Sequence[Observable]) -> str:
    """Write the answer a model learns: compact JSON, one object, items in the order given."""
    items = [item.model_dump(exclude_none=True) for item in observables]
    return json.dumps({"observables": items}, ensure_ascii=False, separators=(",", ":"))


def guide_row(
    text_format: Format, prompt: Prompt, types: Sequence[str], window: str, answer: str, *, platform: bool = True
) -> dict[str, Any]:
    """Write one example in the shape that other training tools expect of the format's name."""
    if text_format == "alpaca":
        return {"instruction": _instruction(prompt, types, platform), "input": window, "output": answer}
    user = prompt.user(types, window, platform=platform)
    if text_format == "simple":
        return {"prompt": f"{prompt.system}\n\n{user}".strip(), "completion": answer}
    turns = [{"role": "system", "content": prompt.system}] * bool(prompt.system)
    return {"messages": [*turns, {"role": "user", "content": user}, {"role": "assistant", "content": answer}]}


def _instruction(prompt: Prompt, types: Sequence[str], platform: bool) -> str:
    return f"{prompt.system}\n{prompt.user(types, '', platform=platform)}".strip()


def conversation(system: str, user: str, solved: Sequence[tuple[str, str]] = ()) -> list[dict[str, str]]:
    """Write the turns of a conversation; `solved` are examples that go before, a user's turn and its answer each."""
    pairs = [each for asked, answer in solved for each in (("user", asked), ("assistant", answer))]
    turns = [*[("system", system)] * bool(system), *pairs, ("user", user)]
    return [{"role": role, "content": said} for role, said in turns]


def _render_messages(system: str, user: str, tokenizer: ChatTokenizer, solved: Sequence[tuple[str, str]]) -> str:
    if not tokenizer.chat_template:
        raise UsageError("this tokenizer has no chat template: use --format chatml, alpaca or simple")
    return render_conversation(tokenizer, system, conversation("", user, solved))
