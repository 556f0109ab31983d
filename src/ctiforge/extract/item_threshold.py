"""Sets the threshold of an item: the bias of that one choice with which validation articles are answered best.

Training shows more windows with an item than an article has, and greedy decoding inherits that share; the order in
which a model puts windows may be good where the place at which it parts them is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from ctiforge.evaluation.scoring.matching import match
from ctiforge.evaluation.statistics import Floats, estimate, f1, leave_one_out
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.extraction import Source
from ctiforge.extract.answering.item_choice import ALWAYS
from ctiforge.extract.answering.merging import merge_windows
from ctiforge.extract.answering.windowed import PendingWindow
from ctiforge.extract.choice_quality import WindowLeaning, choice_quality, window_leanings
from ctiforge.extract.prompts.answers import parse_answer
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable
from ctiforge.records.training import ItemThreshold
from ctiforge.training.windows import Window

LEAST_ITEMS = 30
"""Items in validation below which it is too small to tell a threshold by."""
LEAST_ARTICLES = 5
"""Articles with an item, likewise."""
MOST_WINDOWS = 256
"""Windows whose items are written out, those that lean most to one: the others stay empty at every threshold."""
JUDGED_WINDOWS = 96
"""Windows of the articles that a model is judged by during training, about: each look writes an answer to all."""
# How sure it must be, one-sided, that a bias is better than none.
_LEVEL = 0.95
# A gain below this is none, however sure: at a threshold that was looked for.
_LEAST_GAIN = 0.01
_DIGITS = 4


@dataclass(frozen=True)
class JudgedWindow:
    """A window of a validation article, and what the model would make of it."""

    article: int
    """The article's number."""
    window: Window
    """Where it lies."""
    leaning: float
    """The log-odds of an item, natural logarithm."""
    items: tuple[Observable, ...]
    """What the model finds where it goes on to an item; empty where nobody asked."""


def set_threshold(agent: ExtractAgent, articles: Sequence[ArticleRecord]) -> ItemThreshold:
    """Ask a model about every window of the validation articles, and set the threshold by F1.

    Args:
        agent: The model, without a bias.
        articles: Validation articles, whole, as the model will meet articles.

    Returns:
        The bias, with what it changes; none where validation is too small to tell, or nothing is better.
    """
    labeled = [each for each in articles if each.labelled_types and each.content.strip()]
    waiting = [
        pending
        for index, record in enumerate(labeled)
        for pending in agent.windows_of(index, Source(record.content, record.labelled_types))
    ]
    print(f"setting the threshold of an item: {len(waiting)} windows of {len(labeled)} validation articles", flush=True)
    leanings = agent.leanings(waiting)
    quality = choice_quality(_with_types(labeled, waiting, leanings))
    items = sum(each.type in record.labelled_types for record in labeled for each in record.observables)
    holding = sum(any(each.type in record.labelled_types for each in record.observables) for record in labeled)
    if items < LEAST_ITEMS or holding < LEAST_ARTICLES:
        why = f"{items} items in {holding} validation articles: {LEAST_ITEMS} in {LEAST_ARTICLES} are needed to tell"
        return ItemThreshold(quality=quality, articles=len(labeled), why_none=why)
    if quality.auc is None:
        why = "there are no windows with an item and windows without one to tell apart"
        return ItemThreshold(quality=quality, articles=len(labeled), why_none=why)
    judged = _judged(agent, waiting, leanings)
    bias, before, after, sure = choose_bias(labeled, judged)
    if not sure:
        return ItemThreshold(
            quality=quality, articles=len(labeled), f1_without=before, f1=before, why_none="none is surely better"
        )
    return ItemThreshold(quality=quality, articles=len(labeled), bias=bias, f1_without=before, f1=after)


def some_articles(agent: ExtractAgent, articles: Sequence[ArticleRecord]) -> list[ArticleRecord]:
    """Choose the articles that a model is judged by while it is trained: the first ones, up to `JUDGED_WINDOWS`.

    Args:
        agent: The model, which knows its windows.
        articles: Validation articles.

    Returns:
        At least one labeled article, where there is one.
    """
    chosen, windows = list[ArticleRecord](), 0
    for record in articles:
        if not record.labelled_types or not record.content.strip():
            continue
        windows += len(agent.plan(Source(record.content, record.labelled_types)))
        if chosen and windows > JUDGED_WINDOWS:
            break
        chosen.append(record)
    return chosen


