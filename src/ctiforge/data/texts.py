"""One text that a person names: a file, standard input, or an article of the database."""

import os
import sys
from pathlib import Path

from ctiforge.data.database import read_article
from ctiforge.errors import DataError, UsageError
from ctiforge.progress import warn


def read_text(file: str | None, article_id: str | None) -> tuple[str, str | None]:
    """Read the one text that a person names.

    Args:
        file: A file's path, or `-` for standard input; None where an article is named.
        article_id: The id of an article in the database (DATABASE_URL); None where a file is named.

    Returns:
        The text, and the article's URL; None for a file or an article without one.

    Raises:
        UsageError: None or both are named, the file cannot be read, or there is no such article.
        DataError: It is no text, or one in UTF-16.
    """
    if (file is None) == (article_id is None):
        raise UsageError("give a file (or - for standard input), or --article-id N")
    if article_id is not None:
        article = read_article(os.environ.get("DATABASE_URL"), article_id)
        return article.content, article.url
    if file == "-":
        return _decode(sys.stdin.buffer.read(), "standard input"), None
    try:
        data = Path(str(file)).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    return _decode(data, str(file)), None


def _decode(data: bytes, source: str) -> str:
    """Decode UTF-8 with or without BOM, every line end as a line feed; bytes that are none are replaced and told."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{source} is not UTF-8 (byte {error.start})"
        if b"\0" in data:
            raise DataError(f"{where}: save it as UTF-8") from None
        # a stray byte is no reason to leave the article unread
        warn(f"{where}: what cannot be read became \N{REPLACEMENT CHARACTER}; save it as UTF-8 to have it read whole")
        text = data.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
