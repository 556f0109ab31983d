"""Where an answer begins in what a model wrote that thinks first: a draft in a thought is no answer. Pure."""

import re

from ctiforge.training.templates import THOUGHT_CLOSES, THOUGHT_OPENS

_OPEN = re.compile(rf"\s*(?:{THOUGHT_OPENS})", re.IGNORECASE)
_CLOSE = re.compile(THOUGHT_CLOSES, re.IGNORECASE)
# OpenAI's harmony: what is for the reader is in the channel `final`
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+).{0,60}?<\|message\|>")
_END_OF_MESSAGE = re.compile(r"<\|(?:end|return|call)\|>")


def answer_span(raw: str) -> tuple[int, int]:
    """Find the answer in what was written.

    Args:
        raw: All that the model wrote, special tokens included.

    Returns:
        First and one past the last character of what follows the thought; empty at the end where the thought never
        closes; all of it where there is none.
    """
    channels = list(_CHANNEL.finditer(raw))
    if channels and not _is_quoted(raw, channels[0].start()):
        final = next((each for each in channels if each[1] == "final"), None)
        if final is None:
            return len(raw), len(raw)
        end = _END_OF_MESSAGE.search(raw, final.end())
        return final.end(), end.start() if end else len(raw)
    close = _CLOSE.search(raw)
    if _OPEN.match(raw):
        return close.end() if close else len(raw), len(raw)
    # the generation prompt may have opened the thought
    if close and not _is_quoted(raw, close.start()):
        return close.end(), len(raw)
    return 0, len(raw)


def _is_quoted(raw: str, place: int) -> bool:
    """Tell a tag or a channel of the model's own from one that an item's value holds: in an answer it is in quotes."""
    brace = raw.find("{", 0, place)
    return brace >= 0 and raw.count('"', brace, place) % 2 == 1