def micro_f1(agent: ExtractAgent, articles: Sequence[ArticleRecord], heed: Callable[[], object]) -> float:
    """Compute F1 of a model's answers over articles, as the product asks and matches.

    Args:
        agent: The model.
        articles: Labeled articles.
        heed: Called with each token that is written; a CtiforgeError that it raises is let through.

    Returns:
        2 found / (expected + predicted), 0 to 1; 0 where there is neither.
    """
    sources = [Source(each.content, each.labelled_types, each.url) for each in articles]
    found = agent.heeding(heed).extract_many(sources)
    return _f1(np.array([_counts(each, got.observables) for each, got in zip(articles, found, strict=True)]))


def choose_bias(articles: Sequence[ArticleRecord], windows: Sequence[JudgedWindow]) -> tuple[float, float, float, bool]:
    """Choose the bias whose answers have the best F1, over all articles together.

    Args:
        articles: The labeled articles.
        windows: Their windows, each with what it would give.

    Returns:
        The bias; F1 without one; F1 with it; whether it is better: by 0.01 or more, and by the jackknife over articles,
        one-sided at 0.95.
        Of equal ones the bias nearest to 0.
    """
    of_article = [[each for each in windows if each.article == index] for index in range(len(articles))]

    @cache
    def counted(index: int, opened: frozenset[int]) -> tuple[int, int, int]:
        found = [(each.window, each.items if at in opened else ()) for at, each in enumerate(of_article[index])]
        return _counts(articles[index], merge_windows(articles[index].content, found))

    def counts(bias: float) -> Floats:
        opened = [
            frozenset(at for at, each in enumerate(some) if each.leaning + bias > 0 and each.items)
            for some in of_article
        ]
        return np.array([counted(index, each) for index, each in enumerate(opened)], dtype=float)

    tried = {bias: counts(bias) for bias in sorted(_candidates(windows), key=abs)}
    figures = {bias: _f1(each) for bias, each in tried.items()}
    best = max(figures, key=figures.__getitem__)
    return best, round(figures[0.0], _DIGITS), round(figures[best], _DIGITS), _is_better(tried[best], tried[0.0])


def _with_types(
    articles: Sequence[ArticleRecord], waiting: Sequence[PendingWindow], leanings: Sequence[float | None]
) -> list[WindowLeaning]:
    found = list[WindowLeaning]()
    for index, record in enumerate(articles):
        pairs = zip(waiting, leanings, strict=True)
        of_article = [(pending.window, leaning) for pending, leaning in pairs if pending.article == index]
        spans = [(window.start, window.end) for window, _ in of_article]
        found += window_leanings(record, spans, [leaning for _, leaning in of_article])
    return found


def _judged(
    agent: ExtractAgent, waiting: Sequence[PendingWindow], leanings: Sequence[float | None]
) -> list[JudgedWindow]:
    """Let the model go on to an item in the windows that lean most to one."""
    known = [(pending, each) for pending, each in zip(waiting, leanings, strict=True) if each is not None]
    known.sort(key=lambda each: -each[1])
    asked = [pending for pending, _ in known[:MOST_WINDOWS]]
    opened = agent.with_bias(ALWAYS)
    found = {each.pending: parse_answer(each.raw, each.pending.types).observables for each in opened.generate(asked)}
    return [
        JudgedWindow(pending.article, pending.window, leaning, tuple(found.get(pending, ())))
        for pending, leaning in known
    ]


def _candidates(windows: Sequence[JudgedWindow]) -> list[float]:
    """List biases that open different windows, 0 among them: halfway between two neighboring leanings."""
    leanings = sorted({each.leaning for each in windows if each.items})
    between = [-(one + other) / 2 for one, other in pairwise(leanings)]
    return [0.0, *(round(each, _DIGITS) for each in between)]


def _counts(record: ArticleRecord, found: Sequence[Observable]) -> tuple[int, int, int]:
    """Count what is found, expected and predicted in one article, as evaluation does."""
    expected = [each for each in record.observables if each.type in record.labelled_types]
    predicted = [each for each in found if each.type in record.labelled_types]
    matches = match(expected, predicted)
    both = sum(each.expected is not None and each.predicted is not None for each in matches)
    return both, sum(each.expected is not None for each in matches), sum(each.predicted is not None for each in matches)


def _f1(counts: Floats) -> float:
    found, expected, predicted = counts.sum(axis=0)
    return float(2 * found / max(1, expected + predicted))


def _is_better(ours: Floats, theirs: Floats) -> bool:
    draws = leave_one_out(len(ours))
    gain = f1(*(draws @ ours).T) - f1(*(draws @ theirs).T)
    return bool(gain[0] >= _LEAST_GAIN and estimate(gain, ours[:, 1] + ours[:, 2]).low(_LEVEL) > 0)
