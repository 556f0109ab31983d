"""The canary of a version: a few windows of the test set with the answers of its evaluation."""

from collections.abc import Iterable, Sequence

from ctiforge.records.answer import KeptAnswer
from ctiforge.records.article import ArticleRecord
from ctiforge.records.canary import Canary, CanaryWindow
from ctiforge.records.evaluation import TestSetInfo
from ctiforge.store.objects import ObjectStore

WINDOWS = 5
"""How many windows are kept, at most."""


def choose_canary(
    answers: Iterable[KeptAnswer], test_set: TestSetInfo, articles: Sequence[ArticleRecord]
) -> Canary | None:
    """Choose the shortest windows that were answered, each with another answer.

    Args:
        answers: What is kept beside the evaluation, a window each.
        test_set: The test set.
        articles: The articles of it.

    Returns:
        The canary; None where no answers were kept.
    """
    texts = {article.id: article.content for article in articles}
    whole = [each for each in answers if each.article_id in texts and not _is_broken(each)]
    chosen: dict[str, CanaryWindow] = {}
    for each in sorted(whole, key=lambda each: (each.end - each.start, each.article_id, each.start)):
        found = CanaryWindow(
            article_id=each.article_id,
            start=each.start,
            end=each.end,
            window=texts[each.article_id][each.start : each.end],
            types=each.types,
            answer=each.raw,
        )
        if len(chosen) < WINDOWS:
            chosen.setdefault(found.answer, found)
    return Canary(test_set=test_set, windows=tuple(chosen.values())) if chosen else None


def keep_canary(store: ObjectStore, line: str, content: str, canary: Canary) -> None:
    """Keep a model's canary; the first one stands.

    Args:
        store: The store of the registry.
        line: The line's name.
        content: The model's content hash.
        canary: The canary.
    """
    store.write_new(_key(line, content), canary.to_json().encode())


def read_canary(store: ObjectStore, line: str, content: str) -> Canary | None:
    """Read a model's canary.

    Args:
        store: The store of the registry.
        line: The line's name.
        content: The model's content hash.

    Returns:
        The canary; None where none is kept.
    """
    key = _key(line, content)
    try:
        return Canary.parse(store.read(key), f"{store.uri}/{key}")
    except FileNotFoundError:
        return None


def _is_broken(answer: KeptAnswer) -> bool:
    return bool(answer.error or answer.cut or answer.stopped_by_length)


def _key(line: str, content: str) -> str:
    return f"models/{line}/canaries/{content}.json"
