"""What a tool adds to a command that the article names: `cmd.exe /c "chcp 65001 > NUL & …"`, `.exe` after a program."""

import re
from collections.abc import Iterator

_PROGRAM = r"[\"']?(?:[a-z]:)?[^\s\"'&|<>]*?"
_WRAPPERS = (
    rf"{_PROGRAM}cmd(?:\.exe)?[\"']?\s+[\"']?(?:/[a-bd-jl-z]\S*\s+)*/[ck]\s*(.+)",
    rf"{_PROGRAM}(?:powershell|pwsh)(?:\.exe)?[\"']?\s.*?-c(?:ommand)?\s+(.+)",
    rf"{_PROGRAM}conhost(?:\.exe)?[\"']?\s+--headless\s+(.+)",
    r"(?:/bin/|/usr/bin/)?(?:ba|z|da)?sh\s+-c\s+(.+)",
    r"chcp\s+\d+\s*>\s*nul\s*&+\s*(.+)",
)
_PATTERNS = tuple(re.compile(wrapper, re.IGNORECASE | re.DOTALL) for wrapper in _WRAPPERS)
_FIRST_WORD = re.compile(r"([\w\\:%/-]*?[\w-]{2,})(\.exe)?(\s.+)", re.IGNORECASE | re.DOTALL)
_DEPTH = 3
_QUOTES = "\"'`\\ \t\r\n"


def other_program_name(command: str) -> str | None:
    """Write a command with `.exe` after its program where it has none, and without it where it has.

    Args:
        command: The command line.

    Returns:
        The command; None where its first word is no program's name, or is all that it has.
    """
    match = _FIRST_WORD.match(command)
    if not match:
        return None
    name, exe, rest = match.groups()
    return f"{name}{rest}" if exe else f"{name}.exe{rest}"


def unwrapped_commands(command: str) -> Iterator[str]:
    """Take the wrappers off a command, one after the other.

    Args:
        command: The command line.

    Yields:
        What each wrapper starts, the outermost's first; nothing where there is none, or where it starts a single word,
        which says too little to be found by.
    """
    for _ in range(_DEPTH):
        match = next((found for pattern in _PATTERNS if (found := pattern.match(command))), None)
        if match is None:
            return
        command = match[1].strip(_QUOTES)
        if len(command.split()) > 1:
            yield command
