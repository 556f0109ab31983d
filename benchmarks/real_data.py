"""The real articles: third-party text that no repository may hold, named by an environment variable."""

import os
from pathlib import Path

from ctiforge.errors import UsageError

VARIABLE = "CTIFORGE_REAL_DATA"
"""Names a folder with `articles.jsonl` and `judged_commands.jsonl`."""


def real_articles() -> Path:
    """Return the file of the 30 real articles.

    Raises:
        UsageError: The variable is not set, or its folder holds no such file.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise UsageError(f"{VARIABLE} is not set: set it to the folder that holds the real articles (articles.jsonl)")
    file = Path(folder) / "articles.jsonl"
    if not file.is_file():
        raise UsageError(f"{file} is no file: set {VARIABLE} to the folder that holds articles.jsonl")
    return file
