"""What the gate needs of an evaluation, the same for both lines: figures as functions of drawn articles.

Guardrails that are shares within an article are averaged over articles: pooled, a few long articles would outweigh
all others, and what has been seen of those few bounds no loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ctiforge.errors import DataError
from ctiforge.evaluation.scoring.classification import METRICS as CLASS_METRICS
from ctiforge.evaluation.scoring.classification import ClassCounts, ClassFormula
from ctiforge.evaluation.scoring.scores import METRICS, Counts, Metric, per
from ctiforge.evaluation.statistics import Floats, ratio
from ctiforge.records.base import kind_of
from ctiforge.records.classification import ClassifierEvaluation, ClassifierRow
from ctiforge.records.evaluation import Direction, Evaluation, MetricFigure, ModelInfo, TestSetInfo, Unit

_SHARES = {
    "zero_false_positives": ("zero.wrong", "zero.pairs"),
    "json_validity": ("json_parsed", "windows"),
    "grounded": ("located", "all.predicted"),
}
"""Figure → what it counts in an article, and out of what."""
GATE_METRICS = tuple(
    replace(
        metric,
        label=f"{metric.label}, by article",
        formula=per(f"{metric.name}.share", f"{metric.name}.articles"),
        support=f"{metric.name}.articles",
    )
    if metric.name in _SHARES
    else metric
    for metric in METRICS
)
"""The metrics of an evaluation as the gate takes them, over the columns of `with_shares`."""


@dataclass(frozen=True)
class Figures:
    """One figure of one evaluation under any draw of its articles."""

    label: str
    direction: Direction
    unit: Unit
    values: Callable[[Floats], Floats]
    """Draws (replicates, articles) → the figure in each."""
    size: Floats
    """(articles,): how much of the figure rests on each article; 0 for those that do not speak for it."""


@dataclass(frozen=True)
class Scored:
    """One evaluation as the gate sees it."""

    who: str
    """What reasons call it."""
    model: ModelInfo
    """The model's name and version."""
    test_set: TestSetInfo
    """The test set that it was scored on."""
    articles: tuple[tuple[str, ...], ...]
    """Each article's id and what is labeled in it."""
    positives: int
    """Articles with anything to find."""
    figures: dict[str, Figures]
    """Figure → its values under draws of articles."""
    shown: dict[str, MetricFigure]
    """The same as the evaluation shows them, with their intervals."""


def schema_of(line: str) -> int:
    """Look up the schema number of the evaluations that a line's gate reads.

    Args:
        line: The line's name.

    Returns:
        The number that this version writes.
    """
    return (Evaluation if line == "extract" else ClassifierEvaluation).SCHEMA


def read_side(line: str, text: str, source: str) -> Scored:
    """Read the evaluation that a line's gate decides on.

    Args:
        line: The line's name.
        text: The content of `evaluation.json`.
        source: What names it in errors.

    Returns:
        The evaluation as the gate sees it.

    Raises:
        DataError: It is no evaluation of that line, or one that only tells how far a model agrees with its labeler.
    """
    if (kind_of(text) == "classification") == (line == "extract"):
        # their files have one name and numbers of their own: told by the number, the other line's looks too old or new
        raise DataError(f"{source} is no evaluation of {line}: give one that was made of a model of that line")
    if line == "extract":
        return scored_extraction(Evaluation.parse(text, source))
    return scored_classification(ClassifierEvaluation.parse(text, source))


def read_floor(text: str, source: str) -> Scored:
    """Read the best floor, by macro-F1, that an evaluation of OS-BERT has beside its model.

    Args:
        text: The content of `evaluation.json`.
        source: What names it in errors.

    Returns:
        The floor as the gate sees it.

    Raises:
        DataError: It is no evaluation of OS-BERT, or has no floor.
    """
    evaluation = ClassifierEvaluation.parse(text, source)
    floors = [scored_classification(evaluation, row) for row in evaluation.rows if row.kind == "floor"]
    if not floors:
        raise DataError(f"{source} has no floor to be compared with: evaluate the model again")
    once = np.ones((1, len(evaluation.cases)))
    return max(floors, key=lambda each: float(each.figures["macro_f1"].values(once)[0]))


def scored_extraction(evaluation: Evaluation) -> Scored:
    """Take an evaluation of the Extract Agent as the gate sees it.

    A rule, which answers no windows, copies its values from the text: that they stand there says nothing.
    """
    counted = Counts.of(evaluation.articles)
    counts = Counts(with_shares(counted.columns), counted.types, counted.articles)
    figures = {metric.name: _figures(metric, counts) for metric in GATE_METRICS}
    if not counts.columns["windows"].any():
        figures["grounded"] = _silent(figures["grounded"])
    return Scored(
        who=_named(evaluation.model),
        model=evaluation.model,
        test_set=evaluation.test_set,
        articles=tuple((article.id, *sorted(article.counts)) for article in evaluation.articles),
        positives=int((counts.columns["all.expected"] > 0).sum()),
        figures=figures,
        shown=evaluation.metrics,
    )


def scored_classification(evaluation: ClassifierEvaluation, row: ClassifierRow | None = None) -> Scored:
    """Take an evaluation of OS-BERT as the gate sees it: its model's row, or another one of it (a floor).

    Raises DataError where its labels come from the labeler that the model learnt from.
    """
    if evaluation.measure == "agreement":
        raise DataError(
            f"{evaluation.model.name} was scored against labels of its own labeler: that is agreement, which no model "
            "is promoted for; evaluate it on a test set that people made (ctiforge testset)"
        )
    chosen = row or evaluation.result
    model = evaluation.model if row is None else ModelInfo(name=chosen.name, version="floor")
    counts = ClassCounts([case.label for case in evaluation.cases], chosen.predictions, evaluation.labels)
    return Scored(
        who=_named(model) if row is None else chosen.name,
        model=model,
        test_set=evaluation.test_set,
        articles=tuple((case.id, case.label) for case in evaluation.cases),
        positives=len(evaluation.cases),
        figures={name: _class_figures(label, formula, counts) for name, (label, formula) in CLASS_METRICS.items()},
        shown=chosen.metrics,
    )


def with_shares(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Add, for each share within an article, that share and whether the article has it, to the columns of counts."""
    shares = {f"{name}.share": np.nan_to_num(ratio(columns[top], columns[of])) for name, (top, of) in _SHARES.items()}
    there = {f"{name}.articles": (columns[of] > 0).astype(np.float64) for name, (_, of) in _SHARES.items()}
    return {**columns, **shares, **there}


def _figures(metric: Metric, counts: Counts) -> Figures:
    size = counts.columns.get(metric.support, np.zeros(counts.articles))
    return Figures(metric.label, metric.direction, metric.unit, lambda drawn: metric.formula(counts.sums(drawn)), size)


def _silent(figures: Figures) -> Figures:
    """Make the same figure say nothing, as where there is none."""
    return replace(figures, values=lambda drawn: np.full(len(drawn), np.nan), size=0 * figures.size)


def _class_figures(label: str, formula: ClassFormula, counts: ClassCounts) -> Figures:
    return Figures(
        label,
        "higher",
        "share",
        lambda drawn: formula(counts.sums(drawn)),
        np.ones(len(counts.expected)),
    )


def _named(model: ModelInfo) -> str:
    return f"{model.name} ({model.version})"
