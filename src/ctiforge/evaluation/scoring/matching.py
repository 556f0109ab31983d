"""One-to-one matching of what was expected in an article with what was predicted for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ctiforge.evaluation.scoring.nearness import nearness
from ctiforge.evaluation.scoring.pairing import pair_up
from ctiforge.observables.values import normalize, strict
from ctiforge.records.observable import Observable


@dataclass(frozen=True)
class Match:
    """One item, found (both sides), missed (expected only) or wrong (predicted only)."""

    type: str
    key: str
    """The value's normalized key, which both sides share."""
    expected: Observable | None
    predicted: Observable | None
    exact: bool = False
    """Found, and equal at the strict tier too."""
    near: Observable | None = None
    """Of a missed item the wrong one that gives it in part; of that wrong one the missed."""


def match(expected: Sequence[Observable], predicted: Sequence[Observable]) -> list[Match]:
    """Match at the normalized tier; say which matches are strict too, and what was found in part alone.

    Both sides count once per (type, normalized key), as the application merges them, so a matching by
    key is one-to-one and the tiers are nested: whatever is exact is found, and only what is not found
    can be found in part. Of several spellings of one key an exactly equal pair is taken where there is
    one. What is missed and what is wrong are then paired one-to-one within their type where one gives the
    other in part (`nearness`): as many pairs as can be, of those the ones that share most words.

    Args:
        expected: What should be found in an article.
        predicted: What was found in it.

    Returns:
        The items in order of what was expected, then what is wrong.
    """
    wanted, given = _by_key(expected), _by_key(predicted)
    found_or_missed = [_pair(type_, key, items, given.get((type_, key), [])) for (type_, key), items in wanted.items()]
    wrong = [_pair(type_, key, [], items) for (type_, key), items in given.items() if (type_, key) not in wanted]
    partners = _partners([each for each in found_or_missed if not each.predicted], wrong)
    return [_with_partner(each, partners) for each in found_or_missed + wrong]


def _by_key(observables: Sequence[Observable]) -> dict[tuple[str, str], list[Observable]]:
    groups: dict[tuple[str, str], list[Observable]] = {}
    for item in observables:
        groups.setdefault((item.type, normalize(item.type, item.value)), []).append(item)
    return groups


def _pair(type_: str, key: str, expected: list[Observable], predicted: list[Observable]) -> Match:
    for one in expected:
        for other in predicted:
            if strict(type_, one.value) == strict(type_, other.value):
                return Match(type_, key, one, other, exact=True)
    return Match(type_, key, next(iter(expected), None), next(iter(predicted), None))


def _partners(missed: Sequence[Match], wrong: Sequence[Match]) -> Mapping[tuple[str, str, bool], Observable]:
    """Pair the wrong with the missed, by type, key and whether it is the missed side; each item in one pair at most."""
    partners: dict[tuple[str, str, bool], Observable] = {}
    for type_ in sorted({each.type for each in missed} & {each.type for each in wrong}):
        ours, theirs = (
            sorted((each for each in side if each.type == type_), key=lambda each: each.key) for side in (missed, wrong)
        )
        near = nearness(type_, [each.key for each in ours], [each.key for each in theirs])
        for row, column in pair_up(near).items():
            one, other = ours[row], theirs[column]
            if one.expected and other.predicted:
                partners[type_, one.key, True] = other.predicted
                partners[type_, other.key, False] = one.expected
    return partners


def _with_partner(each: Match, partners: Mapping[tuple[str, str, bool], Observable]) -> Match:
    near = partners.get((each.type, each.key, each.predicted is None))
    return replace(each, near=near) if near else each
