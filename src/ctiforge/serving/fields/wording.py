"""What the rules of all types read a passage by."""

import re
from collections.abc import Mapping

PATH = r"(?:[A-Za-z]:|%\w+%|\\)\\[^\s\"'<>|*?]+"
"""A path of Windows without spaces."""
_PROMPT = r"^\s*(?:[$#>]+\s+|PS [^>\n]*>\s*|[A-Za-z]:\\[^>\n]*>\s*)?"


def only(kinds: Mapping[str, re.Pattern[str]], text: str) -> str | None:
    """Name the one kind that a text speaks of; None where it speaks of none, or of several."""
    found = [kind for kind, pattern in kinds.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None


def words(*each: str) -> re.Pattern[str]:
    """Match any of some words, whole, in any case."""
    return re.compile(rf"(?<![\w-])(?:{'|'.join(each)})(?![\w-])", re.IGNORECASE)


def quoted_or_word(match: re.Match[str] | None, name: str = "value") -> str | None:
    """Read what a command gives an option: what stands in quotes, or one word."""
    if match is None:
        return None
    return match[f"{name}_quoted"] or match[f"{name}_word"]


def option(flags: str, name: str = "value") -> str:
    """Write the pattern of an option and its argument: in quotes, or one word."""
    return rf"(?:{flags})(?:\"(?P<{name}_quoted>[^\"\n]+)\"|(?P<{name}_word>[^\s\"]+))"


def command_of(line: str, starts: str) -> str | None:
    """Give the command that a line is, from its program on, an input prompt left out; None where it is none."""
    match = re.match(rf"{_PROMPT}(?P<command>(?:{starts}).*)$", line.strip("\n"), re.IGNORECASE)
    return match["command"].rstrip() if match else None
