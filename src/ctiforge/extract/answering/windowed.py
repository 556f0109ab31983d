"""What every extractor does that asks a language model: windows of an article out, answers in, merged."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ctiforge.extract.answering.cut_items import windows_around_cuts
from ctiforge.extract.answering.examples_shown import ShownExamples
from ctiforge.extract.answering.extraction import Extraction, Source, Tell, WindowAnswer, WindowSpan
from ctiforge.extract.answering.merging import merge_windows
from ctiforge.extract.prompts import prompt_of
from ctiforge.extract.prompts.answers import ParsedAnswer, parse_answer
from ctiforge.records.answer import ItemProbability
from ctiforge.records.model_note import AgentUsage, Format, WindowSizes
from ctiforge.records.observable import TYPES, Observable
from ctiforge.training.windows import CountTokens, Pieces, Window, cut_windows, split_pieces

LEAST_ANSWER_TOKENS = 16
"""Tokens that an answer is given room for, however little a prompt leaves."""
# How a model is asked that was not trained here.
_PLAIN_SIZES = WindowSizes(max_length=2048, window_tokens=900, overlap_tokens=200)
_PLAIN_TYPES = tuple(name for name in TYPES if name != "network_indicators")
# Articles whose windows are answered together; more fill batches better and take more memory.
_ARTICLES_TOGETHER = 32
# How often it is asked again: about halves of a window whose answer had no room, or around an item that a border cut.
_ROUNDS = 3
# Windows that are asked about again, for each of the plan; of a short text so many that a window can be halved thrice.
_AGAIN, _LEAST_AGAIN = 1, 12
# From so many windows on, of which most were cut off, the model is one that does not stop: it is asked no more.
_TELLING = 4


@dataclass(frozen=True)
class PendingWindow:
    """One window waiting for its answer."""

    article: int
    window: Window
    types: tuple[str, ...]
    text: str
    """What of the article the window shows."""


@dataclass(frozen=True)
class RawAnswer:
    """What the model wrote for one window."""

    pending: PendingWindow
    raw: str
    tokens: int
    prompt_tokens: int
    stopped_by_length: bool
    error: str | None = None
    items: tuple[ItemProbability, ...] | None = None
    leaning: float | None = None
    """The log-odds of an item against an empty answer, before any bias."""


class WindowedExtractor(ABC):
    """An extractor that asks a language model about each window of an article; how, its subclass knows."""

    def __init__(
        self,
        usage: AgentUsage,
        name: str,
        count_tokens: CountTokens,
        *,
        halves: bool,
        shown: ShownExamples | None = None,
    ) -> None:
        self.usage = usage
        self.name = name
        self.halves = halves
        """Whether a window whose answer has no room is asked about again in halves."""
        self.shown = shown
        """The examples that every prompt shows; None: none."""
        self.prompt = prompt_of(usage)
        self._count_tokens = count_tokens

    def solved(self, pending: PendingWindow) -> list[tuple[str, str]]:
        """List the examples that a window's prompt shows: a user's turn and its answer each."""
        if not self.shown:
            return []
        found = self.shown.passages.nearest(pending.text, pending.types, self.shown.count)
        return [(self.prompt.user(each.types, each.text), each.answer) for each in found]

    @abstractmethod
    def generate(self, waiting: Sequence[PendingWindow]) -> Iterator[RawAnswer]:
        """Answer every window, in any order; what goes wrong with one window is that answer's error."""

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        """Find the observables of `types` (default: those the model was trained for) in one text."""
        return next(self.extract_many([Source(text, tuple(types) if types else None, source_url)]))

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        """Extract from many texts, in order; their windows share batches."""
        for start in range(0, len(sources), _ARTICLES_TOGETHER):
            yield from self._extract_together(sources[start : start + _ARTICLES_TOGETHER], tell)

    def plan(self, source: Source) -> list[WindowSpan]:
        """Cut a text into its windows, before any is asked about again."""
        return [(each.window.start, each.window.end) for each in self.windows_of(0, source)]

    def windows_of(self, article: int, source: Source) -> list[PendingWindow]:
        """Cut a text into its windows, as they will be asked about; `article` is the number that they will have."""
        return self._windows_of(article, source, split_pieces(source.text, self._count_tokens))

    def _extract_together(self, sources: Sequence[Source], tell: Tell | None) -> list[Extraction]:
        started = time.monotonic()
        pieces = [split_pieces(source.text, self._count_tokens) for source in sources]
        planned = (self._windows_of(index, *each) for index, each in enumerate(zip(sources, pieces, strict=True)))
        waiting = list(chain.from_iterable(planned))
        halved: Counter[int] = Counter()
        answers: list[list[RawAnswer]] = [[] for _ in sources]
        every = self._answers(sources, pieces, waiting, halved, tell)
        for answer in sorted(every, key=lambda each: each.pending.window):
            answers[answer.pending.article].append(answer)
        seconds = time.monotonic() - started
        total_windows = max(sum(map(len, answers)), 1)
        return [
            self._extraction(source, found, seconds * len(found) / total_windows, halved[index])
            for index, (source, found) in enumerate(zip(sources, answers, strict=True))
        ]

    def _windows_of(self, index: int, source: Source, pieces: Pieces) -> list[PendingWindow]:
        types = source.types or self.usage.types
        sizes = self.usage.sizes
        windows = cut_windows(pieces, window_tokens=sizes.window_tokens, overlap_tokens=sizes.overlap_tokens)
        return [_pending(index, source, window, types) for window in windows]

    def _answers(
        self,
        sources: Sequence[Source],
        pieces: Sequence[Pieces],
        waiting: Sequence[PendingWindow],
        halved: Counter[int],
        tell: Tell | None,
    ) -> list[RawAnswer]:
        """Answer every window, and what is asked again after it; `halved` counts by article.

        A window whose answer had no room is asked about in halves, and one more window around an item that a border
        cuts off. Both only within a budget, and not at all once most of the first windows were cut off.
        """
        settled: list[RawAnswer] = []
        answers = self._in_order(waiting, tell)
        if len(answers) >= _TELLING and sum(each.stopped_by_length for each in answers) * 2 > len(answers):
            return answers
        budget = max(_AGAIN * len(waiting), _LEAST_AGAIN)
        for round_ in range(_ROUNDS):
            again: list[PendingWindow] = []
            for answer in answers:
                halves = self._halves_of(sources, answer) if answer.stopped_by_length else []
                if halves and len(halves) <= budget:
                    budget -= len(halves)
                    halved[answer.pending.article] += 1
                    again += halves
                else:
                    settled.append(answer)
            if not round_:
                whole = [each for each in answers if not each.stopped_by_length]
                around = self._around_cuts(sources, pieces, whole)[:budget]
                budget -= len(around)
                again += around
            if not again:
                return settled
            answers = self._in_order(again, None)
        return settled + answers

    def _in_order(self, waiting: Sequence[PendingWindow], tell: Tell | None) -> list[RawAnswer]:
        places = {pending: place for place, pending in enumerate(waiting)}
        answers = []
        for answer in self.generate(waiting):
            answers.append(answer)
            if tell:
                tell()
        return sorted(answers, key=lambda each: places[each.pending])

    def _around_cuts(
        self, sources: Sequence[Source], pieces: Sequence[Pieces], answers: Sequence[RawAnswer]
    ) -> list[PendingWindow]:
        """Choose the windows that show whole what a border cuts off."""
        by_article: dict[int, list[RawAnswer]] = {}
        for answer in answers:
            by_article.setdefault(answer.pending.article, []).append(answer)
        again: list[PendingWindow] = []
        for index, found in by_article.items():
            source = sources[index]
            items = [(each.pending.window, parse_answer(each.raw, each.pending.types).observables) for each in found]
            if len(found) > 1:
                windows = windows_around_cuts(source.text, pieces[index], items, self.usage.sizes.window_tokens)
                again += [_pending(index, source, window, found[0].pending.types) for window in windows]
        return again

    def _halves_of(self, sources: Sequence[Source], answer: RawAnswer) -> list[PendingWindow]:
        """Cut two overlapping halves of a window whose answer had no room, as training halves such a window."""
        pending, source = answer.pending, sources[answer.pending.article]
        pieces = split_pieces(pending.text, self._count_tokens)
        if not self.halves or pieces.total_tokens < LEAST_ANSWER_TOKENS:
            return []
        overlap = min(self.usage.sizes.overlap_tokens, pieces.total_tokens // 2)
        halves = cut_windows(pieces, window_tokens=(pieces.total_tokens + overlap) // 2 + 1, overlap_tokens=overlap)
        moved = [Window(pending.window.start + half.start, pending.window.start + half.end) for half in halves]
        return [_pending(pending.article, source, half, pending.types) for half in moved if half != pending.window]

    def _extraction(self, source: Source, answers: Sequence[RawAnswer], seconds: float, halved: int) -> Extraction:
        parsed = [parse_answer(answer.raw, answer.pending.types) for answer in answers]
        found: list[tuple[Window, Sequence[Observable]]] = [
            (answer.pending.window, each.observables) for answer, each in zip(answers, parsed, strict=True)
        ]
        return Extraction(
            observables=merge_windows(source.text, found),
            windows=tuple(_window_answer(answer, each) for answer, each in zip(answers, parsed, strict=True)),
            seconds=seconds,
            source_url=source.source_url,
            requested_types=tuple(source.types or self.usage.types),
            halved=halved,
        )


def plain_usage(text_format: Format = "messages") -> AgentUsage:
    """Choose how a model is asked that was not trained here and that nobody says more about."""
    return AgentUsage(text_format, "full-v1", _PLAIN_TYPES, _PLAIN_SIZES)


def _pending(article: int, source: Source, window: Window, types: tuple[str, ...]) -> PendingWindow:
    return PendingWindow(article, window, types, source.text[window.start : window.end])


def _window_answer(answer: RawAnswer, parsed: ParsedAnswer) -> WindowAnswer:
    return WindowAnswer(
        start=answer.pending.window.start,
        end=answer.pending.window.end,
        raw=answer.raw,
        json_parsed=parsed.json_parsed,
        schema_valid=parsed.schema_valid,
        stopped_by_length=answer.stopped_by_length,
        duplicates=parsed.duplicates,
        prompt_tokens=answer.prompt_tokens,
        answer_tokens=answer.tokens,
        error=answer.error,
        items=answer.items,
        leaning=answer.leaning,
    )
