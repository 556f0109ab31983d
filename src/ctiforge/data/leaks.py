"""Whether articles of a test set are among those that a model was trained on."""

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
    training_id: str
    how: str
    """`the same page`, or `the same text or nearly`."""


def find_leaks(test: Sequence[ArticleRecord], training: Path) -> list[Leak]:
    """The articles of `test` whose page or text, or nearly that text, a JSON-lines file of training articles holds.

    Raises DataError naming the line that is no article.
    """
    pages = {canonical_url(article.url): article.id for article in reversed(test) if article.url}
    texts = [article.content for article in test]
    leaks: dict[str, Leak] = {}
    for batch in _batches(training):
        near = near_pairs_between([article.content for article in batch], texts)
        for number, article in enumerate(batch):
            page = pages.get(canonical_url(article.url)) if article.url else None
            if page is not None:
                leaks.setdefault(page, Leak(page, article.id, "the same page"))
            if number in near:
                id_ = test[near[number]].id
                leaks.setdefault(id_, Leak(id_, article.id, "the same text or nearly"))
    return list(leaks.values())


def _batches(path: Path) -> Iterator[list[ArticleRecord]]:
    """The articles of a file, some at a time: a harvest may be larger than memory."""
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
