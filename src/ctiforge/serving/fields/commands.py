"""The rules of command lines."""

import re

from ctiforge.serving.placing import PlacedItem

_QUOTED = re.compile(r"(?:([\"'])|[“”„‘])(.+?)(?(1)\1|[“”’])(?=\s|$)")
_WORD = re.compile(r"[^\s\"'“”‘’]+(?=\s|$)")
_ENDING = re.compile(r"\.(?:exe|com|bat|cmd|ps1|vbs|js|scr|msi|dll|sys|py|sh)$", re.IGNORECASE)
# a folder may have spaces, a program's name may not: behind it stands a file of its own
_SPACED_PATH = re.compile(
    r"(?:[A-Za-z]:|%\w+%|\\)(?:\\(?:(?! [-/]|[\\/:\"'|<>]).)++)*\\[^\\/:\"'|<>\s]+"
    r"\.(?:exe|com|bat|cmd|ps1|vbs|js|scr|msi|dll|sys)(?=\s|$)",
    re.IGNORECASE,
)
_PATH = re.compile(r"[A-Za-z]:[\\/]|%\w+%\\|\\\\")
_SYSTEM_PROGRAM = re.compile(
    r"(?:[A-Za-z]:\\Windows|%(?:windir|systemroot)%)\\(?:System32|SysWOW64)\\\w+$", re.IGNORECASE
)
_OPTION = re.compile(r"\s+[-/]|\s*$")
_WRAPPER = re.compile(r"(?:\bcmd(?:\.exe)?|%comspec%)[\"']?(?:\s+/[a-z](?::\w+)?)*?\s+/[ck]\s+[\"']?$", re.IGNORECASE)


def first_token(item: PlacedItem) -> str | None:
    """Give the program that a command begins with, without quotes."""
    command = item.value.lstrip().removeprefix("& ").lstrip()
    if quoted := _QUOTED.match(command):
        return quoted[2]
    word = _WORD.match(command)
    if not word or not _PATH.match(command) or _ENDING.search(word[0]) or _SYSTEM_PROGRAM.match(word[0]):
        return word[0] if word else None
    if spaced := _SPACED_PATH.match(command):
        return spaced[0]
    return word[0] if _OPTION.match(command, word.end()) else None


def wrapper_stripped(item: PlacedItem) -> bool | None:
    """Tell whether the article has `cmd /c` before the command, which the item leaves out."""
    return None if item.paragraph is None else bool(_WRAPPER.search(item.around[0]))
