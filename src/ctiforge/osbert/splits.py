"""Articles into training, validation and test parts, each with its share of every class."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ctiforge.records.article import OS_LABELS
from ctiforge.records.os_article import LabeledArticle


@dataclass(frozen=True)
class Parts:
    """What is trained on, what training is watched on, and what the labeler's agreement is measured on."""

    train: tuple[LabeledArticle, ...]
    validation: tuple[LabeledArticle, ...]
    test: tuple[LabeledArticle, ...]


def balance(articles: Sequence[LabeledArticle], most: int, seed: int) -> list[LabeledArticle]:
    """Choose at most so many articles of each class, chosen by a seeded hash of their content."""
    return [article for label in OS_LABELS for article in _of_class(articles, label, seed)[:most]]


def split(articles: Sequence[LabeledArticle], validation_share: float, test_share: float, seed: int) -> Parts:
    """Split each class by its shares, rounded; which article goes where depends on the seed and its content alone.

    Articles of one title stay together, as the parts of a series: a part then has some more. Where a class has three
    articles or more, validation gets at least one of them.
    """
    train: list[LabeledArticle] = []
    validation: list[LabeledArticle] = []
    test: list[LabeledArticle] = []
    for label in OS_LABELS:
        ordered = _together(_of_class(articles, label, seed))
        for_test = round(len(ordered) * test_share)
        for_validation = max(round(len(ordered) * validation_share), int(len(ordered) > 2 and validation_share > 0))
        first = _end_of_title(ordered, for_test)
        second = _end_of_title(ordered, first + for_validation)
        test += ordered[:first]
        validation += ordered[first:second]
        train += ordered[second:]
    return Parts(_in_order(train), _in_order(validation), _in_order(test))


def _of_class(articles: Sequence[LabeledArticle], label: str, seed: int) -> list[LabeledArticle]:
    chosen = [article for article in articles if article.label == label]
    return sorted(chosen, key=lambda article: hashlib.sha256(f"{seed}:{article.content_hash}".encode()).digest())


def _together(articles: Sequence[LabeledArticle]) -> list[LabeledArticle]:
    """Move articles up to the first of their title; one without a title stands alone."""
    titles: dict[str, list[LabeledArticle]] = {}
    for article in articles:
        titles.setdefault(article.title or article.content_hash, []).append(article)
    return [article for each in titles.values() for article in each]


def _end_of_title(articles: Sequence[LabeledArticle], at: int) -> int:
    """Find the next place, from `at` on, that parts no articles of one title."""
    while 0 < at < len(articles) and articles[at].title and articles[at].title == articles[at - 1].title:
        at += 1
    return at


def _in_order(articles: Sequence[LabeledArticle]) -> tuple[LabeledArticle, ...]:
    return tuple(sorted(articles, key=lambda article: article.content_hash))
