"""Further training articles out of those there are: sentences left out, names of systems masked."""

import random
import re
from collections.abc import Sequence

from ctiforge.data.identity import content_hash, fold
from ctiforge.records.os_article import LabeledArticle

_DROPPED = 0.2
_MASKED = 0.5
_MASK = "the system"
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?]+(?=\s|$)|\n|$)\s*")
_NAME = re.compile(
    r"\b(?:Microsoft\s+)?Windows(?:\s+(?:1[01]|[78]|Server(?:\s+\d{4})?))?\b|\bLinux\b|\bmacOS\b|\bOS X\b"
)


def augment(articles: Sequence[LabeledArticle], copies: int, seed: int) -> list[LabeledArticle]:
    """Add to the articles `copies` altered ones of each; what shows the label by more than a name stays."""
    return [each for article in articles for each in (article, *(_altered(article, n, seed) for n in range(copies)))]


def _altered(article: LabeledArticle, number: int, seed: int) -> LabeledArticle:
    rng = random.Random(f"{seed}:{number}:{article.content_hash}")
    kept = []
    for match in _SENTENCE.finditer(article.content):
        shows = any(each.start < match.end() and match.start() < each.end for each in article.evidence)
        if shows or rng.random() >= _DROPPED:
            kept.append(match.group())
    content = _NAME.sub(lambda name: _MASK if rng.random() < _MASKED else name.group(), "".join(kept))
    return article.model_copy(
        update={
            "id": f"{article.id}+{number + 1}",
            "content": content,
            "content_hash": content_hash(fold(content)),
            "evidence": (),
            "group": article.group or article.content_hash,
        }
    )
