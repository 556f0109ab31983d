"""Synthetic articles about one operating system, several or none, with the generator's truth.

As the articles of the other line they are templates: they prove that the machinery works, and say
nothing about a real model's skill.
"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ctiforge.data.identity import content_hash, fold
from ctiforge.demo.articles import ANNOTATOR
from ctiforge.demo.sentences import KINDS, Cues, Prose, os_phrases, os_prose
from ctiforge.demo.values import Names
from ctiforge.records.article import OS_LABELS, ArticleRecord, OsLabel

LATE_FROM = 2_000
"""The evidence of a late article begins after so many characters."""

_LENGTHS = {"normal": (800, 1_400), "long": (2_500, 3_400), "late": (2_900, 3_600)}
_SYSTEMS: tuple[tuple[OsLabel, ...], ...] = (
    ("Windows", "Linux"),
    ("MacOS", "Windows"),
    ("Linux", "MacOS"),
    ("Linux", "Windows", "MacOS"),
)
_SHARE_COMPOSED = 0.4
_SHARE_WITH_PAST = 0.15
_SHARE_NAMED_TOGETHER = 0.3


@dataclass(frozen=True)
class OsSizes:
    """How many articles of each of the five classes."""

    training: int = 66
    test: int = 20


@dataclass(frozen=True)
class OsCorpus:
    """Articles to learn from, and the test set. No made-up name stands in two articles.

    Tags: `length` (normal, long), `evidence` (early; late: none in the first 2,000 characters; none)
    and `style` (unseen: cues and sentences that no training article has).
    """

    training: tuple[ArticleRecord, ...]
    test: tuple[ArticleRecord, ...]


def make_os_corpus(seed: int, sizes: OsSizes | None = None) -> OsCorpus:
    """Make the corpus of a seed, always the same: the classes take turns; half of each class is long."""
    sizes = sizes or OsSizes()
    writer = _OsArticleWriter(random.Random(seed))
    training = [writer.article(label, i, seen=True) for i in range(sizes.training) for label in OS_LABELS]
    seen = (sizes.test + 1) // 2
    test = [writer.article(label, i % seen, seen=i < seen) for i in range(sizes.test) for label in OS_LABELS]
    return OsCorpus(tuple(training), tuple(test))


@dataclass(frozen=True)
class _Placed:
    """A sentence and where it goes: the share of the room for evidence that lies before it."""

    text: str
    place: float


class _OsArticleWriter:
    """Writes one article after the other; names are never used twice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = Names(rng)
        self.number = 0

    def article(self, label: OsLabel, turn: int, *, seen: bool) -> ArticleRecord:
        """Write one article; `turn` decides what must come equally often: length, late evidence, distance."""
        self.number += 1
        prose, group = (os_prose().seen_prose if seen else os_prose().unseen_prose), self.names.camel()
        long = turn % 2 == 0
        late = long and turn // 2 % 5 < 2 and label != "Unknown"
        evidence = self._evidence(label, prose, group, turn, seen=seen)
        title = self._fill(self.rng.choice(prose.titles).replace("{N}", group), group)
        length = self.rng.randint(*_LENGTHS["late" if late else "long" if long else "normal"])
        sentences = self._neutral(label, prose, group, length - len(title) - sum(len(e.text) for e in evidence))
        self._insert(sentences, evidence, LATE_FROM if late else 0)
        content = f"{title}\n\n" + self._paragraphs(sentences, prose)
        return ArticleRecord(
            id=f"os-{self.number}",
            url=f"https://os-reports.invalid/{self.number}",
            title=title,
            content=content,
            content_hash=content_hash(fold(content)),
            os_label=label,
            labelled_by="human",
            annotator=ANNOTATOR,
            hunt_score=round(self.rng.uniform(99.1, 100), 2),
            tags={
                "style": "seen" if seen else "unseen",
                "length": "long" if long else "normal",
                "evidence": _where([content.index(each.text) for each in evidence]),
            },
        )

    def _evidence(self, label: OsLabel, prose: Prose, group: str, turn: int, *, seen: bool) -> list[_Placed]:
        """Write what shows the systems of a label, each sentence with its place."""
        if label == "Unknown":
            return []
        if label != "multiple":
            cues = self._cues(label, self.rng.randint(4, 6), seen=seen)
            return [_Placed(self._fill(cue, group), self.rng.random()) for cue in cues]
        systems = list(self.rng.choice(_SYSTEMS))
        self.rng.shuffle(systems)
        shown = [[self._fill(c, group) for c in self._cues(s, self.rng.randint(2, 4), seen=seen)] for s in systems]
        if turn // 2 % 2:
            return [
                # far apart: each system has a stretch of its own, and another as long lies before the next
                _Placed(cue, (2 * nth + self.rng.random()) / (2 * len(systems) - 1))
                for nth, cues in enumerate(shown)
                for cue in cues
            ]
        told = [cue for cues in shown for cue in cues]
        if self.rng.random() < _SHARE_NAMED_TOGETHER:
            named = " and ".join(os_phrases().spoken[system] for system in systems)
            told.append(self._fill(self.rng.choice(prose.together).replace("{systems}", named), group))
        place = self.rng.random()
        return [_Placed(cue, place) for cue in told]

    def _cues(self, system: str, count: int, *, seen: bool) -> list[str]:
        """Choose so many different cues of a system in their frames, every kind before one comes again."""
        cues: Cues = (os_phrases().seen_cues if seen else os_phrases().unseen_cues)[system]
        frames = os_phrases().seen_frames if seen else os_phrases().unseen_frames
        kinds = self.rng.sample(KINDS, len(KINDS)) + self.rng.sample(KINDS, len(KINDS))
        chosen: dict[str, str] = {}
        for kind in kinds[:count]:
            chosen[self.rng.choice([cue for cue in getattr(cues, kind) if cue not in chosen])] = kind
        return [self.rng.choice(frames[kind]).replace("{cue}", cue) for cue, kind in chosen.items()]

    def _neutral(self, label: OsLabel, prose: Prose, group: str, characters: int) -> list[str]:
        """Write opening, filler with distractors between, and closing: about so many characters."""
        opening = self._fill(self.rng.choice(prose.openings).replace("{N}", group), group)
        closing = self._fill(self.rng.choice(prose.closings), group)
        sentences = self._distractors(label, prose, group, at_most=2 + characters // 1_500)
        pool = list(dict.fromkeys(os_prose().seen_prose.filler + prose.filler))
        self.rng.shuffle(pool)
        left = characters - sum(len(each) + 1 for each in (opening, closing, *sentences))
        while left > 0:
            composed = self.rng.random() < _SHARE_COMPOSED
            template = " ".join(map(self.rng.choice, os_prose().composed)) + "." if composed else pool.pop()
            sentences.append(self._fill(template, group))
            left -= len(sentences[-1]) + 1
        self.rng.shuffle(sentences)
        return [opening, *sentences, closing]

    def _distractors(self, label: OsLabel, prose: Prose, group: str, at_most: int) -> list[str]:
        chosen = self.rng.sample(prose.distractors, self.rng.randint(2 if label == "Unknown" else 1, at_most))
        if label in os_phrases().spoken and self.rng.random() < _SHARE_WITH_PAST:
            other = self.rng.choice([spoken for system, spoken in os_phrases().spoken.items() if system != label])
            chosen.append(self.rng.choice(prose.past).replace("{other}", other))
        return [self._fill(each, group) for each in chosen]

    def _insert(self, sentences: list[str], evidence: Sequence[_Placed], after: int) -> None:
        """Put each piece of evidence at its place; behind `after` characters of the sentences."""
        ends = list(accumulate(len(sentence) for sentence in sentences))
        first, last = max(1, bisect_left(ends, after) + 1), len(sentences)
        start, end = ends[first - 1], ends[-1]
        indices = [
            min(last, bisect_left(ends, start + each.place * (end - start)) + 1) if end > start else last
            for each in evidence
        ]
        for index, each in sorted(zip(indices, evidence, strict=True), key=lambda pair: pair[0], reverse=True):
            sentences.insert(index, each.text)

    def _fill(self, text: str, group: str) -> str:
        """Fill every slot of the text: the group's own name or new ones, numbers, and words of the lists."""
        for slot, words in os_prose().slots.items():
            while f"{{{slot}}}" in text:
                text = text.replace(f"{{{slot}}}", self.rng.choice(words), 1)
        while "{k}" in text:
            text = text.replace("{k}", str(self.rng.randint(2, 29)), 1)
        if "{n}" in text:
            text = text.replace("{n}", self.names.lower())
        while "{N}" in text:
            text = text.replace("{N}", group if self.rng.random() < 0.5 else self.names.camel(), 1)
        return text[0].upper() + text[1:]

    def _paragraphs(self, sentences: Sequence[str], prose: Prose) -> str:
        """Join two to five sentences a paragraph, some of them under a heading."""
        parts: list[str] = []
        headings = list(prose.headings) if self.rng.random() < 0.5 else []
        rest = list(sentences)
        while rest:
            size = self.rng.randint(2, 5)
            if headings and self.rng.random() < 0.5:
                parts.append(headings.pop(0))
            parts.append(" ".join(rest[:size]))
            rest = rest[size:]
        return "\n\n".join(parts)


def _where(starts: Sequence[int]) -> str:
    """Choose the tag for evidence that starts at these characters."""
    if not starts:
        return "none"
    return "late" if min(starts) >= LATE_FROM else "early"
