"""Asks an extractor about every article of a test set: what failed is told from what was answered.

A window fails when no answer comes: an error, a time-out. An answer that is no JSON is an answer. An article fails
when the extractor raises on all of it, or when every one of its windows fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ctiforge.errors import CtiforgeError
from ctiforge.extract.answering.extraction import Extraction, Extractor, Source, Tell, WindowAnswer, WindowSpan
from ctiforge.progress import Progress
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Answers
from ctiforge.training.faults import check_device, first_line

_ARTICLES_TOGETHER = 32
_Planned = tuple[ArticleRecord, Sequence[WindowSpan]]


@dataclass(frozen=True)
class Share:
    """One of several shares of the articles."""

    number: int = 0
    """Which, from 0."""
    count: int = 1
    """Of how many."""


WHOLE = Share()


@dataclass(frozen=True)
class Answered:
    """One article and what came of asking about it."""

    record: ArticleRecord
    extraction: Extraction
    error: str | None = None
    """Why there is nothing at all; None where it did not fail."""

    @property
    def answers(self) -> Answers:
        """Count its windows."""
        windows = self.extraction.windows
        return Answers(
            windows=len(windows),
            json_parsed=sum(window.json_parsed for window in windows),
            schema_valid=sum(window.schema_valid for window in windows),
            stopped_by_length=sum(window.stopped_by_length for window in windows),
            halved=self.extraction.halved,
            duplicates=sum(window.duplicates for window in windows),
            failed=sum(window.error is not None for window in windows),
            prompt_tokens=sum(window.prompt_tokens for window in windows),
            answer_tokens=sum(window.answer_tokens for window in windows),
            seconds=self.extraction.seconds,
        )


class Asking:
    """The articles to ask an extractor about; `windows` of them are planned, before any is asked about again."""

    def __init__(self, extractor: Extractor, records: Sequence[ArticleRecord], share: Share = WHOLE) -> None:
        self._extractor = extractor
        planned = [(record, _plan(extractor, record)) for record in records]
        self.places = shares([len(spans) for _, spans in planned], share.count)[share.number]
        """Which of the records are in the share."""
        self._articles = [planned[place] for place in self.places]
        self.windows = _count(self._articles)

    def ask(self, progress: Progress) -> Iterator[Answered]:
        """Ask about every article, in order; one that fails never stops the others.

        Raises CannotGoOnError for a device that failed, and what an extractor raises of `CtiforgeError`.
        """
        for start in range(0, len(self._articles), _ARTICLES_TOGETHER):
            articles = self._articles[start : start + _ARTICLES_TOGETHER]
            end = _count(self._articles[: start + _ARTICLES_TOGETHER])
            yield from self._together(articles, partial(_advance, progress, end))
            progress.update(end)

    def _together(self, articles: Sequence[_Planned], tell: Tell) -> Iterator[Answered]:
        """Ask about articles together where that works, else one by one."""
        try:
            sources = [_source(record) for record, _ in articles]
            found: list[Extraction] | None = list(self._extractor.extract_many(sources, tell))
        except CtiforgeError:
            # what ends the work is not one article's fault
            raise
        except Exception as error:  # whatever one article breaks, the others are still to be scored
            check_device(error)
            if len(articles) == 1:
                yield _failed(*articles[0], first_line(error))
                return
            found = None
        if found is None:
            for each in articles:
                yield from self._together([each], tell)
            return
        for (record, _), extraction in zip(articles, found, strict=True):
            errors = [window.error for window in extraction.windows]
            yield Answered(record, extraction, errors[0] if errors and all(errors) else None)


def shares(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Share work among processes: the largest piece first, each to the one that has least.

    Args:
        sizes: How large each piece is.
        count: How many processes.

    Returns:
        The places of each one's pieces, in their order.
    """
    of_each: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        least = loads.index(min(loads))
        of_each[least].append(place)
        loads[least] += sizes[place]
    return [sorted(places) for places in of_each]


def _advance(progress: Progress, end: int) -> None:
    """Count one more window, but none twice where articles are asked about once more, one by one."""
    progress.update(min(progress.done + 1, end))


def _count(articles: Sequence[_Planned]) -> int:
    return sum(len(spans) for _, spans in articles)


def _source(record: ArticleRecord) -> Source:
    return Source(record.content, record.labelled_types, record.url)


def _plan(extractor: Extractor, record: ArticleRecord) -> list[WindowSpan]:
    """Plan an article's windows; all of it is one where there are none, or where that cannot be told."""
    whole = [(0, len(record.content))]
    try:
        return extractor.plan(_source(record)) or whole
    except CtiforgeError:
        raise
    except Exception:  # it is told when the article is asked about
        return whole


def _failed(record: ArticleRecord, spans: Sequence[WindowSpan], error: str) -> Answered:
    """Make what stands for an article on which the extractor raised: all its windows, none of them readable."""
    windows = tuple(WindowAnswer(start, end, "", False, False, False, 0, 0, 0, error) for start, end in spans)
    return Answered(record, Extraction((), windows, requested_types=record.labelled_types), error)
