"""Candidates of an article: what several origins found in it, merged by value, with the places where each stands."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ctiforge.observables.locate import Locator, Occurrence
from ctiforge.observables.values import normalize
from ctiforge.records.labeling_page import CandidateOrigin, OriginKind, PageCandidate
from ctiforge.records.observable import TYPES, Observable

MOST_PLACES = 50
"""Places of one candidate that are marked."""
_AS_SAID: frozenset[OriginKind] = frozenset({"own", "person"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What one person, model or rule found in an article."""

    kind: OriginKind
    """Who: the person who labels now, another one, a model, or a rule."""
    name: str
    """What the page calls it; another person has no name there."""
    observables: tuple[Observable, ...]
    """What it found."""
    looked_for: tuple[str, ...] = ()
    """Types that it is known to have looked for, also where it found none."""


@dataclass(slots=True)
class TextPlaces:
    """The places of observables in one text, each looked for once."""

    locator: Locator
    """Of the text."""
    _known: dict[tuple[str, str], list[Occurrence]] = field(default_factory=dict)

    def of(self, observable: Observable) -> list[Occurrence]:
        """Find where an observable stands.

        Args:
            observable: The observable.

        Returns:
            Its places; empty where there is none.
        """
        asked = observable.type, observable.value
        if asked not in self._known:
            self._known[asked] = self.locator.locate(*asked)
        return self._known[asked]


def merge_candidates(places: TextPlaces, origins: Iterable[Origin]) -> list[PageCandidate]:
    """Put together what several origins found, each value once.

    Args:
        places: The article's text.
        origins: Who found what; of two spellings the first one's counts, so the person who labels comes first.

    Returns:
        The candidates of known types, by type and in order of appearance; what stands nowhere comes last in its type.
    """
    merged: dict[str, PageCandidate] = {}
    in_units = _utf16(places.locator.text)
    for origin in origins:
        who = CandidateOrigin(kind=origin.kind, name=origin.name)
        for each in origin.observables:
            if each.type not in TYPES or not each.value.strip():
                continue
            found = places.of(each)
            value = each.value
            if found and origin.kind not in _AS_SAID:
                value = places.locator.as_written(each.type, found[0])
            key = candidate_key(each.type, value)
            known = merged.get(key)
            if known is None:
                spans = {(in_units(s.start), in_units(s.end)) for place in found[:MOST_PLACES] for s in place.spans}
                merged[key] = PageCandidate(
                    key=key,
                    type=each.type,
                    value=value,
                    platform=each.platform,
                    origins=(who,),
                    spans=tuple(sorted(spans)),
                )
            else:
                origins_now = known.origins if who in known.origins else (*known.origins, who)
                update = {"origins": origins_now, "platform": known.platform or each.platform}
                merged[key] = known.model_copy(update=update)
    return sorted(merged.values(), key=_place)


def candidate_key(type_: str, value: str) -> str:
    """Name what two spellings of one observable share.

    Args:
        type_: The observable's type.
        value: Its value.

    Returns:
        The key.
    """
    return f"{type_}\n{normalize(type_, value)}"


def _place(candidate: PageCandidate) -> tuple[int, bool, int]:
    start = candidate.spans[0][0] if candidate.spans else 0
    return TYPES.index(candidate.type), not candidate.spans, start


def _utf16(text: str) -> Callable[[int], int]:
    """Turn places in a text into those that a browser counts, where some characters are two units."""
    wide = [] if text.isascii() else [at for at, char in enumerate(text) if char > "\uffff"]
    return lambda at: at + bisect_left(wide, at)
