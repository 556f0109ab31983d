"""The lines: one object each, with everything that differs from one to the other."""

from ctiforge.errors import UsageError
from ctiforge.lines.extract import EXTRACT
from ctiforge.lines.line import Line
from ctiforge.lines.os_bert import OS_BERT

LINES: dict[str, Line] = {line.name: line for line in (EXTRACT, OS_BERT)}


def find_line(name: str) -> Line:
    """Look up a line by its name.

    Args:
        name: The line's name: a key of `LINES`.

    Returns:
        The line.

    Raises:
        UsageError: There is no such line; the text names those that exist.
    """
    if name not in LINES:
        raise UsageError(f"there is no line {name}; there is {', '.join(LINES)}")
    return LINES[name]
