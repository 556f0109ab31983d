"""The rules of command lines."""

import re

from ctiforge.serving.placing import PlacedItem

_QUOTED = re.compile(r"\s*([\"'])(.+?)\1")
# a path with spaces goes on to the name of its program
_PROGRAM_PATH = re.compile(
    r"\s*((?:[A-Za-z]:|%\w+%|\\)\\[^\"'|<>]*?\.(?:exe|com|bat|cmd|ps1|vbs|js|scr|msi|dll|sys))(?=\s|$)", re.IGNORECASE
)
_WORD = re.compile(r"\s*(\S+)")
_WRAPPER = re.compile(r"(?:\bcmd(?:\.exe)?|%comspec%)[\"']?(?:\s+/[a-z](?::\w+)?)*?\s+/[ck]\s+[\"']?$", re.IGNORECASE)


def first_token(item: PlacedItem) -> str | None:
    """Give the program that a command begins with, without quotes."""
    if quoted := _QUOTED.match(item.value):
        return quoted[2]
    match = _PROGRAM_PATH.match(item.value) or _WORD.match(item.value)
    return match[1] if match else None


def wrapper_stripped(item: PlacedItem) -> bool | None:
    """Tell whether the article has `cmd /c` before the command, which the item leaves out."""
    return None if item.paragraph is None else bool(_WRAPPER.search(item.around[0]))
