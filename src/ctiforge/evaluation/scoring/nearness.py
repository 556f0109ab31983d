r"""Which wrong items give a missed one in part: by one rule a type, besides the words that they share.

What tells two items of a type apart for whoever hunts must be the same:

- registry: the last part, or one is the other's key (`…\Run` of `…\Run\Updater`, never its neighbor `…\Run\Other`);
- process lineage: the child; service, scheduled task: the name, without its folder; network indicator: the host;
- command line: one program; and of the hosts, and of the values, tasks, services, accounts and scripts that the two
  name, one names none that the other does not (a command that breaks off names fewer);
- hunt query: the source that is asked, and the hosts in the same way.

Where that says enough by itself (lineage, service, task, indicator), no words are counted.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctiforge.observables.values import lineage_names, process_stem
from ctiforge.observables.wrappers import unwrapped_commands

PARTIAL_FROM = 0.5
"""Token overlap from which on a wrong item counts as a missed one found in part."""


def nearness(type_: str, missed: Sequence[str], wrong: Sequence[str]) -> np.ndarray:
    """Compute how near each wrong item comes to each missed one of a type.

    Candidates come from an index of what must be the same, so that a long list costs no look at all pairs.

    Args:
        type_: The type of all items.
        missed: Their normalized keys.
        wrong: The same of the wrong ones.

    Returns:
        Of shape (missed, wrong), the token overlap, 0 to 1, where one gives the other in part; −1 where it does not.
    """
    index = _Index([_traits(type_, key) for key in wrong])
    least = 0.0 if type_ in _DECIDED else PARTIAL_FROM
    return np.array([index.near(_traits(type_, key), least) for key in missed]).reshape(len(missed), len(wrong))


def overlap(one: str, other: str) -> float:
    """Compute the token overlap of two values, 0 to 1: the F1 of their words as bags (Rajpurkar et al. 2016)."""
    first, second = Counter(_words(one)), Counter(_words(other))
    total = first.total() + second.total()
    return 2 * (first & second).total() / total if total else 0.0


_DECIDED = frozenset({"process_lineage", "services", "scheduled_tasks", "network_indicators"})
_WORD = re.compile(r"\w+")
_SEGMENTS = re.compile(r"[|&;]+")
_TLD = "com|net|org|info|biz|ru|cn|top|xyz|io|co|uk|de|fr|nl|eu|us|ir|kp|site|online|club|shop|live|app|dev|cc|tk|onion"
_HOSTS = re.compile(
    r"://(?:[^/@\s\"']*@)?([^/?#:\s\"'`<>|;,(){}]+)"
    r"|(?<![\w.])((?:\d{1,3}\.){3}\d{1,3})(?![\w.])"
    rf"|(?<![\w.\\/-])((?:[\w-]+\.)+(?:{_TLD}))(?![\w.\\(=-])"
    r"|\b(?:psexec\S*|ping(?:\.exe)?) (?:[-/]\S+ )*\\*([\w.:-]+)"
    r"|(?:^|[\s\"'=])\\(?!windows\\|users\\|program)([\w.-]+)\\",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:\s|^)(?:/v|/tn|/im|-taskname|-name)[\s:]+(?:\"([^\"]+)\"|'([^']+)'|(\S+))"
    r"|\bsc(?:\.exe)? (?:create|config|start|stop|delete) (?:\"([^\"]+)\"|()()(\S+))"
    r"|\bnet1?(?:\.exe)? (?:user|group|localgroup) (?:\"([^\"]+)\"|()()([^\s/]+))"
    r"|\b(?:bash|sh|python3?|[cw]script|mshta|rundll32|regsvr32)(?:\.exe)?\"? (?:(?:-\S+|/\w(?::\S*)?) )*"
    r"[^\s\",]*[\\/]([\w-]+\.[\w.-]+)",
    re.IGNORECASE,
)
_SOURCE = re.compile(r"\b(?:event_simplename|sourcetype|index)=\"?([\w:.*-]+)|^title: ?(.+?)(?= \w+:|$)", re.IGNORECASE)
_PROGRAM = re.compile(r"[\"']([^\"']+)[\"']|((?:[a-z]:|%\w+%)?\\[^\"']*?\.exe)\b|([^\s(]+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Traits:
    """What decides whether an item is near to another."""

    asks: frozenset[str]
    """One of these must be among what the other `answers`."""
    answers: frozenset[str]
    words: tuple[str, ...]
    """Its words; the second time a word stands, it is another."""
    hosts: frozenset[str] = frozenset()
    """The hosts that it names: one of two items names none that the other does not."""
    named: frozenset[str] = frozenset()
    """The same of what it acts on."""


class _Index:
    """The wrong items by what they answer and by their words."""

    def __init__(self, items: Sequence[_Traits]) -> None:
        self._count = len(items)
        answers, words = defaultdict(list), defaultdict(list)
        for place, item in enumerate(items):
            for answer in item.answers:
                answers[answer].append(place)
            for word in item.words:
                words[word].append(place)
        self._answers = {answer: np.array(places) for answer, places in answers.items()}
        self._words = {word: np.array(places) for word, places in words.items()}
        self._sizes = np.array([len(item.words) for item in items])
        self._targets = [_Sets([item.hosts for item in items]), _Sets([item.named for item in items])]

    def near(self, item: _Traits, least: float) -> np.ndarray:
        """Compute the overlap of each item with one; −1 where they are not near or it is below `least`."""
        near = np.zeros(self._count, dtype=bool)
        for ask in item.asks & self._answers.keys():
            near[self._answers[ask]] = True
        if not near.any():
            return np.full(self._count, -1.0)
        for sets, target in zip(self._targets, (item.hosts, item.named), strict=True):
            near &= sets.agree(target)
        held = [self._words[word] for word in item.words if word in self._words]
        shared = np.bincount(np.concatenate(held), minlength=self._count) if held else np.zeros(self._count)
        share = 2 * shared / np.maximum(self._sizes + len(item.words), 1)
        return np.where(near & (share >= least), share, -1.0)


class _Sets:
    """Sets of which each one is kept once, so that one is compared with many at once."""

    def __init__(self, sets: Sequence[frozenset[str]]) -> None:
        known: dict[frozenset[str], int] = {}
        self._numbers = np.array([known.setdefault(each, len(known)) for each in sets])
        self._known = list(known)

    def agree(self, one: frozenset[str]) -> np.ndarray:
        """Tell of each set whether it or the one holds nothing that the other does not."""
        if not one:
            return np.ones(len(self._numbers), dtype=bool)
        agreeing = np.array([one >= each or one <= each for each in self._known])
        return np.asarray(agreeing[self._numbers])


def _traits(type_: str, key: str) -> _Traits:
    words = _numbered(_words(key))
    if type_ == "registry":
        parent, _, last = key.rpartition("\\")
        return _Traits(
            frozenset({f"last {last}", f"is {parent}", f"under {key}"}),
            frozenset({f"last {last}", f"is {key}", f"under {parent}"}),
            words,
        )
    if type_ == "cmdline":
        programs = _programs(key)
        return _Traits(programs, programs, words, _hosts(key), _targets(key))
    same = _same(type_, key)
    return _Traits(same, same, words, _hosts(key) if type_ == "hunt_queries" else frozenset())


def _same(type_: str, key: str) -> frozenset[str]:
    """Name what two items of this type share where one gives the other in part."""
    if type_ == "process_lineage":
        return frozenset(lineage_names(key)[-1:])
    if type_ in ("services", "scheduled_tasks"):
        return frozenset({re.split(r"[\\/]", key)[-1].removesuffix(".exe")})
    if type_ == "network_indicators":
        if key.count(":") > 1 and "://" not in key:
            # an address of IPv6, which has no port without brackets
            return frozenset({key})
        host = re.match(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@]*@)?(\[[^\]]*\]|[^/?#:]+)", key)
        return frozenset({host[1] if host else key})
    if type_ == "hunt_queries":
        sources = [next(filter(None, match.groups())).casefold() for match in _SOURCE.finditer(key)]
        return frozenset(sources[:1] or [word.casefold() for word in _words(key)[:1]])
    return frozenset({""})


def _programs(command: str) -> frozenset[str]:
    """Name the programs that a command starts, what only wraps another left out."""
    spaced = command.replace(">", " > ")
    innermost = [spaced, *unwrapped_commands(spaced)][-1]
    heads = (_PROGRAM.match(segment.lstrip(" (")) for segment in _SEGMENTS.split(innermost))
    return frozenset(process_stem(next(filter(None, head.groups()))) for head in heads if head) - {""}


def _hosts(key: str) -> frozenset[str]:
    return frozenset(next(filter(None, match.groups())).casefold() for match in _HOSTS.finditer(key))


def _targets(key: str) -> frozenset[str]:
    named = (next(filter(None, match.groups()), "") for match in _NAMED.finditer(key))
    return frozenset(name.strip("\\\"'").casefold() for name in named) - {""}


def _words(key: str) -> list[str]:
    return _WORD.findall(key.casefold())


def _numbered(words: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    numbered = []
    for word in words:
        seen[word] += 1
        numbered.append(f"{word} {seen[word]}")
    return tuple(numbered)
