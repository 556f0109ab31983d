"""How the new model and the one that it is held against fare in each article."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctiforge.records.evaluation import ArticleScore, Evaluation
from ctiforge.reporting import words
from ctiforge.tables import Cell, Column, Table

OPEN = 30
"""Articles that are shown at once; the others are folded."""


@dataclass(frozen=True)
class _Outcome:
    """Items of one model in one article."""

    found: int
    missed: int
    wrong: int

    @classmethod
    def of(cls, article: ArticleScore) -> "_Outcome":
        counts = article.counts.values()
        return cls(*(sum(getattr(each, name) for each in counts) for name in ("found", "missed", "wrong")))

    @property
    def mistakes(self) -> int:
        return self.missed + self.wrong

    def __str__(self) -> str:
        return f"{self.found:,} / {self.missed:,} / {self.wrong:,}"


def article_tables(before: Evaluation, after: Evaluation, other: str) -> Iterator[Table]:
    """Lay out every article, those on which the two differ most first, beyond `OPEN` folded."""
    others = {article.id: article for article in before.articles}
    pairs = [(others[article.id], article) for article in after.articles if article.id in others]
    ranked = sorted(pairs, key=lambda pair: (-abs(_fewer(*pair)), -_expected(pair[1]), pair[1].id))
    total = sum(_expected(article) for _, article in pairs)
    note = (
        "Of each model: items found / missed / wrong. The difference is in mistakes, missed or wrong: + are fewer of "
        "them."
    )
    first, rest = ranked[:OPEN], ranked[OPEN:]
    yield _table("Each article, the largest difference first", first, other, total, note=note)
    if rest:
        yield _table(f"{words.plural(len(rest), 'further article')}", rest, other, total, is_folded=True)


def half_of(evaluation: Evaluation) -> str:
    """Say how few articles carry half of what is to be found."""
    sizes = sorted(map(_expected, evaluation.articles), reverse=True)
    total, carried, number = sum(sizes), 0, 0
    while 2 * carried < total:
        carried += sizes[number]
        number += 1
    if not total:
        return "Nothing is to be found in any article."
    verb = "carries" if number == 1 else "carry"
    return f"{words.plural(number, 'article')} of {len(sizes):,} {verb} half of the {total:,} items."


def _table(
    caption: str,
    pairs: Sequence[tuple[ArticleScore, ArticleScore]],
    other: str,
    total: int,
    *,
    note: str = "",
    is_folded: bool = False,
) -> Table:
    titles = ("difference", other, "new model", "items expected", "share of all")
    columns = (Column("", False), *(Column(title) for title in titles))
    return Table(caption, columns, tuple(_row(*pair, total) for pair in pairs), note=note, is_folded=is_folded)


def _row(before: ArticleScore, after: ArticleScore, total: int) -> tuple[Cell, ...]:
    fewer, expected = _fewer(before, after), _expected(after)
    failed = "failed: " + after.error if after.error else ""
    return (
        Cell(after.title or after.id, below=after.id if after.title else ""),
        Cell(f"{fewer:+,}".replace("-", "−") if fewer else "0", strong=bool(fewer)),
        Cell(str(_Outcome.of(before))),
        Cell(str(_Outcome.of(after)), below=failed),
        Cell(words.count(expected)),
        Cell(words.percent(expected / total) if total else "n/a"),
    )


def _fewer(before: ArticleScore, after: ArticleScore) -> int:
    """Count how many mistakes fewer the new model makes."""
    return _Outcome.of(before).mistakes - _Outcome.of(after).mistakes


def _expected(article: ArticleScore) -> int:
    return sum(each.expected for each in article.counts.values())
