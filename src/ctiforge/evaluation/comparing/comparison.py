"""Evaluations side by side: before against after, paired article by article, with a verdict in words."""

from collections.abc import Sequence

import numpy as np

from ctiforge.errors import UsageError
from ctiforge.evaluation.scoring.report import row_metric, row_specs
from ctiforge.evaluation.scoring.scores import METRICS, Counts, Metric, figure, replicated
from ctiforge.evaluation.statistics import BOOTSTRAP, MIN_POSITIVE_ARTICLES, Floats, Interval, interval
from ctiforge.lines.line import MARGIN
from ctiforge.records.comparison import Change, ChangeVerdict, Comparison, Contender
from ctiforge.records.evaluation import Direction, Evaluation, TestSetInfo, Unit


def compare(evaluations: Sequence[Evaluation]) -> Comparison:
    """Compare each further evaluation with the first, figure by figure and row by row, paired article by article.

    Args:
        evaluations: The baseline, then one or more to compare with it.

    Returns:
        Every figure's change, with the interval of the difference and a verdict.

    Raises:
        UsageError: There are fewer than two, or they are not of one test set.
    """
    if len(evaluations) < 2:
        raise UsageError("a comparison needs two evaluations or more: the baseline first, then what to compare with it")
    baseline = evaluations[0]
    for other in evaluations[1:]:
        _check_same_test_set(baseline, other)
    return Comparison(
        bootstrap=BOOTSTRAP,
        test_set=baseline.test_set,
        baseline=baseline.model,
        baseline_fingerprint=baseline.fingerprint,
        contenders=tuple(
            Contender(model=other.model, fingerprint=other.fingerprint, changes=tuple(_changes(baseline, other)))
            for other in evaluations[1:]
        ),
    )


def verdict(difference: float, found: Interval | None, direction: Direction, unit: Unit) -> ChangeVerdict:
    """Judge a difference: better or worse only where its paired interval leaves out 0.

    Without an interval (too few articles), or with one that holds 0 and reaches further than `MARGIN` for a
    share, the data cannot tell: underpowered. A figure without a better direction only changes.
    """
    if found is None:
        return "underpowered"
    if found.low == found.high == difference == 0:
        return "equal"
    if found.low <= 0 <= found.high:
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
    if [(article.id, sorted(article.counts)) for article in one.articles] != [
        (article.id, sorted(article.counts)) for article in other.articles
    ]:
        raise UsageError(
            f"{one.model.name} and {other.model.name} were scored on different articles of {_named(one.test_set)}: "
            "evaluate both again"
        )


def _named(test_set: TestSetInfo) -> str:
    return f"{test_set.name} {test_set.version} ({test_set.content_hash[:12]})"


def _changes(one: Evaluation, other: Evaluation) -> list[Change]:
    before, after = Counts.of(one.articles), Counts.of(other.articles)
    everything = np.ones(before.articles)
    changes = [
        _change(spec.label, spec.group, row_metric(spec.prefix), before, after, spec.chosen)
        for spec in row_specs(one.articles, before)
    ]
    changes += [_change(metric.label, "figure", metric, before, after, everything) for metric in METRICS]
    return [change for change in changes if change.before is not None or change.after is not None]


def _change(label: str, group: str, metric: Metric, before: Counts, after: Counts, chosen: Floats) -> Change:
    # intervals are of the difference: none is made for the sides alone
    first, second = (figure(metric, counts, chosen, least=before.articles + 1) for counts in (before, after))
    articles = min(first.support, second.support)
    known = first.value is not None and second.value is not None
    difference = second.value - first.value if first.value is not None and second.value is not None else None
    found = None
    if known and articles >= MIN_POSITIVE_ARTICLES:
        found = interval(replicated(metric.formula, after, chosen) - replicated(metric.formula, before, chosen))
    return Change(
        label=label,
        group=group,
        direction=metric.direction,
        unit=metric.unit,
        before=first.value,
        after=second.value,
        difference=difference,
        low=found.low if found else None,
        high=found.high if found else None,
        articles=articles,
        verdict="n/a" if difference is None else verdict(difference, found, metric.direction, metric.unit),
    )
