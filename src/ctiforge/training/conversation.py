"""A conversation as a model's chat template renders it, with the system's text wherever the template can show it."""

from collections.abc import Mapping, Sequence
from typing import Any


def render_conversation(
    tokenizer: Any,
    system: str,
    turns: Sequence[Mapping[str, str]],
    *,
    add_generation_prompt: bool = True,
) -> str:
    """Render a conversation; a template without a system's turn gets its text at the head of the first turn.

    Args:
        tokenizer: A tokenizer with a chat template.
        system: What the system says; empty: nothing.
        turns: The other turns (`role`, `content`), a user's first.
        add_generation_prompt: Whether an answer is opened at the end.

    Returns:
        The text.

    Raises:
        Exception: Whatever a template raises that cannot render the turns.
    """

    def render(those: list[Mapping[str, str]]) -> str:
        return str(tokenizer.apply_chat_template(those, tokenize=False, add_generation_prompt=add_generation_prompt))

    first = {"role": "user", "content": f"{system}\n\n{turns[0]['content']}".strip()}
    folded = [first, *turns[1:]]
    if not system:
        return render(folded)
    try:
        rendered = render([{"role": "system", "content": system}, *turns])
    except Exception:  # templates without a system role raise their own kinds of error
        return render(folded)
    # Other templates drop the role without a word.
    return rendered if system in rendered else render(folded)
