"""Rows of articles and executions, batch by batch: which belong together, and what becomes of them."""

import json
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ctiforge.data.articles import Article, Execution, read_configuration
from ctiforge.data.generations import parse_result
from ctiforge.data.outcome_cache import OutcomeCache

# bytes of results, as they are stored, that the server unpacks for one batch
BATCH_STORED = 8_000_000

ARCHIVED = "archived"
EVALUATION_SOURCE = "eval_articles"
"""The source that the application fills with articles to evaluate its own agents on."""


@dataclass
class Batch:
    """Some articles and their executions, as they were read."""

    articles: list[tuple[Any, ...]] = field(default_factory=list)
    """Rows, see `read_article_row`."""
    executions: list[tuple[Any, ...]] = field(default_factory=list)
    """Rows, see `executions_query`: those that no cache knows."""
    known: dict[tuple[int, int], Execution] = field(default_factory=dict)
    """(article's id, own id) → an execution that was read before."""
    xmins: dict[int, int] = field(default_factory=dict)
    """Id of an execution → the transaction that last wrote its row."""

    def __len__(self) -> int:
        """Count the characters that came from the server."""
        return sum(len(row[3] or "") for row in self.articles) + sum(len(row[4] or "") for row in self.executions)


class Listed:
    """Ids of executions, ordered by article and id."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        import numpy

        columns = tuple(array("q") for _ in range(4))
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        articles, ids, sizes, xmins = (numpy.frombuffer(column, dtype=numpy.int64) for column in columns)
        order = numpy.lexsort((ids, articles))
        self._articles, self._ids, self._sizes, self._xmins = (each[order] for each in (articles, ids, sizes, xmins))

    def batch(self, start: int, articles: int) -> int:
        """Find where a batch ends that begins at `start`: whole articles, so many or fewer, of bounded stored size."""
        end, stored = start, 0
        for _ in range(articles):
            if end == len(self._ids) or stored > BATCH_STORED:
                break
            following = self._end_of_article(end)
            stored += int(self._sizes[end:following].sum())
            end = following
        return end

    def by_article(self, start: int, end: int) -> Iterator[tuple[int, list[int], list[int]]]:
        """Yield each article's id, with the ids of its executions and their `xmin`."""
        while start < end:
            following = self._end_of_article(start)
            yield int(self._articles[start]), self._ids[start:following].tolist(), self._xmins[start:following].tolist()
            start = following

    def article_ids(self, start: int, end: int) -> list[int]:
        """List the ids of the articles, each once."""
        return list(dict.fromkeys(self._articles[start:end].tolist()))

    def _end_of_article(self, at: int) -> int:
        return int(self._articles.searchsorted(self._articles[at], side="right"))


def with_executions(batch: Batch, cache: OutcomeCache | None) -> Iterator[Article]:
    """Put together what was read of articles and of their executions.

    Args:
        batch: The rows.
        cache: Is given what was read anew; None: nothing is kept.

    Yields:
        The articles by id, each with its executions by id.
    """
    read = dict(batch.known)
    for id_, article_id, status, finished_at, result, configuration, seen_text in batch.executions:
        models, evaluation = read_configuration(json.loads(configuration))
        outcome = parse_result(result)
        read[article_id, id_] = Execution(status, finished_at or "", outcome, models, evaluation, seen_text)
        if cache:
            cache.add(article_id, id_, batch.xmins[id_], read[article_id, id_])
    found = {int(row[0]): read_article_row(row) for row in sorted(batch.articles, key=lambda row: int(row[0]))}
    for (article_id, _), execution in sorted(read.items(), key=lambda pair: pair[0]):
        if article_id in found:
            found[article_id].executions.append(execution)
    if cache and found:
        cache.write_before(min(found))
    yield from found.values()


def read_article_row(row: tuple[Any, ...]) -> Article:
    """Read a row of an article: id, URL, title, content, score; with `archived` and its source's name where asked for.

    Args:
        row: The columns, in this order.

    Returns:
        The article, without executions.
    """
    kept_out = None
    if len(row) > 5:
        kept_out = EVALUATION_SOURCE if row[6] == EVALUATION_SOURCE else ARCHIVED if row[5] else None
    return Article(str(row[0]), row[1], row[2] or "", row[3], _score(row[4]), kept_out=kept_out)


def _score(text: str | None) -> float | None:
    try:
        score = float(text or "")
    except ValueError:
        return None
    return score if math.isfinite(score) else None
