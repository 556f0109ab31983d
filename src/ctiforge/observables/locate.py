"""Where an observable stands in an article: type-aware search that gives back characters of the original text.

A place counts by how the value stands there:

- *alone*: nothing beside it belongs to the same word, path, key, address or command;
- *inside something longer*: a command followed by a further switch, redirection or pipe (`net user`
  in `net user /domain`) or led in by another (`cmd /c …`), a key followed by a subkey, a host within
  a URL. Such places are taken only where the value stands nowhere alone;
- *not at all*: within a longer word or file name (`tasklist` in `tasklist.exe`, `mytasklist`), and a
  one-word command within a longer command or path.

A place has a status: exact; normalized (case, spelling, quotes, wraps); unwrapped (a command without what started it);
fuzzy (a few letters differ). Each is tried only where the one before finds nothing: a wrong place is worse than none.

A process's name may stand in a path and without its `.exe`; the two ends of a lineage may stand in
either order, `NEAR_LINEAGE` characters apart, or up to `FAR_LINEAGE` where no nearer pair exists.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from ctiforge.observables.bare import Bare, find_fuzzy, strip_bare, word_gaps
from ctiforge.observables.values import fold, lineage_names, lower, normalize, process_stem, unwrapped
from ctiforge.observables.wrappers import other_program_name, unwrapped_commands
from ctiforge.records.observable import ARROW

NEAR_LINEAGE = 120
"""Characters between parent and child that count as one statement."""
FAR_LINEAGE = 400
"""Characters between parent and child at most."""
REGISTRY_APART = 200
"""Characters between a registry key and its value's name at most."""

SHORTEST_BARE = 8
"""Letters that a value has at least to be found without regard to quotes and white space."""
LONG_BARE = 40
"""Letters that a value has at least to be found where the text runs its words together."""
PIECE = 5
"""Characters of the pieces by which a value is compared with a text that does not hold it whole."""


@dataclass(frozen=True)
class Span:
    """Characters of the original text."""

    start: int
    """The first character."""
    end: int
    """One past the last character."""


class Alignment(StrEnum):
    """How a value stands at a place of the text."""

    EXACT = "exact"
    NORMALIZED = "normalized"
    UNWRAPPED = "unwrapped"
    FUZZY = "fuzzy"


@dataclass(frozen=True)
class Occurrence:
    """One place of an observable: one span; two for a lineage (parent, child) or a key and its value's name apart."""

    spans: tuple[Span, ...]
    """One span; two, (parent, child) or (key, name of a value), where the parts stand apart."""
    status: Alignment = field(default=Alignment.NORMALIZED, compare=False)
    """How the value stands there."""
    distance: int = field(default=0, compare=False)
    """Letters that were added, left out or changed; 0 but for a fuzzy place."""

    @property
    def start(self) -> int:
        """Find the first character that any span covers."""
        return min(span.start for span in self.spans)

    @property
    def end(self) -> int:
        """Find one past the last character that any span covers."""
        return max(span.end for span in self.spans)


