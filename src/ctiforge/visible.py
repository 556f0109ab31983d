r"""Texts of articles on their way to a terminal: what would command it is written out, `\u001b` for an escape.

In JSON the written form means the same, so what is printed stays what was found.
"""

import re

# but for tabs and ends of lines: C0, C1, what turns the direction of writing, and half pairs, which no stream takes
_COMMANDS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|\r(?!\n)"
)
_COLORS = re.compile("(\x1b\\[[0-9;]*m)")


def visible(text: str) -> str:
    r"""Write out the control characters of a text.

    Args:
        text: What is to be shown; tabs and ends of lines stay.

    Returns:
        The text, with `\u` and four hex digits for each of them.
    """
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def visible_in_color(text: str) -> str:
    """Write out the control characters of what one of our own programs said; its colors stay.

    Args:
        text: What is to be shown.

    Returns:
        The text; see `visible`.
    """
    parts = _COLORS.split(text)
    return "".join(part if number % 2 else visible(part) for number, part in enumerate(parts))
