"""The chat template that an exported model carries: it renders a conversation exactly as training rendered prompts."""

import re
from typing import Any

_TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}{{ '\\n' }}{{ message['content'] }}<|im_end|>"
    "{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
# The instruction is the system's turn, the article the user's.
_ALPACA = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.{{ '\\n\\n' }}"
    "### Instruction:{{ '\\n' ~ messages[0]['content'] ~ '\\n\\n' }}"
    "### Input:{{ '\\n' ~ messages[1]['content'] ~ '\\n\\n' }}### Response:{{ '\\n' }}"
)
_SIMPLE = "{% for message in messages %}{{ message['content'] ~ '\\n\\n' }}{% endfor %}Answer:{{ '\\n' }}"
_FIXED = {"chatml": _TURNS, "alpaca": _ALPACA, "simple": _SIMPLE}

# Training puts the system's words before the user's where a template has no place for them.
_FOLD = (
    "{% if messages[0]['role'] == 'system' and messages | length > 1 %}"
    "{% set messages = [{'role': 'user', 'content': "
    "(messages[0]['content'] ~ '\\n\\n' ~ messages[1]['content']) | trim}] + messages[2:] %}{% endif %}"
)
# Training's marks for where loss lies: they render nothing, and other readers of templates do not know them.
_GENERATION = re.compile(r"\{%(-?)\s*(?:end)?generation\s*(-?)%\}")


def chat_template(text_format: str, tokenizer: Any) -> str:
    """Write the chat template for a model that was trained on a text format.

    Args:
        text_format: The format of its examples, one of `FORMATS`.
        tokenizer: The model's tokenizer; for `messages` its own template is used.

    Returns:
        Jinja over `messages`; a system's words go before the user's where the template has no place for them.
    """
    if text_format in _FIXED:
        return _FIXED[text_format]
    own = _GENERATION.sub(lambda mark: f"{{#{mark[1]} {mark[2]}#}}", str(tokenizer.chat_template))
    return own if _shows_system(tokenizer) else _FOLD + own


def _shows_system(tokenizer: Any) -> bool:
    """Try the role: some templates refuse it, some drop it without a word."""
    turns = [{"role": "system", "content": "SYSTEM-MARKER"}, {"role": "user", "content": "x"}]
    try:
        return "SYSTEM-MARKER" in str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception:  # templates raise their own kinds of error
        return False