class Locator:
    """Finds observables in one text, which is indexed once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._folded = fold(text)
        self._search = lower(self._folded.text)
        self._bares: dict[bool, Bare] = {}

    def locate(self, type_: str, value: str) -> list[Occurrence]:
        """Find every place of an observable in the text.

        Args:
            type_: The observable's type.
            value: Its value.

        Returns:
            The places in order of appearance, those where it stands alone if there are any; empty where there is none.
        """
        spelled = self._locate_spelled(type_, value)
        if spelled or type_ == "process_lineage":
            return spelled
        other = other_program_name(value) if type_ == "cmdline" else None
        # where the case of an address was lost it is another value, and the same place
        spans = self._locate_value(type_, value, caseless=True) or self._locate_bare(type_, value)
        spans = spans or (self._locate_bare(type_, other) if other else [])
        if spans:
            return [Occurrence((span,)) for span in spans]
        for inner in unwrapped_commands(value) if type_ == "cmdline" else ():
            spans = self._locate_value(type_, inner) or self._locate_bare(type_, inner)
            if spans:
                return [Occurrence((span,), Alignment.UNWRAPPED) for span in spans]
        return self._locate_fuzzy(type_, value)

    def stands(self, type_: str, value: str) -> bool:
        """Tell whether an observable stands in the text as it is, but for its spelling (see `normalize`).

        Args:
            type_: The observable's type.
            value: Its value.

        Returns:
            False also where `locate` finds what it was altered from.
        """
        return bool(self._locate_spelled(type_, value))

    def as_written(self, type_: str, occurrence: Occurrence) -> str:
        r"""Quote a place in the article's own spelling.

        Args:
            type_: The observable's type: it decides what joins two spans.
            occurrence: The place, as `locate` found it.

        Returns:
            The characters of its span; of two spans in their canonical join (`parent -> child`, `KEY\value name`).
        """
        parts = [self.text[span.start : span.end] for span in occurrence.spans]
        return ("\\" if type_ == "registry" else ARROW).join(parts)

    def share_standing(self, type_: str, value: str) -> float:
        """Compute the share of a value's pieces that stand in the text: how near to it something is written.

        The pieces are its runs of `PIECE` characters, folded and in lower case; of a lineage its names.

        Args:
            type_: The observable's type.
            value: Its value.

        Returns:
            0 to 1; 0 for a value without pieces.
        """
        if type_ == "process_lineage":
            names = lineage_names(value)
            return sum(bool(self._locate_process(name)) for name in names) / len(names) if names else 0.0
        pieces = _pieces(lower(normalize(type_, value)))
        return sum(piece in self._search for piece in pieces) / len(pieces) if pieces else 0.0

    def nearest(self, type_: str, value: str) -> str | None:
        """Find the passage that is most like a value (see `nearest_span`).

        Args:
            type_: The observable's type.
            value: Its value.

        Returns:
            The passage; None where no piece of the value stands anywhere.
        """
        span = self.nearest_span(type_, value)
        return self.text[span.start : span.end] if span else None

    def nearest_span(self, type_: str, value: str) -> Span | None:
        """Find the stretch that is most like a value: the one that holds most of its pieces, in whole words.

        Args:
            type_: The observable's type.
            value: Its value.

        Returns:
            The stretch, the first of several; of a lineage the first of its names that stands. None where no piece
            does.
        """
        if type_ == "process_lineage":
            return next((span for name in lineage_names(value) for span in self._locate_process(name)), None)
        key = lower(normalize(type_, value))
        places = sorted((at, piece) for piece in _pieces(key) for at in self._places(piece))
        first, last = _densest(places, len(key))
        if first == last:
            return None
        start = self._folded.starts[places[first][0]]
        end = self._folded.ends[places[last - 1][0] + len(places[last - 1][1]) - 1]
        return _whole_words(self.text, start, end)

    def _places(self, piece: str) -> Iterator[int]:
        at = self._search.find(piece)
        while at >= 0:
            yield at
            at = self._search.find(piece, at + 1)

    def _locate_spelled(self, type_: str, value: str) -> list[Occurrence]:
        if type_ == "process_lineage":
            return self._locate_lineage(value)
        spans = self._locate_value(type_, value)
        if spans or type_ != "registry":
            return [Occurrence((span,), self._status(value, span)) for span in spans]
        return self._locate_registry_apart(value)

    def _locate_value(self, type_: str, value: str, *, caseless: bool = False) -> list[Span]:
        def key_of(text: str) -> str:
            key = normalize(type_, text)
            return lower(key) if caseless else key

        key = key_of(value)
        for needle in _needles(type_, value):
            same = [span for span in self._find(needle) if key_of(self.text[span.start : span.end]) == key]
            if _is_plain_word(type_, value):
                # a service called Sense is not what "a sense of urgency" is about
                same = [span for span in same if self.text[span.start : span.end] == value]
            best = self._best_standing(type_, same)
            if best:
                return best
        return []

    def _best_standing(self, type_: str, spans: Sequence[Span]) -> list[Span]:
        """Keep the spans that stand best, none of those that do not stand at all."""
        placed = [(standing, span) for span in spans if (standing := _standing(type_, self.text, span))]
        best = max((standing for standing, _ in placed), default=None)
        return [span for standing, span in placed if standing == best]

    def _status(self, value: str, span: Span) -> Alignment:
        return Alignment.EXACT if self.text[span.start : span.end] == value.strip() else Alignment.NORMALIZED

    def _locate_bare(self, type_: str, value: str) -> list[Span]:
        """Find a value whatever quotes, wraps and escapes stand in it or in the text."""
        needle = strip_bare(value, registry=type_ == "registry")
        if len(needle.text) < SHORTEST_BARE:
            return []
        # words may run together in the text only where so much else is the same that it cannot be chance
        gaps = word_gaps(needle) if len(needle.text) < LONG_BARE else ()
        spans = [self._whole(Span(*place)) for place in self._bare(type_).find(needle, gaps)]
        return self._best_standing(type_, spans)

    def _locate_fuzzy(self, type_: str, value: str) -> list[Occurrence]:
        """Find the one place that differs from a value in a few letters."""
        found = find_fuzzy(self._bare(type_), strip_bare(value, registry=type_ == "registry"))
        spans = [(span, distance) for start, end, distance in found for span in [Span(start, end)]]
        best = [(span, distance) for span, distance in spans if _standing(type_, self.text, span)]
        return [Occurrence((span,), Alignment.FUZZY, distance) for span, distance in best[:1]]

    def _bare(self, type_: str) -> Bare:
        registry = type_ == "registry"
        if registry not in self._bares:
            self._bares[registry] = strip_bare(self._folded, registry=registry)
        return self._bares[registry]

    def _locate_registry_apart(self, value: str) -> list[Occurrence]:
        key, _, name = value.rstrip("\\").rpartition("\\")
        if not key.rstrip("\\") or not name:
            return []
        names = self._locate_value("services", name)
        pairs = [_nearest(span, names, REGISTRY_APART) for span in self._locate_value("registry", key)]
        return [Occurrence(pair) for pair in pairs if pair]

    def _locate_lineage(self, value: str) -> list[Occurrence]:
        names = lineage_names(value)
        if len(names) != 2:
            return []
        parents, children = (self._locate_process(name) for name in names)
        for gap in (NEAR_LINEAGE, FAR_LINEAGE):
            pairs = {pair for child in children if (pair := _nearest(child, parents, gap))}
            if pairs:
                found = [Occurrence((parent, child)) for child, parent in pairs]
                return sorted(found, key=lambda occurrence: (occurrence.start, occurrence.end))
        return []

    def _locate_process(self, name: str) -> list[Span]:
        stem = process_stem(name)
        spans = []
        for span in self._find(stem):
            if self.text[span.end : span.end + 4].lower() == ".exe":
                span = Span(span.start, span.end + 4)
            if _standing("process_lineage", self.text, span):
                spans.append(span)
        return spans

    def _find(self, needle: str) -> list[Span]:
        spans = []
        at = self._search.find(needle) if needle else -1
        while at >= 0:
            last = at + len(needle) - 1
            spans.append(self._whole(Span(self._folded.starts[at], self._folded.ends[last])))
            at = self._search.find(needle, last + 1)
        return spans

    def _whole(self, span: Span) -> Span:
        # the fold drops the brackets of <url>: a span that took in one takes in the other
        start, end = span.start, span.end
        opened, closed = self.text.rfind("<", start, end), self.text.find(">", start, end)
        if opened >= 0 and self.text[end : end + 1] == ">" and ">" not in self.text[opened:end]:
            end += 1
        if closed >= 0 and self.text[max(0, start - 1) : start] == "<" and "<" not in self.text[start:closed]:
            start -= 1
        return Span(start, end)


class _Standing(IntEnum):
    NOT = 0
    INSIDE = 1
    ALONE = 2


_LONG_WORD = 80
# Thai to Khmer, kana, Han, and Hangul, whose particles follow a name without a space
_NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)

_MORE_COMMAND = re.compile(r"[ \t]+(?:[/-]+\w|[|<>&])|[ \t]*(?:\|(?!\|)|>>?|&)")
_LED_IN = re.compile(r"(?:[/-][ck][ \t]+[\"']?|[|&>][ \t]*)$", re.IGNORECASE)
# not the backslash of an escaped quote
_PATH_GOES_ON = re.compile(r"\\+\w")
_MORE_ADDRESS = re.compile(r"/\S|:\d|\?\w")
_SENTENCE = re.compile(r"\.[A-Z][a-z]+\s")


def _pieces(key: str) -> set[str]:
    return {key[at : at + PIECE] for at in range(max(1, len(key) - PIECE + 1))} - {""}


def _densest(places: list[tuple[int, str]], width: int) -> tuple[int, int]:
    """Find the stretch, at most `width` long, with most distinct pieces; its bounds are indices in `places`."""
    best, most, start = (0, 0), 0, 0
    inside: Counter[str] = Counter()
    for end, (at, piece) in enumerate(places):
        inside[piece] += 1
        while at - places[start][0] > width:
            left = places[start][1]
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            start += 1
        if len(inside) > most:
            best, most = (start, end + 1), len(inside)
    return best


def _whole_words(text: str, start: int, end: int) -> Span:
    """Widen `start` to `end` by the rest of the words at both ends, as far as words usually go."""
    before = re.search(r"\S*\Z", text[max(0, start - _LONG_WORD) : start])
    after = re.match(r"\S*", text[end : end + _LONG_WORD])
    first = start - len(before[0]) if before else start
    last = end + len(after[0]) if after else end
    return Span(first, last)


def _needles(type_: str, value: str) -> list[str]:
    """List the folded strings to search for, the closest to `value` first."""
    whole = lower(unwrapped(fold(value).text))
    key = lower(normalize(type_, value))
    return [needle for needle in dict.fromkeys((whole, key)) if needle]


def _standing(type_: str, text: str, span: Span) -> _Standing:
    before, after = text[max(0, span.start - 40) : span.start], text[span.end : span.end + 40]
    if _joined(before[-1:], text[span.start]) or _joined(text[span.end - 1], after[:1]):
        return _Standing.NOT
    if _hyphened(before[::-1], text[span.start]) or _hyphened(after, text[span.end - 1]):
        return _Standing.INSIDE if _SENTENCE.match(after) else _Standing.NOT
    if type_ == "cmdline":
        return _command_standing(before, after, one_word=not re.search(r"\s", text[span.start : span.end]))
    if type_ == "registry":
        return _Standing.INSIDE if re.match(r"\\+[^\s\\]", after) or before.endswith("\\") else _Standing.ALONE
    if type_ == "services":
        in_path = before.endswith(("\\", "/")) and not re.search(r"services\\+$", before, re.IGNORECASE)
        return _Standing.INSIDE if in_path or _PATH_GOES_ON.match(after) else _Standing.ALONE
    if type_ in ("scheduled_tasks", "process_lineage"):
        return _Standing.INSIDE if _PATH_GOES_ON.match(after) else _Standing.ALONE
    if type_ == "network_indicators":
        longer = before.endswith(("/", "@")) or _MORE_ADDRESS.match(after)
        return _Standing.INSIDE if longer else _Standing.ALONE
    return _Standing.ALONE


def _command_standing(before: str, after: str, one_word: bool) -> _Standing:
    in_longer = _MORE_COMMAND.match(after) or _LED_IN.search(before) or before.endswith(("\\", "/"))
    if not in_longer:
        return _Standing.ALONE
    return _Standing.NOT if one_word else _Standing.INSIDE


def _joined(left: str, right: str) -> bool:
    """Tell whether two neighboring characters belong to one word: scripts without spaces part from all others."""
    if not (_is_word(left) and _is_word(right)):
        return False
    return not (_NO_SPACES.match(left) or _NO_SPACES.match(right))


def _hyphened(outside: str, edge: str) -> bool:
    """Tell whether a hyphen or dot joins the edge of a value to a word beside it (`my-tasklist`, `tasklist.exe`)."""
    return _is_word(edge) and outside[:1] in ("-", ".") and _is_word(outside[1:2])


def _is_plain_word(type_: str, value: str) -> bool:
    """Tell whether a name is a word with a capital, which an article may hold in small letters meaning another."""
    return type_ in ("services", "scheduled_tasks") and value.isalpha() and not value.islower()


def _is_word(char: str) -> bool:
    return char == "_" or char.isalnum()


def _nearest(span: Span, others: list[Span], gap: int) -> tuple[Span, Span] | None:
    """Pair `span` with the nearest of `others` (sorted) that it does not overlap, at most `gap` characters away."""
    at = bisect_left(others, span.start, key=lambda other: other.start)
    near = [other for other in others[max(0, at - 2) : at + 2] if other.end <= span.start or other.start >= span.end]
    if not near:
        return None
    best = min(near, key=lambda other: _gap(span, other))
    return (span, best) if _gap(span, best) <= gap else None


def _gap(one: Span, other: Span) -> int:
    return max(other.start - one.end, one.start - other.end)
