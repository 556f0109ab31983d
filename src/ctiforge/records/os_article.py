"""One article with its operating system, a line of the parts that prepare_os leaves."""

from pathlib import Path

from ctiforge.records.article import OsLabel
from ctiforge.records.base import Record, read_lines


class Evidence(Record):
    """A passage that speaks for a label: characters `start` to `end` of the article's content."""

    label: OsLabel
    quote: str
    start: int
    end: int


class LabeledArticle(Record):
    """One article and which operating system it is about, in the opinion of one labeler."""

    id: str
    url: str | None = None
    title: str = ""
    content: str
    content_hash: str
    label: OsLabel
    labeler: str
    """`keywords`, `openai:<model>` or `human:<annotator>`."""
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()
    """What is odd about the article: `instructs the labeler`."""
    group: str = ""
    """Shared by near duplicates."""


def read_labeled(path: Path) -> list[LabeledArticle]:
    """Give the articles of a JSON-lines file of prepare_os. Raises DataError naming the line that is none."""
    return list(read_lines(path, LabeledArticle))
