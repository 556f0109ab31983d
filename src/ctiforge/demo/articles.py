"""Synthetic articles with known answers.

They are templates: they prove that the machinery works, and say nothing about a real model's skill.
"""

import hashlib
import random
from dataclasses import dataclass

from ctiforge.demo.sentences import Style, extract_texts
from ctiforge.demo.values import DemoItem, Names, make_item
from ctiforge.records.article import ArticleRecord

KINDS = ("cmdline", "registry", "services", "scheduled_tasks", "process_lineage", "hunt_queries")
ANNOTATOR = "demo generator"

_KIND_WEIGHTS = (32, 15, 14, 13, 15, 11)
_LONG_WORDS = 3_000
_SHARE_WITHOUT_ITEMS = 0.15


@dataclass(frozen=True)
class DemoSizes:
    """How many articles of each part."""

    training: int = 900
    """Training articles of usual length."""
    training_long: int = 6
    """Training articles of some 3,000 words."""
    test_seen: int = 80
    """Test articles in the styles of training."""
    test_unseen: int = 40
    """Test articles in styles that training does not have."""
    test_long: int = 12
    """Test articles of some 3,000 words, in the styles of training."""


@dataclass(frozen=True)
class DemoCorpus:
    """Articles to load into the database, and the test set with the generator's truth.

    No value of one part occurs in the other, and the test set alone has the held-out styles.
    """

    training: tuple[ArticleRecord, ...]
    test: tuple[ArticleRecord, ...]


def make_corpus(seed: int, sizes: DemoSizes | None = None) -> DemoCorpus:
    """Make the articles of the Extract Agent's demo.

    Args:
        seed: Decides every article: the same seed gives the same corpus.
        sizes: How many articles of each part; None: the demo's own sizes.

    Returns:
        Training articles and the test set, with the generator's truth.
    """
    sizes = sizes or DemoSizes()
    writer = _ArticleWriter(random.Random(seed))
    seen, held_out = extract_texts().seen, extract_texts().held_out
    training = [writer.article(seen[i % len(seen)], "seen", long=False) for i in range(sizes.training)]
    training += [writer.article(seen[i % len(seen)], "seen", long=True) for i in range(sizes.training_long)]
    test = [writer.article(seen[i % len(seen)], "seen", long=False) for i in range(sizes.test_seen)]
    test += [writer.article(held_out[i % len(held_out)], "unseen", long=False) for i in range(sizes.test_unseen)]
    test += [writer.article(seen[i % len(seen)], "seen", long=True) for i in range(sizes.test_long)]
    return DemoCorpus(tuple(training), tuple(test))


class _ArticleWriter:
    """Writes one article after the other; names are never used twice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = Names(rng)
        self.number = 0

    def article(self, style: Style, seen: str, *, long: bool) -> ArticleRecord:
        """Write one article in a style; a long one has 8,000 tokens and more, its items at the end."""
        self.number += 1
        items = self._items(at_least=1 if long else 0)
        sentences = self._sentences(style, items)
        actor = self.names.camel()
        opening = [self._fill(self.rng.choice(style.openings), actor)]
        closing = [self._fill(self.rng.choice(style.closings), actor)]
        before = self._long_filler(style, actor) if long else []
        paragraphs = opening + before + self._paragraphs([self._fill(each, actor) for each in sentences]) + closing
        title = self._fill(self.rng.choice(style.titles), actor)
        content = f"{title}\n\n" + style.paragraph_break.join(part.strip("\n") for part in paragraphs)
        return ArticleRecord(
            id=str(self.number),
            url=f"https://{style.name.replace(' ', '-')}.invalid/{self.number}",
            title=title,
            content=content,
            content_hash=hashlib.sha256(content.encode()).hexdigest(),
            observables=tuple(item.observable for item in items),
            labelled_types=KINDS,
            labelled_by="human",
            annotator=ANNOTATOR,
            hunt_score=float(self.rng.randint(40, 99)),
            tags={"style": seen, "report": style.name, "length": "long" if long else "normal"},
        )

    def _items(self, at_least: int) -> list[DemoItem]:
        if not at_least and self.rng.random() < _SHARE_WITHOUT_ITEMS:
            return []
        count = self.rng.choice((1, 2, 3, 4, 5, 6, 7))
        kinds = self.rng.choices(KINDS, weights=_KIND_WEIGHTS, k=count)
        return [make_item(kind, self.names) for kind in kinds]

    def _sentences(self, style: Style, items: list[DemoItem]) -> list[str]:
        """Write item phrases in the items' order, with distractors and filler between them."""
        told = [self._phrase(style, item) for item in items]
        repeated = [self._phrase(style, item) for item in items if self.rng.random() < 0.15]
        around = self.rng.choices(style.distractors, k=self.rng.randint(1, 4))
        around += self.rng.choices(style.filler, k=self.rng.randint(3, 10))
        around += [self._near_miss() for _ in items if self.rng.random() < 0.2]
        self.rng.shuffle(around)
        sentences = told
        for sentence in around:
            sentences.insert(self.rng.randint(0, len(sentences)), sentence)
        return sentences + repeated

    def _phrase(self, style: Style, item: DemoItem) -> str:
        value = item.observable.value
        phrases = style.phrases[item.observable.type]
        fitting = [
            phrase
            for phrase in phrases
            if not any(f"{quote}{{v}}{quote}" in phrase and quote in value for quote in "\"'`")
        ]
        phrase = self.rng.choice(fitting)
        return phrase.replace("{v}", _shielded(value)).replace("{p}", item.parent).replace("{c}", item.child)

    def _near_miss(self) -> str:
        """Write a sentence about something that only looks like an observable."""
        name = self.names.lower()
        return self.rng.choice(
            (
                f"The file {name}.exe was deleted before it could be analyzed.",
                f"A folder named {name.capitalize()}Backup held nothing of interest.",
                f"The archive {name}.zip contained a decoy document.",
                f"An older tool, {name}, was mentioned in the same forum.",
                f"The user {name} had no administrative rights.",
            )
        )

    def _fill(self, text: str, actor: str) -> str:
        benign, domain = self.rng.choice(extract_texts().benign_commands), ""
        if "{d}" in text:
            domain = self.names.domain()
        filled = text.replace("{N}", actor).replace("{b}", benign).replace("{d}", domain)
        return filled.replace(_SHIELD, "{")

    def _paragraphs(self, sentences: list[str]) -> list[str]:
        """Join sentences by one, two or three; what has lines of its own stands alone."""
        paragraphs: list[list[str]] = []
        for sentence in sentences:
            alone = "\n" in sentence or not sentence.endswith(".")
            if alone or not paragraphs or len(paragraphs[-1]) >= self.rng.choice((1, 2, 3)):
                paragraphs.append([sentence])
            else:
                paragraphs[-1].append(sentence)
            if alone:
                paragraphs.append([])
        return [" ".join(part) for part in paragraphs if part]

    def _long_filler(self, style: Style, actor: str) -> list[str]:
        texts: list[str] = []
        words = 0
        while words < _LONG_WORDS:
            source = style.distractors if self.rng.random() < 0.15 else style.filler
            texts.append(self._fill(self.rng.choice(source), actor if self.rng.random() < 0.5 else self.names.camel()))
            words += len(texts[-1].split())
        return self._paragraphs(texts)


# Stands for an opening brace of a value while the slots of a phrase are filled.
_SHIELD = "\0"


def _shielded(value: str) -> str:
    return value.replace("{", _SHIELD)
