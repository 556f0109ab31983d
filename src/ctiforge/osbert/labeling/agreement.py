"""How far two labelers agree on the articles that both labeled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctiforge.osbert.opinions import Opinion
from ctiforge.records.article import OS_LABELS, OsLabel


@dataclass(frozen=True, slots=True)
class Conflict:
    """An article that the two labeled differently."""

    id: str
    first: OsLabel
    other: OsLabel


@dataclass(frozen=True, slots=True)
class Agreement:
    """The labelers `first` and `other` over the articles that both labeled."""

    first: str
    other: str
    articles: int
    same: int
    """Articles that both labeled alike."""
    kappa: float | None
    """Cohen's; None where it is not defined."""
    confusion: tuple[tuple[int, ...], ...]
    """[first's label][other's label] → articles, labels in the order of OS_LABELS."""
    conflicts: tuple[Conflict, ...]
    """By id."""


def agreement(first: str, ours: Mapping[str, Opinion], other: str, theirs: Mapping[str, Opinion]) -> Agreement:
    """Compare two labelers by name, each with article id → opinion; what only one labeled is left out."""
    both = [
        Conflict(article_id, one, two)
        for article_id in sorted(ours.keys() & theirs.keys())
        if (one := ours[article_id].label) and (two := theirs[article_id].label)
    ]
    conflicts = tuple(each for each in both if each.first != each.other)
    confusion = confuse([(each.first, each.other) for each in both])
    return Agreement(first, other, len(both), len(both) - len(conflicts), cohens_kappa(confusion), confusion, conflicts)


def confuse(pairs: Sequence[tuple[OsLabel, OsLabel]]) -> tuple[tuple[int, ...], ...]:
    """Count pairs, [first][other], labels in the order of OS_LABELS."""
    return tuple(tuple(sum(pair == (one, other) for pair in pairs) for other in OS_LABELS) for one in OS_LABELS)


def cohens_kappa(confusion: Sequence[Sequence[int]]) -> float | None:
    """Compute agreement beyond chance, (p_o - p_e) / (1 - p_e) (Cohen 1960): 1 full, 0 chance, below 0 worse.

    p_o is the share of pairs alike, p_e the share expected of two labelers who draw at random from
    their own label frequencies. None without pairs, and where both give everything one and the same
    label (p_e = 1). Source: J. Cohen, A coefficient of agreement for nominal scales, Educational and
    Psychological Measurement 20 (1960), 37-46.
    """
    pairs = sum(map(sum, confusion))
    alike = sum(row[index] for index, row in enumerate(confusion))
    # in whole numbers, so that p_e = 1 is exact
    columns = [sum(row[index] for row in confusion) for index in range(len(confusion))]
    expected = sum(sum(row) * column for row, column in zip(confusion, columns, strict=True))
    if not pairs or expected == pairs * pairs:
        return None
    return (alike * pairs - expected) / (pairs * pairs - expected)
