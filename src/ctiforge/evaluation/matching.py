"""One-to-one matching of what was expected in an article with what was predicted for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctiforge.observables import Observable
from ctiforge.observables.values import normalise, strict


@dataclass(frozen=True)
class Match:
    """One item, found (both sides), missed (expected only) or wrong (predicted only)."""

    type: str
    key: str
    """The value's normalised key, which both sides share."""
    expected: Observable | None
    predicted: Observable | None
    exact: bool = False
    """Found, and equal at the strict tier too."""


def match(expected: Sequence[Observable], predicted: Sequence[Observable]) -> list[Match]:
    """Match at the normalised tier, and say which matches hold at the strict tier too.

    Both sides count once per (type, normalised key), as the application merges them, so a matching by
    key is one-to-one and the tiers are nested: whatever is exact is found. Of several spellings of one
    key an exactly equal pair is taken where there is one. In order of what was expected, then what is wrong.
    """
    wanted, given = _by_key(expected), _by_key(predicted)
    found_or_missed = [_pair(type, key, items, given.get((type, key), [])) for (type, key), items in wanted.items()]
    wrong = [_pair(type, key, [], items) for (type, key), items in given.items() if (type, key) not in wanted]
    return found_or_missed + wrong


def _by_key(observables: Sequence[Observable]) -> dict[tuple[str, str], list[Observable]]:
    groups: dict[tuple[str, str], list[Observable]] = {}
    for item in observables:
        groups.setdefault((item.type, normalise(item.type, item.value)), []).append(item)
    return groups


def _pair(type: str, key: str, expected: list[Observable], predicted: list[Observable]) -> Match:
    for one in expected:
        for other in predicted:
            if strict(type, one.value) == strict(type, other.value):
                return Match(type, key, one, other, exact=True)
    return Match(type, key, next(iter(expected), None), next(iter(predicted), None))
