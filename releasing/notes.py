"""The notes of a release: the section of CHANGELOG.md that speaks of its version.

usage: python -m releasing.notes VERSION      to standard output
"""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
UNRELEASED = "Unreleased"


def main(arguments: list[str]) -> int:
    """Print a version's notes; 1 where the changelog has none, 2 for another usage."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(notes(CHANGELOG.read_text(encoding="utf-8"), arguments[0]), end="")
    except LookupError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


def notes(changelog: str, version: str) -> str:
    """Give what stands below a version's heading, links between pages left as text.

    Args:
        changelog: A file in the form of Keep a Changelog.
        version: `0.1.0`, or `Unreleased`.

    Raises:
        LookupError: The changelog has no such heading, or nothing below it.
    """
    heading = re.compile(rf"^## \[{re.escape(version)}\].*\n", re.MULTILINE)
    found = heading.search(changelog)
    if not found:
        raise LookupError(
            f"CHANGELOG.md has no section [{version}]: rename [{UNRELEASED}] to `## [{version}] - <date>`"
        )
    text = re.split(r"^## ", changelog[found.end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()
    if not text:
        raise LookupError(f"CHANGELOG.md says nothing below [{version}]: write what users notice, or release nothing")
    return _without_local_links(text) + "\n"


def _without_local_links(text: str) -> str:
    """A page of the repository is not where the notes are read."""
    return re.sub(r"\[([^\]]+)\]\((?!https?://)[^)]+\)", r"\1", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
