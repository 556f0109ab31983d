"""Asks a model its canary: the windows that it answered in its evaluation must be answered alike."""

from ctiforge.extract.answering.extraction import Extractor
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
