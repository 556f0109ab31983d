"""Leaks: articles that are kept out of training and are trained on all the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ctiforge.data.identity import canonical_url
from ctiforge.data.near_duplicates import near_pairs_between
from ctiforge.errors import DataError
from ctiforge.records.article import ArticleRecord

_TOGETHER = 1_000


@dataclass(frozen=True)
class Leak:
    """One test article and the training article that gives it away."""

    test_id: str
    """The id of the test article."""
    training_id: str
    """The id of the training article."""
    how: str
    """`the same page`, or `the same text or nearly`."""


def leaks_between(training: Sequence[ArticleRecord], test: Sequence[ArticleRecord]) -> Iterator[tuple[int, Leak]]:
    """Find the training articles that give away a test article: the one rule of what a leak is.

    Args:
        training: Articles that are, or were, trained on.
        test: Articles that are kept out: of a test set, or of validation.

    Yields:
        The index in `training`, and the leak; an article may have one for its page and one for its text.
    """
    pages = {canonical_url(article.url): article.id for article in reversed(test) if article.url}
    near = near_pairs_between([article.content for article in training], [article.content for article in test])
    for index, article in enumerate(training):
        page = pages.get(canonical_url(article.url)) if article.url else None
        if page is not None:
            yield index, Leak(page, article.id, "the same page")
        if index in near:
            yield index, Leak(test[near[index]].id, article.id, "the same text or nearly")


def find_leaks(test: Sequence[ArticleRecord], training: Path) -> list[Leak]:
    """Find the test articles that a file of training articles gives away.

    Args:
        test: Articles of a test set.
        training: A JSON-lines file of training articles; it is read in parts.

    Returns:
        One leak for each test article that is given away, the first that was found.

    Raises:
        DataError: A line, which the text names, is no article.
    """
    leaks: dict[str, Leak] = {}
    for batch in _batches(training):
        for _, leak in leaks_between(batch, test):
            leaks.setdefault(leak.test_id, leak)
    return list(leaks.values())


def _batches(path: Path) -> Iterator[list[ArticleRecord]]:
    """Read the articles of a file, some at a time: a harvest may be larger than memory."""
    with path.open(encoding="utf-8-sig") as file:
        lines = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
        while batch := list(islice(lines, _TOGETHER)):
            yield [_article(line, f"{path.name}, line {number}") for number, line in batch]


def _article(line: str, where: str) -> ArticleRecord:
    try:
        return ArticleRecord.read_line(line)
    except ValueError:
        raise DataError(
            f"{where}: no article with id, content and content_hash: give the records of a harvest"
        ) from None
