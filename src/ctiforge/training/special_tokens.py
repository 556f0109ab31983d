"""Special tokens that a text spells, as articles on attacks on language models do: broken, so that they stay text.

A tokenizer reads `<|im_end|>` in an article as the end of the turn: whoever writes it there could end what is read.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_JOINER = "\u2060"
"""WORD JOINER (Unicode 16, chapter 23.2): it is not seen, and no special token holds one."""
_OF_FORMATS = ("<|im_start|>", "<|im_end|>")
"""What the format `chatml` writes, whatever the tokenizer."""


def break_special(tokenizer: Any, text: str) -> str:
    """Break the special tokens that a text spells, with a character that is not seen.

    Args:
        tokenizer: The model's tokenizer.
        text: A text that is not the model's own: an article, a value of it.

    Returns:
        The text, which this tokenizer reads without a special token.
    """
    return _replaced(text, ((token, broken) for token, broken in _pairs(tokenizer)))


def mend_special(tokenizer: Any, text: str) -> str:
    """Mend what `break_special` broke, as a model copies it.

    Args:
        tokenizer: The model's tokenizer.
        text: What the model wrote.

    Returns:
        The text as the article has it.
    """
    return _replaced(text, ((broken, token) for token, broken in _pairs(tokenizer)))


def _replaced(text: str, pairs: Iterator[tuple[str, str]]) -> str:
    for written, instead in pairs:
        text = text.replace(written, instead)
    return text


def _pairs(tokenizer: Any) -> Iterator[tuple[str, str]]:
    # the longest first: one may begin as another
    for token in _special(tokenizer):
        yield token, token[0] + _JOINER + token[1:]


@lru_cache(maxsize=8)
def _special(tokenizer: Any) -> tuple[str, ...]:
    """List the tokenizer's special tokens of two characters or more, the longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    known = {
        *getattr(tokenizer, "all_special_tokens", ()),
        *(str(each) for each in added if each.special),
        *_OF_FORMATS,
    }
    return tuple(sorted((each for each in known if len(each) > 1), key=lambda each: (-len(each), each)))
