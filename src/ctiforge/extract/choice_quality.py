"""How well a model tells windows with an item from windows without, over the windows of labeled articles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctiforge.observables.locate import Locator
from ctiforge.records.answer import ChoiceQuality
from ctiforge.records.article import ArticleRecord

LEAST_WINDOWS = 10
"""Windows with an item of a type, and windows without any, below which that type has no figure of its own."""
_DIGITS = 4


@dataclass(frozen=True)
class WindowLeaning:
    """One window: how much the model leans to an item, and of which types there are some."""

    leaning: float
    """The log-odds of an item, natural logarithm."""
    types: frozenset[str]
    """The types of the labeled items that stand whole in it."""


def types_in(record: ArticleRecord, spans: Sequence[tuple[int, int]]) -> list[frozenset[str]]:
    """Find for each window of an article of which types items stand whole in it.

    Args:
        record: The article with its labels.
        spans: First and one past the last character of each window.

    Returns:
        The types, window by window; items that stand nowhere are in none.
    """
    locator = Locator(record.content)
    places = [
        (item.type, occurrence.start, occurrence.end)
        for item in record.observables
        if item.type in record.labelled_types
        for occurrence in locator.locate(item.type, item.value)
    ]
    return [frozenset(name for name, first, last in places if start <= first and last <= end) for start, end in spans]


def window_leanings(
    record: ArticleRecord, spans: Sequence[tuple[int, int]], leanings: Sequence[float | None]
) -> list[WindowLeaning]:
    """Pair how much a model leans to an item in each window of an article with what stands there.

    Args:
        record: The article with its labels.
        spans: First and one past the last character of each window.
        leanings: The log-odds of each; None where nobody knows it.

    Returns:
        The windows of which it is known.
    """
    pairs = zip(leanings, types_in(record, spans), strict=True)
    return [WindowLeaning(leaning, held) for leaning, held in pairs if leaning is not None]


def choice_quality(windows: Iterable[WindowLeaning]) -> ChoiceQuality:
    """Compute the area under the ROC curve of the choice, over all windows and by type.

    Args:
        windows: Those of which a leaning is known.

    Returns:
        The figures; a type has one where `LEAST_WINDOWS` hold an item of it and as many hold none of any.
    """
    known = list(windows)
    without = [each.leaning for each in known if not each.types]
    types = sorted({name for each in known for name in each.types})
    with_type = {name: [each.leaning for each in known if name in each.types] for name in types}
    enough = {name: some for name, some in with_type.items() if min(len(some), len(without)) >= LEAST_WINDOWS}
    return ChoiceQuality(
        windows=len(known),
        with_item=len(known) - len(without),
        auc=_auc([each.leaning for each in known if each.types], without),
        by_type={name: share for name, some in enough.items() if (share := _auc(some, without)) is not None},
    )


def _auc(with_item: Sequence[float], without: Sequence[float]) -> float | None:
    # only where a model has answered: the rules are judged without torch
    from ctiforge.training.choice import auc

    share = auc([(each, True) for each in with_item] + [(each, False) for each in without])
    return None if share is None else round(share, _DIGITS)
