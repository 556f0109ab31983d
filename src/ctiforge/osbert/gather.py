"""Which articles are worth a label: with text, none twice, none of a test set."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.data.articles import Article
from ctiforge.data.identity import content_hash, fold
from ctiforge.data.near_duplicates import DuplicateIndex
from ctiforge.records.article import ArticleRecord


@dataclass(frozen=True, slots=True)
class ArticleToLabel:
    """An article to label, and the copies of it that are left out."""

    article: Article
    content: str
    content_hash: str
    copies: tuple[str, ...]
    """The ids of its near duplicates."""


@dataclass
class Gathered:
    """What was chosen, and why the rest was not."""

    read: int = 0
    candidates: list[ArticleToLabel] = field(default_factory=list)
    set_aside: Counter[str] = field(default_factory=Counter)


def gather(
    articles: Iterable[Article], held_out: Sequence[tuple[str, ArticleRecord]], limit: int | None, scratch: Path
) -> Gathered:
    """Take the first `limit` articles that can be used, in the order given; None: all.

    Of near duplicates the first is taken. `held_out` are (reason, article) pairs that no article may repeat.
    """
    stream = iter(articles)
    read: list[Article] = []
    while True:
        gathered = _choose(read, held_out, scratch)
        missing = None if limit is None else limit - len(gathered.candidates)
        more = [] if missing == 0 else list(islice(stream, missing))
        if not more:
            return gathered
        read += more


def _choose(read: Sequence[Article], held_out: Sequence[tuple[str, ArticleRecord]], scratch: Path) -> Gathered:
    gathered = Gathered(read=len(read))
    usable = list(_with_text(read, gathered.set_aside))
    groups = _groups(held_out, usable, scratch)
    copies: dict[int, list[str]] = {}
    chosen: dict[int, tuple[Article, str, str]] = {}
    for group, (article, content, hash_) in zip(groups[len(held_out) :], usable, strict=True):
        if group < len(held_out):
            gathered.set_aside[held_out[group][0]] += 1
        elif group in chosen:
            gathered.set_aside["near duplicate of another article"] += 1
            copies[group].append(article.id)
        else:
            chosen[group], copies[group] = (article, content, hash_), []
    gathered.candidates = [ArticleToLabel(*each, tuple(copies[group])) for group, each in chosen.items()]
    return gathered


def _with_text(read: Sequence[Article], set_aside: Counter[str]) -> Iterator[tuple[Article, str, str]]:
    for article in read:
        if article.content and article.content.strip():
            yield article, article.content, content_hash(fold(article.content))
        else:
            set_aside["no content"] += 1


def _groups(
    held_out: Sequence[tuple[str, ArticleRecord]], usable: Sequence[tuple[Article, str, str]], scratch: Path
) -> list[int]:
    """Find the group of each, held-out articles first: the number of the first row in it."""
    with TemporaryDirectory(dir=scratch) as folder, DuplicateIndex(Path(folder)) as index:
        for _, record in held_out:
            folded = fold(record.content)
            index.add(folded, content_hash(folded), record.url)
        for article, content, hash_ in usable:
            index.add(fold(content), hash_, article.url)
        return [int(group) for group in index.groups()]
