"""The evaluation of one model on one test set: as JSON to keep and compare, as tables to read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctiforge.errors import DataError
from ctiforge.evaluation.scoring.scores import (
    METRICS,
    Counts,
    Figure,
    Metric,
    f1_of,
    figure,
    finite,
    precision_of,
    recall_of,
)
from ctiforge.evaluation.statistics import INTERVALS, MIN_POSITIVE_ARTICLES, Floats
from ctiforge.records.evaluation import (
    ArticleScore,
    EngineInfo,
    Evaluation,
    MetricFigure,
    ModelInfo,
    QualityRow,
    RowGroup,
    TestSetInfo,
)

SCORING = 4
"""Raised when other items count as found, or articles count otherwise: older figures are not comparable then."""


@dataclass(frozen=True)
class RowSpec:
    """Which items of which articles a row is about."""

    label: str
    group: RowGroup
    prefix: str
    chosen: Floats


def build_evaluation(
    articles: Sequence[ArticleScore],
    *,
    model: ModelInfo,
    test_set: TestSetInfo,
    fingerprint: str,
    training_values_known: bool,
    answers_left_out: int = 0,
    engine: EngineInfo | None = None,
) -> Evaluation:
    """Compute every figure over the scored articles.

    Args:
        articles: The scores, one an article.
        model: Which model was scored.
        test_set: On which articles.
        fingerprint: What is equal for the same weights, articles and training values.
        training_values_known: Whether the scores say which values training never showed.
        answers_left_out: Raw answers for which the file of them had no room.
        engine: The engine that answered; None where none was started.

    Returns:
        The evaluation with figures, rows and all articles.

    Raises:
        DataError: No type is labeled in any article.
    """
    if not any(article.counts for article in articles):
        raise DataError(f"no type is labeled in any article of {test_set.name}: there is nothing to score against")
    counts = Counts.of(articles)
    errors = [article.error for article in articles if article.error]
    return Evaluation(
        model=model,
        test_set=test_set,
        scoring=SCORING,
        fingerprint=fingerprint,
        training_values_known=training_values_known,
        failed={error: errors.count(error) for error in sorted(set(errors))},
        metrics={metric.name: _metric_figure(metric, counts) for metric in METRICS},
        rows=tuple(_row(spec, counts) for spec in row_specs(articles, counts)),
        intervals=INTERVALS,
        articles=tuple(articles),
        answers_left_out=answers_left_out,
        engine=engine,
    )


def row_specs(articles: Sequence[ArticleScore], counts: Counts) -> list[RowSpec]:
    """List the rows of a quality table: all, each type, unseen and obfuscated values, each tag."""
    everything = np.ones(len(articles))
    specs = [RowSpec("all", "overall", "all", everything)]
    specs += [RowSpec(type_, "type", f"type:{type_}", everything) for type_ in counts.types]
    if any(item.unseen is not None for article in articles for item in article.items):
        specs.append(RowSpec("values not in training", "values", "unseen", everything))
    specs.append(RowSpec("obfuscated values", "values", "obfuscated", everything))
    tags = sorted({tag for article in articles for tag in article.tags.items()})
    for tag in tags:
        chosen = np.array([float(tag in article.tags.items()) for article in articles])
        specs.append(RowSpec(f"{tag[0]}: {tag[1]}", "tag", "all", chosen))
    return specs


def row_metric(prefix: str) -> Metric:
    """Make F1 of a row a metric: what a comparison of rows compares."""
    return Metric(f"{prefix}.f1", "F1", "higher", f1_of(prefix), f"{prefix}.expected")


def _metric_figure(metric: Metric, counts: Counts) -> MetricFigure:
    result: Figure = figure(metric, counts, least=MIN_POSITIVE_ARTICLES)
    return MetricFigure(
        label=metric.label,
        direction=metric.direction,
        unit=metric.unit,
        value=result.value,
        low=result.interval.low if result.interval else None,
        high=result.interval.high if result.interval else None,
        support=result.support,
        beside=result.beside,
        beside_label=metric.beside_label,
    )


def _row(spec: RowSpec, counts: Counts) -> QualityRow:
    sums = counts.sums(spec.chosen[np.newaxis, :])
    f1 = figure(row_metric(spec.prefix), counts, spec.chosen, least=MIN_POSITIVE_ARTICLES)
    return QualityRow(
        label=spec.label,
        group=spec.group,
        articles=f1.support,
        expected=int(sums[f"{spec.prefix}.expected"][0]),
        predicted=int(sums[f"{spec.prefix}.predicted"][0]),
        found=int(sums[f"{spec.prefix}.found"][0]),
        precision=finite(precision_of(spec.prefix)(sums)[0]),
        recall=finite(recall_of(spec.prefix)(sums)[0]),
        f1=finite(f1_of(spec.prefix)(sums)[0]),
        f1_strict=finite(f1_of(spec.prefix, "exact")(sums)[0]),
        f1_partial=finite(f1_of(spec.prefix, "partial")(sums)[0]),
        low=f1.interval.low if f1.interval else None,
        high=f1.interval.high if f1.interval else None,
    )
