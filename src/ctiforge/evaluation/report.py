"""The evaluation of one model on one test set: as JSON to keep and compare, as tables to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ctiforge.errors import DataError
from ctiforge.evaluation.articles import ArticleScore
from ctiforge.evaluation.scores import (
    METRICS,
    Counts,
    Direction,
    Figure,
    Metric,
    Unit,
    f1_of,
    figure,
    finite,
    precision_of,
    recall_of,
)
from ctiforge.evaluation.statistics import LEVEL, MIN_POSITIVE_ARTICLES, REPLICATES, SEED, Floats

SCHEMA_VERSION = 2
RowGroup = Literal["overall", "type", "values", "tag"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelInfo(_Record):
    """Which model was scored: the name it goes by, the version of exactly these weights."""

    name: str
    version: str


class TestSetInfo(_Record):
    """Which articles it was scored on; two evaluations are comparable when the content hashes are equal."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    name: str
    version: str
    content_hash: str
    articles: int
    unlabelled: int = 0
    """Articles in which no type is labelled: never scored."""


class MetricFigure(_Record):
    """One figure with its direction and, from enough articles on, its interval."""

    label: str
    direction: Direction
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    support: int
    beside: float | None = None
    beside_label: str = ""


class Row(_Record):
    """Quality over one subset: everything, a type, unseen or obfuscated values, the articles of a tag."""

    label: str
    group: RowGroup
    articles: int
    """Articles of the subset with anything expected."""
    expected: int
    predicted: int
    found: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_strict: float | None
    f1_partial: float | None = None
    low: float | None
    """Interval of F1; None where too few articles carry it."""
    high: float | None


class Bootstrap(_Record):
    """How the intervals were made."""

    level: float = LEVEL
    replicates: int = REPLICATES
    seed: int = SEED
    least_articles: int = MIN_POSITIVE_ARTICLES


class Evaluation(_Record):
    """One evaluation, as `evaluation.json` holds it."""

    schema_version: int = SCHEMA_VERSION
    model: ModelInfo
    test_set: TestSetInfo
    fingerprint: str
    training_values_known: bool
    failed: dict[str, int]
    """Why articles failed, and how many each."""
    metrics: dict[str, MetricFigure]
    rows: tuple[Row, ...]
    bootstrap: Bootstrap = Bootstrap()
    articles: tuple[ArticleScore, ...]


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
) -> Evaluation:
    """Every figure over the scored articles. Raises DataError where nothing is labelled."""
    if not any(article.counts for article in articles):
        raise DataError(f"no type is labelled in any article of {test_set.name}: there is nothing to score against")
    counts = Counts.of(articles)
    errors = [article.error for article in articles if article.error]
    return Evaluation(
        model=model,
        test_set=test_set,
        fingerprint=fingerprint,
        training_values_known=training_values_known,
        failed={error: errors.count(error) for error in sorted(set(errors))},
        metrics={metric.name: _metric_figure(metric, counts) for metric in METRICS},
        rows=tuple(_row(spec, counts) for spec in row_specs(articles, counts)),
        articles=tuple(articles),
    )


def read_evaluation(text: str, source: str) -> Evaluation:
    """Parse an `evaluation.json`; `source` names it in errors. Raises DataError where it is none."""
    try:
        evaluation = Evaluation.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(f"{source} is no evaluation of ctiforge: {where}: {first['msg']}") from None
    if evaluation.schema_version != SCHEMA_VERSION:
        raise DataError(
            f"{source} has evaluation schema {evaluation.schema_version}, this ctiforge reads {SCHEMA_VERSION}: "
            "evaluate that model again"
        )
    return evaluation


def row_specs(articles: Sequence[ArticleScore], counts: Counts) -> list[RowSpec]:
    """The rows of a quality table: all, each type, unseen and obfuscated values, each tag."""
    everything = np.ones(len(articles))
    specs = [RowSpec("all", "overall", "all", everything)]
    specs += [RowSpec(type, "type", f"type:{type}", everything) for type in counts.types]
    if any(item.unseen is not None for article in articles for item in article.items):
        specs.append(RowSpec("values not in training", "values", "unseen", everything))
    specs.append(RowSpec("obfuscated values", "values", "obfuscated", everything))
    tags = sorted({tag for article in articles for tag in article.tags.items()})
    for tag in tags:
        chosen = np.array([float(tag in article.tags.items()) for article in articles])
        specs.append(RowSpec(f"{tag[0]}: {tag[1]}", "tag", "all", chosen))
    return specs


def row_metric(prefix: str) -> Metric:
    """F1 of a row, as a metric: what a comparison of rows compares."""
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


def _row(spec: RowSpec, counts: Counts) -> Row:
    sums = counts.sums(spec.chosen[np.newaxis, :])
    f1 = figure(row_metric(spec.prefix), counts, spec.chosen, least=MIN_POSITIVE_ARTICLES)
    return Row(
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
