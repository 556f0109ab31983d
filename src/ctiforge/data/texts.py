"""One text that a person names: a file, standard input, or an article of the database."""

import os
import sys
from pathlib import Path

from ctiforge.data.database import read_article
from ctiforge.errors import UsageError


def read_text(file: str | None, article_id: str | None) -> tuple[str, str | None]:
    """Read the one text that a person names.

    Args:
        file: A file's path, or `-` for standard input; None where an article is named.
        article_id: The id of an article in the database (DATABASE_URL); None where a file is named.

    Returns:
        The text, and the article's URL; None for a file or an article without one.

    Raises:
        UsageError: None or both are named, the file cannot be read, or there is no such article.
    """
    if (file is None) == (article_id is None):
        raise UsageError("give a file (or - for standard input), or --article-id N")
    if article_id is not None:
        article = read_article(os.environ.get("DATABASE_URL"), article_id)
        return article.content, article.url
    if file == "-":
        return sys.stdin.read(), None
    try:
        return Path(str(file)).read_text(encoding="utf-8", errors="replace"), None
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
