"""Chooses the articles that are worth a person's time: disputed, doubtful, rare, different.

Each reason is a part between 0 and 1, their weighted sum the score. Articles are chosen one after the other, the best
score first (greedy, as in Gonzalez 1985, Clustering to minimize the maximum intercluster distance): what is chosen
counts as labeled for the next, so its types are less short of examples and what is like it is less new.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field

import numpy as np

from ctiforge.evaluation.statistics import Floats

Similar = Callable[[int], Floats]
"""From the number of an article of the pool to its similarity, 0 to 1, to each of them: (articles,)."""
FEW = 50
"""Examples of a type of which one more is worth half of the first one."""
_UNLIKE = 0.5
_NAMES = {
    "cmdline": ("command line", "command lines"),
    "registry": ("registry key", "registry keys"),
    "services": ("service", "services"),
    "scheduled_tasks": ("scheduled task", "scheduled tasks"),
    "process_lineage": ("process pair", "process pairs"),
    "hunt_queries": ("hunt query", "hunt queries"),
    "network_indicators": ("network indicator", "network indicators"),
}
"""What reasons call types, of one item and of several."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What labelers say of one type in one article."""

    agreed: int = 0
    """Items that everybody found who looked for the type."""
    disputed: int = 0
    """Items that some of them found, and others did not."""

    @property
    def disagreement(self) -> float:
        """Return 1 − F1 of one of two labelers against the other, as if they agreed about half an item more."""
        # without it one item that one of them found weighs as much as ten
        return self.disputed / (2 * self.agreed + self.disputed + 1)


@dataclass(frozen=True, slots=True)
class PoolArticle:
    """One article that may be labeled next."""

    id: str
    """Its id; of equal scores a lot by id and seed decides."""
    claims: Mapping[str, Claims] = field(default_factory=dict)
    """Type → what labelers say of it; a type that nobody found anything of is left out."""
    confidence: float | None = None
    """The lowest probability that a model gives to anything that it says of the article; None: nobody knows."""
    labelers: str = "labelers"
    """Who looked, in words."""


@dataclass(frozen=True)
class WorthParts:
    """The parts of a score, or their weights, in the order in which reasons are told."""

    disagreement: float
    """1 − F1 between labelers, the mean over types."""
    uncertainty: float
    """1 − the model's confidence."""
    shortage: float
    """How few examples there are of the rarest type that somebody found: `FEW` / (`FEW` + examples)."""
    novelty: float
    """1 − similarity to what is most like it of what is labeled or chosen."""

    def weighted(self, weights: "WorthParts") -> float:
        """Sum the parts by weights that sum to 1."""
        return float(np.dot(astuple(self), astuple(weights)))


WEIGHTS = WorthParts(disagreement=0.1, uncertainty=0.1, shortage=0.4, novelty=0.4)
"""Of `make prove-label-next`: a model that learnt from few articles is a poor judge of what it does not know."""


@dataclass(frozen=True)
class ChosenArticle:
    """An article that was chosen, and why."""

    index: int
    """Its number in the pool."""
    score: float
    """The weighted sum of the parts, 0 to 1."""
    parts: WorthParts
    """As they were when it was chosen."""
    reasons: tuple[str, ...]
    """The same in words, the part that adds most first."""


def choose_next(
    pool: Sequence[PoolArticle],
    count: int,
    *,
    examples: Mapping[str, int],
    similar: Similar | None = None,
    nearest: Floats | None = None,
    weights: WorthParts = WEIGHTS,
    seed: int = 0,
) -> list[ChosenArticle]:
    """Choose the articles that a person should label next.

    Args:
        pool: Articles that nobody labeled, of near duplicates one.
        count: Articles at most.
        examples: Type → labeled items of it.
        similar: How like one article is to each; None: nobody compared, and nothing counts as new.
        nearest: (articles,): similarity, 0 to 1, to the most similar labeled article; None: there is none.
        weights: Of the parts; they sum to 1.
        seed: Decides between equal scores.

    Returns:
        The articles, in the order in which they were chosen: the same for the same pool and seed, whatever their
        order.
    """
    if not pool:
        return []
    lots = [hashlib.sha256(f"{seed}:{each.id}".encode("utf-8", "replace")).hexdigest() for each in pool]
    order = np.array(sorted(range(len(pool)), key=lots.__getitem__))
    types = sorted({type_ for each in pool for type_ in each.claims})
    found = np.array([[type_ in each.claims for type_ in types] for each in pool], dtype=bool)
    found = found.reshape(len(pool), len(types))
    there = Counter({type_: max(0, examples.get(type_, 0)) for type_ in types})
    parts = np.zeros((len(pool), 4))
    parts[:, 0] = [_disagreement(each) for each in pool]
    parts[:, 1] = [0 if each.confidence is None else 1 - min(max(each.confidence, 0), 1) for each in pool]
    near = np.zeros(len(pool)) if nearest is None else nearest.copy()
    free = np.ones(len(pool), dtype=bool)
    chosen: list[ChosenArticle] = []
    while len(chosen) < min(count, len(pool)):
        few = np.array([FEW / (FEW + there[type_]) for type_ in types])
        parts[:, 2] = (found * few).max(axis=1, initial=0)
        parts[:, 3] = 0 if similar is None else 1 - np.clip(near, 0, 1)
        # rounded: a sum's last bit is no reason
        scores = np.where(free, (parts @ astuple(weights)).round(9), -1)
        best = int(order[np.argmax(scores[order])])
        free[best] = False
        chosen.append(_chosen(best, pool[best], WorthParts(*parts[best].tolist()), weights, examples))
        there.update({type_: claims.agreed + claims.disputed for type_, claims in pool[best].claims.items()})
        if similar is not None:
            near = np.maximum(near, similar(best))
    return chosen


def _disagreement(article: PoolArticle) -> float:
    claims = article.claims.values()
    return sum(each.disagreement for each in claims) / len(claims) if claims else 0.0


def _chosen(
    index: int, article: PoolArticle, parts: WorthParts, weights: WorthParts, examples: Mapping[str, int]
) -> ChosenArticle:
    worth = [part * weight for part, weight in zip(astuple(parts), astuple(weights), strict=True)]
    texts = (_disputes(article), _doubt(article), _shortage(article, examples), _novelty(parts))
    ranked = sorted(range(len(worth)), key=lambda number: -worth[number])
    reasons = tuple(texts[number] for number in ranked if worth[number] > 0 and texts[number])
    return ChosenArticle(index, parts.weighted(weights), parts, reasons)


def _disputes(article: PoolArticle) -> str:
    disputed = {type_: each.disputed for type_, each in article.claims.items() if each.disputed}
    ranked = sorted(disputed.items(), key=lambda pair: (-pair[1], pair[0]))
    told = ", ".join(f"{count} {_named(type_, count)}" for type_, count in ranked)
    return f"{article.labelers} disagree about {told}" if told else ""


def _doubt(article: PoolArticle) -> str:
    if article.confidence is None:
        return ""
    return f"the model gives {article.confidence:.2f} to what it is least sure of"


def _shortage(article: PoolArticle, examples: Mapping[str, int]) -> str:
    rarest = min(article.claims, key=lambda type_: (examples.get(type_, 0), type_), default=None)
    if rarest is None:
        return ""
    count = examples.get(rarest, 0)
    return f"{count or 'no'} {_named(rarest, count)} labeled so far"


def _novelty(parts: WorthParts) -> str:
    return "unlike what is labeled" if parts.novelty >= _UNLIKE else ""


def _named(type_: str, count: int) -> str:
    one, many = _NAMES.get(type_, (type_, type_))
    return one if count == 1 else many
