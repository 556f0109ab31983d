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
_WRAPPER = re.compile(
    r"(?:\bcmd(?:\.exe)?|%comspec%)[\"'”’]?(?:\s+/[a-z]+(?::\w+)?|\s+(?:start|min|max)\b)*?\s*/[ck]"
    r"(?:\s+|(?=[\"'“‘(]))[\"'“”‘’(]*(?:call\s+|@)?[\"'“”‘’(]*$",
    re.IGNORECASE,
)
# what a shell shows before a command, and variables that are set for it alone
_PROMPT = re.compile(
    r"(?:PS(?: [A-Za-z]:\\[^>\n]*)?>|[A-Za-z]:\\[^<>\"'|\s.]*>|[\w.-]+@[\w.-]+:[^\s$#]*[$#](?=\s)|[$#](?=\s))\s*"
)
_CALL = re.compile(r"& *(?=\S)")
_SET_BEFORE = re.compile(r"(?:[A-Za-z_]\w*=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'&|;]*)\s+)+(?=\S)")
# an expression or a redirection, whose first word is no program
_EXPRESSION = re.compile(r"@?[({]|\[|\$|\d?[<>]")
# what may follow a program's name without a space
_JOINED = re.compile(r"[&|;]|(?<=\w)\((?!x86\))|(?:(?<=\.exe)|(?<=^cmd))/", re.IGNORECASE)


def first_token(item: PlacedItem) -> str | None:
    """Give the program that a command begins with, without quotes."""
    command = _typed(item.value)
    if _EXPRESSION.match(command):
        return None
    if quoted := _QUOTED.match(command):
        return quoted[2]
    joined = _JOINED.search(command)
    if joined and joined.start() and not re.search(r"[\s\"'“”‘’]", command[: joined.start()]):
        program = command[: joined.start()]
        # a method that a script calls is no program
        return None if joined[0] == "(" and "." in program else program
    word = _WORD.match(command)
    if not word or not _PATH.match(command) or _ENDING.search(word[0]) or _SYSTEM_PROGRAM.match(word[0]):
        return word[0] if word else None
    if spaced := _SPACED_PATH.match(command):
        return spaced[0]
    return word[0] if _OPTION.match(command, word.end()) else None


def wrapper_stripped(item: PlacedItem) -> bool | None:
    """Tell whether the article has `cmd /c` before the command, which the item leaves out."""
    return None if item.paragraph is None else bool(_WRAPPER.search(item.around[0]))


def _typed(command: str) -> str:
    """Leave out what stands before a command's program: a shell's prompt, a call's `&`, variables set for it."""
    for before in (_PROMPT, _CALL, _SET_BEFORE):
        found = before.match(command := command.lstrip())
        command = command[found.end() :] if found else command
    return command
