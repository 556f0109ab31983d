"""One article with its operating system, a line of the parts that prepare_os leaves."""

from pathlib import Path

from ctiforge.records.article import OsLabel
from ctiforge.records.base import Record, read_lines


class Evidence(Record):
    """A passage of an article that speaks for a label."""

    label: OsLabel
    """The operating system that it speaks for."""
    quote: str
    """The passage's words."""
    start: int
    """Its first character in the content."""
    end: int
    """One past its last character."""


class LabeledArticle(Record):
    """One article and which operating system it is about, in the opinion of one labeler."""

    id: str
    """The application's number of the article; of an altered copy with a suffix."""
    url: str | None = None
    """The page's address; None where nobody knows it."""
    title: str = ""
    """"" where there is none."""
    content: str
    """The article's text."""
    content_hash: str
    """SHA-256, in hex digits, of the text without white space and case."""
    label: OsLabel
    """Which operating system it is about."""
    labeler: str
    """`keywords`, `application`, `openai:<model>` or `human`."""
    evidence: tuple[Evidence, ...] = ()
    """Passages that speak for the label; empty for a person's."""
    flags: tuple[str, ...] = ()
    """What is odd about the article: `instructs the labeler`, `the application is not sure`."""
    group: str = ""
    """Shared by near duplicates."""


def read_labeled(path: Path) -> list[LabeledArticle]:
    """Read the articles of a part that prepare_os left.

    Args:
        path: A JSON-lines file.

    Returns:
        The articles, in the file's order.

    Raises:
        DataError: A line, which the text names, is no labeled article.
    """
    return list(read_lines(path, LabeledArticle))
