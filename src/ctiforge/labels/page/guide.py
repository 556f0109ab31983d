"""What counts and what does not, per type: a Markdown file that the team edits, as HTML that can do no harm."""

import re
from importlib.resources import files
from pathlib import Path

from ctiforge.errors import DataError, UsageError
from ctiforge.records.observable import TYPES

GENERAL = "general"
"""Where everything stands that belongs to no type."""
_HEADING = re.compile(r"^##[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


def read_guide(path: Path | None) -> dict[str, str]:
    """Read the guide of the team.

    Args:
        path: A Markdown file in UTF-8 whose sections (`## cmdline`) are about a type each; None: the one that ships.

    Returns:
        HTML by type; under `GENERAL` what stands before the first of them and in sections of any other name.

    Raises:
        UsageError: The file cannot be read.
        DataError: It is not UTF-8.
    """
    if path is None:
        return render_guide(files(__package__).joinpath("guide.md").read_text(encoding="utf-8"))
    try:
        return render_guide(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"--guide {path}: {error.strerror}; name a Markdown file with sections ## cmdline …") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None


def render_guide(text: str) -> dict[str, str]:
    """Turn the text of a guide into HTML: headings, lists, code and emphasis; HTML, links and images stay text.

    Args:
        text: Markdown.

    Returns:
        As `read_guide`.
    """
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink"])
    parts: dict[str, str] = {}
    heads = list(_HEADING.finditer(text))
    ends = [*(head.start() for head in heads), len(text)]
    parts[GENERAL] = text[: ends[0]]
    for head, end in zip(heads, ends[1:], strict=True):
        name = head[1].strip("`")
        if name in TYPES:
            parts[name] = parts.get(name, "") + text[head.end() : end]
        else:
            parts[GENERAL] += "\n" + text[head.start() : end]
    return {name: markdown.render(part) for name, part in parts.items() if part.strip()}
