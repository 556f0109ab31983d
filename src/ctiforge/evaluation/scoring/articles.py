"""The score of one article: what was found, missed and wrong, type by labeled type."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ctiforge.evaluation.scoring.matching import Match, match
from ctiforge.observables.locate import Locator
from ctiforge.observables.values import normalize
from ctiforge.records.evaluation import Answers, ArticleScore, Grounding, ItemOutcome, ScoredItem, TypeCounts
from ctiforge.records.observable import Observable

ALTERED_FROM = 0.5
"""Share of a value's five-character pieces that stand in the article, from which on it counts as altered."""


@dataclass(frozen=True)
class ArticleCase:
    """One article of a test set with what an extractor found in it."""

    id: str
    """The article's id."""
    text: str
    """Its content."""
    expected: Sequence[Observable]
    """What the annotator found."""
    predicted: Sequence[Observable]
    """What the extractor found."""
    labelled_types: Sequence[str]
    """The types that somebody labeled: only these are scored."""
    answers: Answers = field(default_factory=Answers)
    """What the windows cost and how sound their raw answers were."""
    tags: dict[str, str] = field(default_factory=dict)
    """Labels that figures are broken down by, as in `length` → `long`."""
    title: str = ""
    """Its title."""
    url: str | None = None
    """Its page, None where nobody knows it."""
    error: str | None = None
    """Why the extractor gave nothing, where it failed on this article."""


def score_article(case: ArticleCase, trained_on: frozenset[tuple[str, str]] | None = None) -> ArticleScore:
    """Score one article on its labeled types alone.

    Args:
        case: The article, its truth and what was extracted.
        trained_on: (type, normalized key) of every value seen in training; None where nobody knows.

    Returns:
        Counts by type, and every item as found, missed or wrong.
    """
    labeled = tuple(dict.fromkeys(case.labelled_types))
    expected = [item for item in case.expected if item.type in labeled]
    predicted = [item for item in case.predicted if item.type in labeled]
    locator = Locator(case.text)
    items = tuple(_scored(each, locator, trained_on) for each in match(expected, predicted))
    return ArticleScore(
        id=case.id,
        title=case.title,
        url=case.url,
        tags=case.tags,
        counts={type_: _count([item for item in items if item.type == type_]) for type_ in labeled},
        items=items,
        expected_observables=len(expected),
        predicted_observables=len(predicted),
        answers=case.answers,
        error=case.error,
    )


def training_keys(observables: Sequence[Observable]) -> frozenset[tuple[str, str]]:
    """Collect the keys of the values that a model was trained on, as `score_article` wants to know them.

    Args:
        observables: The observables of the training articles.

    Returns:
        (type, normalized key) of each, once.
    """
    return frozenset((item.type, normalize(item.type, item.value)) for item in observables)


def ground(locator: Locator, type_: str, value: str) -> Grounding:
    """Tell whether a value stands in the article; if not, whether it was altered from something that does.

    A value that cannot be located is altered where at least `ALTERED_FROM` of its five-character pieces
    (white space, case and spelling variants folded) stand in the article, of a lineage where at least one
    of the two names does; anything else is invented.
    """
    if locator.stands(type_, value):
        return "located"
    return "altered" if locator.share_standing(type_, value) >= ALTERED_FROM else "invented"


_OBFUSCATION = re.compile(
    r"\w\^\w|\w`\w|[\"']\s*\+\s*[\"']|\$\{?\w+\}?\[\d+\]"  # c^md, i`ex, 'po'+'wer', $env[4]
    r"|%\w+:~-?\d+|![\w]+!|\[char\]|-f\s*['\"]|FromBase64String"  # %x:~3,1%, !x!, [char]105
    r"|-(?:e|ec|en|enc|enco\w*)\s+['\"]?[A-Za-z0-9+/]{16,}"
    r"|hxxp|fxp:|\[\.\]|\[:\]|\(\.\)|\[dot\]|\(dot\)",
    re.IGNORECASE,
)


def is_obfuscated(value: str) -> bool:
    """Tell whether a value hides what it says: split or escaped words, substrings of variables, Base64, defanging."""
    return _OBFUSCATION.search(value) is not None


def _scored(each: Match, locator: Locator, trained_on: frozenset[tuple[str, str]] | None) -> ScoredItem:
    expected, predicted = each.expected, each.predicted
    written = expected or predicted
    assert written is not None
    outcome: ItemOutcome = "missed" if not predicted else "wrong" if not expected else "found"
    grounding = ground(locator, predicted.type, predicted.value) if predicted else None
    stands = predicted is None or grounding == "located"
    return ScoredItem(
        type=each.type,
        outcome=outcome,
        expected=expected.value if expected else None,
        predicted=predicted.value if predicted else None,
        exact=each.exact,
        grounding=grounding,
        nearest=None if stands or not predicted else locator.nearest(predicted.type, predicted.value),
        near=each.near.value if each.near else None,
        unseen=None if trained_on is None else (each.type, each.key) not in trained_on,
        obfuscated=is_obfuscated(written.value),
        platform_expected=expected.platform if expected else None,
        platform_predicted=predicted.platform if predicted else None,
    )


def _count(items: Sequence[ScoredItem]) -> TypeCounts:
    found, missed, wrong = (sum(item.outcome == outcome for item in items) for outcome in ("found", "missed", "wrong"))
    return TypeCounts(expected=found + missed, predicted=found + wrong, found=found, missed=missed, wrong=wrong)
