"""Asks a model its canary: the windows that it answered in its evaluation must be answered alike."""

from collections import Counter

from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.prompts.answers import parse_answer
from ctiforge.records.canary import Canary


def changed_answers(canary: Canary, extractor: Extractor) -> list[str]:
    """Ask about each window of a canary.

    Args:
        canary: The windows, and what was answered in the evaluation.
        extractor: The model as it is loaded now.

    Returns:
        One line for each window that is answered otherwise; empty where all are answered to the letter.
    """
    changed = []
    for each in canary.windows:
        answers = [window.raw for window in extractor.extract(each.window, each.types).windows]
        if answers != [each.answer]:
            changed.append(f"article {each.article_id}, characters {each.start} to {each.end}: another answer")
    return changed


def share_alike(canary: Canary, extractor: Extractor) -> float:
    """Ask about each window of a canary, and count its items, by type and value.

    Other hardware may round otherwise, so that now and then an item differs and the model is still the same.

    Args:
        canary: The windows, and what was answered in the evaluation.
        extractor: The model as it is loaded now.

    Returns:
        Items that were given then and now, as a share of those that were given then or now, 0 to 1; a window without
        any then and now counts as one item.
    """
    alike = every = 0
    for each in canary.windows:
        then = _items(each.answer, each.types)
        now: Counter[tuple[str, str]] = Counter()
        windows = extractor.extract(each.window, each.types).windows
        for window in windows:
            now |= _items(window.raw, each.types)
        failed = not windows or any(window.error for window in windows)
        alike += (then & now).total() or int(not then and not now and not failed)
        every += (then | now).total() or 1
    return alike / every if every else 1.0


def _items(answer: str, types: tuple[str, ...]) -> Counter[tuple[str, str]]:
    return Counter((each.type, each.value) for each in parse_answer(answer, types).observables)
