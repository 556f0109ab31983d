"""Evaluations side by side: before against after, paired article by article, with a verdict in words.

One figure is what a model is judged by, the line's primary one; the verdicts of all others are exploratory, with
p-values adjusted for all of them together (Holm 1979): of two equal models one comparison in ten holds a false word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctiforge.errors import UsageError
from ctiforge.evaluation.scoring.report import RowSpec, row_metric, row_specs
from ctiforge.evaluation.scoring.scores import METRICS, Counts, Metric, estimate_difference, figure
from ctiforge.evaluation.statistics import INTERVALS, LEVEL, MIN_POSITIVE_ARTICLES, Estimate, Floats, Interval, holm
from ctiforge.lines.extract import EXTRACT
from ctiforge.lines.line import MARGIN
from ctiforge.records.comparison import Change, ChangeVerdict, Comparison, Contender
from ctiforge.records.evaluation import ArticleScore, Direction, Evaluation, TestSetInfo, Unit


def compare(evaluations: Sequence[Evaluation]) -> Comparison:
    """Compare each further evaluation with the first, figure by figure and row by row, paired article by article.

    Args:
        evaluations: The baseline, then one or more to compare with it.

    Returns:
        Every figure's change, with the interval of the difference and a verdict; where one was scored on a sample of
        the test set, on the articles that both were scored on.

    Raises:
        UsageError: There are fewer than two, or they are not of one test set.
    """
    if len(evaluations) < 2:
        raise UsageError("a comparison needs two evaluations or more: the baseline first, then what to compare with it")
    baseline = evaluations[0]
    for other in evaluations[1:]:
        _check_same_test_set(baseline, other)
    return Comparison(
        intervals=INTERVALS,
        test_set=baseline.test_set,
        baseline=baseline.model,
        baseline_fingerprint=baseline.fingerprint,
        contenders=tuple(_contender(baseline, other) for other in evaluations[1:]),
    )


def compare_counts(before: Counts, after: Counts, rows: Sequence[RowSpec]) -> list[Change]:
    """Compare the counts of two models on the same articles, every row and figure."""
    everything = np.ones(before.articles)
    compared = [_compared(spec.label, spec.group, row_metric(spec.prefix), before, after, spec.chosen) for spec in rows]
    compared += [_compared(metric.label, "figure", metric, before, after, everything) for metric in METRICS]
    known = [each for each in compared if each.before is not None or each.after is not None]
    exploratory = [each for each in known if not each.is_primary and each.p is not None]
    adjusted = holm([each.p for each in exploratory if each.p is not None])
    by_figure = {(each.group, each.label): p for each, p in zip(exploratory, adjusted, strict=True)}
    return [_change(each, by_figure.get((each.group, each.label), each.p)) for each in known]


def verdict(
    difference: float, found: Interval | None, p: float | None, direction: Direction, unit: Unit
) -> ChangeVerdict:
    """Judge a difference: better or worse only where its p-value, adjusted where it is one of many, is small.

    Without an interval (too few articles), or with one around 0 that reaches further than `MARGIN` for a
    share, the data cannot tell: underpowered. A figure without a better direction only changes.
    """
    if found is None or p is None:
        return "underpowered"
    if found.low == found.high == difference == 0:
        return "equal"
    if p > 1 - LEVEL:
        wide = unit == "share" and (found.high - found.low) / 2 > MARGIN
        return "underpowered" if wide else "no clear difference"
    if direction == "none":
        return "changed"
    return "better" if (difference > 0) == (direction == "higher") else "worse"


def _check_same_test_set(one: Evaluation, other: Evaluation) -> None:
    if one.test_set.content_hash != other.test_set.content_hash:
        raise UsageError(
            f"{other.model.name} was evaluated on {_named(other.test_set)}, {one.model.name} on "
            f"{_named(one.test_set)}: evaluate both on one test set"
        )
    if one.scoring != other.scoring:
        older = min(one, other, key=lambda each: each.scoring)
        raise UsageError(f"{older.model.name} was scored by older rules of what counts as found: evaluate it again")
    mine, theirs = _shared(one, other)
    if [(article.id, sorted(article.counts)) for article in mine] != [
        (article.id, sorted(article.counts)) for article in theirs
    ]:
        raise UsageError(
            f"{one.model.name} and {other.model.name} were scored on different articles of {_named(one.test_set)}: "
            "evaluate both again"
        )


def _shared(one: Evaluation, other: Evaluation) -> tuple[Sequence[ArticleScore], Sequence[ArticleScore]]:
    """Give the articles of both; of a sample those that the other was scored on as well."""
    if not (one.test_set.drawn_from or other.test_set.drawn_from):
        return one.articles, other.articles
    both = {article.id for article in one.articles} & {article.id for article in other.articles}
    if not both:
        raise UsageError(
            f"{one.model.name} and {other.model.name} were scored on samples without a common article: evaluate one of "
            "them on the whole test set"
        )
    mine, theirs = ([article for article in each.articles if article.id in both] for each in (one, other))
    return mine, theirs


def _named(test_set: TestSetInfo) -> str:
    return f"{test_set.name} {test_set.version} ({test_set.content_hash[:12]})"


@dataclass(frozen=True)
class _Compared:
    """One figure of both sides before it is judged."""

    label: str
    group: str
    metric: Metric
    before: float | None
    after: float | None
    articles: int
    difference: Estimate | None
    """None where too few articles carry one."""

    @property
    def is_primary(self) -> bool:
        # the first row shows the same figure as the metric does
        return self.group == "overall" or (self.group == "figure" and self.metric.name == EXTRACT.rules.primary)

    @property
    def p(self) -> float | None:
        return float(self.difference.p_value()) if self.difference else None


def _contender(baseline: Evaluation, other: Evaluation) -> Contender:
    mine, theirs = _shared(baseline, other)
    before = Counts.of(mine)
    changes = compare_counts(before, Counts.of(theirs), row_specs(mine, before))
    return Contender(
        model=other.model,
        fingerprint=other.fingerprint,
        changes=tuple(changes),
        articles=len(mine) if len(mine) < baseline.test_set.whole else None,
    )


def _compared(label: str, group: str, metric: Metric, before: Counts, after: Counts, chosen: Floats) -> _Compared:
    # intervals are of the difference: none is made for the sides alone
    first, second = (figure(metric, counts, chosen, least=before.articles + 1) for counts in (before, after))
    articles = min(first.support, second.support)
    enough = first.value is not None and second.value is not None and articles >= MIN_POSITIVE_ARTICLES
    difference = estimate_difference(metric, before.part(chosen), after.part(chosen)) if enough else None
    return _Compared(label, group, metric, first.value, second.value, articles, difference)


def _change(each: _Compared, p: float | None) -> Change:
    known = each.before is not None and each.after is not None
    difference = each.after - each.before if each.before is not None and each.after is not None else None
    found = each.difference.interval() if each.difference else None
    direction, unit = each.metric.direction, each.metric.unit
    return Change(
        label=each.label,
        group=each.group,
        direction=direction,
        unit=unit,
        before=each.before,
        after=each.after,
        difference=difference,
        low=found.low if found else None,
        high=found.high if found else None,
        articles=each.articles,
        primary=each.is_primary,
        p=p,
        verdict=verdict(difference or 0.0, found, p, direction, unit) if known else "n/a",
    )
