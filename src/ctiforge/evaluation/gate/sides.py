"""What the gate needs of an evaluation, the same for both lines: figures as functions of drawn articles.

Shares are of all windows, items or pairs together; that those of one article stand or fall together is what the
jackknife over articles allows for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ctiforge.errors import DataError
from ctiforge.evaluation.scoring.classification import METRICS as CLASS_METRICS
from ctiforge.evaluation.scoring.classification import ClassCounts, ClassFormula, weight_of
from ctiforge.evaluation.scoring.report import row_metric
from ctiforge.evaluation.scoring.scores import METRICS, Counts, Metric, size_of
from ctiforge.evaluation.statistics import Floats, f1
from ctiforge.records.base import kind_of
from ctiforge.records.classification import ClassifierEvaluation, ClassifierRow
from ctiforge.records.evaluation import Direction, Evaluation, MetricFigure, ModelInfo, TestSetInfo, Unit


@dataclass(frozen=True)
class Figures:
    """One figure of one evaluation under any draw of its articles."""

    label: str
    direction: Direction
    unit: Unit
    values: Callable[[Floats], Floats]
    """Draws (draws, articles) → the figure in each."""
    size: Floats
    """(articles,): how much of the figure rests on each article; 0 for those that do not speak for it."""


@dataclass(frozen=True)
class Part:
    """A type of observables, or a class, as the gate looks at it by itself."""

    figures: Figures
    """Its F1."""
    positives: int
    """Articles with anything of it to find."""
    counts: str
    """What was found of it, in words."""


@dataclass(frozen=True)
class Scored:
    """One evaluation as the gate sees it."""

    who: str
    """What reasons call it."""
    model: ModelInfo
    """The model's name and version."""
    test_set: TestSetInfo
    """The test set that it was scored on."""
    scoring: int
    """The number of the rules that it was scored by."""
    articles: tuple[tuple[str, ...], ...]
    """Each article's id and what is labeled in it."""
    positives: int
    """Articles with anything to find."""
    figures: dict[str, Figures]
    """Figure → its values under draws of articles."""
    parts: dict[str, Part]
    """Type or class → how it fares by itself."""
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

    Args:
        evaluation: The evaluation.

    Returns:
        Its figures under any draw of articles.
    """
    return scored_counts(
        Counts.of(evaluation.articles),
        model=evaluation.model,
        test_set=evaluation.test_set,
        scoring=evaluation.scoring,
        articles=tuple((article.id, *sorted(article.counts)) for article in evaluation.articles),
        shown=evaluation.metrics,
    )


def scored_counts(
    counts: Counts,
    *,
    model: ModelInfo,
    test_set: TestSetInfo,
    scoring: int,
    articles: tuple[tuple[str, ...], ...],
    shown: dict[str, MetricFigure],
) -> Scored:
    """Take the counts of an Extract Agent's articles as the gate sees them; see `Scored` for what else it is given."""
    figures = {metric.name: _figures(metric, counts) for metric in METRICS}
    if not counts.columns["windows"].any():
        figures["grounded"] = _silent(figures["grounded"])
    return Scored(
        who=_named(model),
        model=model,
        test_set=test_set,
        scoring=scoring,
        articles=articles,
        positives=int((counts.columns["all.expected"] > 0).sum()),
        figures=figures,
        parts={type_: _type(type_, counts) for type_ in counts.types},
        shown=shown,
    )


def scored_classification(evaluation: ClassifierEvaluation, row: ClassifierRow | None = None) -> Scored:
    """Take an evaluation of OS-BERT as the gate sees it: its model's row, or another one of it (a floor).

    Args:
        evaluation: The evaluation.
        row: The row to take; None: its model's.

    Returns:
        The row's figures under any draw of articles.

    Raises:
        DataError: Its labels come from the labeler that the model learnt from.
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
        scoring=1,
        articles=tuple((case.id, case.label) for case in evaluation.cases),
        positives=len(evaluation.cases),
        figures={name: _class_figures(label, formula, counts) for name, (label, formula) in CLASS_METRICS.items()},
        parts={label: _class(number, label, counts) for number, label in enumerate(evaluation.labels)},
        shown=chosen.metrics,
    )


def _figures(metric: Metric, counts: Counts) -> Figures:
    return Figures(
        metric.label,
        metric.direction,
        metric.unit,
        lambda drawn: metric.formula(counts.sums(drawn)),
        size_of(metric, counts),
    )


def _type(type_: str, counts: Counts) -> Part:
    prefix = f"type:{type_}"
    columns = counts.columns
    expected, predicted, found = (int(columns[f"{prefix}.{each}"].sum()) for each in ("expected", "predicted", "found"))
    return Part(
        replace(_figures(row_metric(prefix), counts), label=f"F1, {type_}"),
        int((columns[f"{prefix}.expected"] > 0).sum()),
        f"{found} of {expected} found, {predicted - found} wrong",
    )


def _silent(figures: Figures) -> Figures:
    """Make the same figure say nothing, as where there is none."""
    return replace(figures, values=lambda drawn: np.full(len(drawn), np.nan), size=0 * figures.size)


def _class_figures(label: str, formula: ClassFormula, counts: ClassCounts) -> Figures:
    return Figures(
        label,
        "higher",
        "share",
        lambda drawn: formula(counts.sums(drawn)),
        weight_of(formula, counts),
    )


def _class(number: int, label: str, counts: ClassCounts) -> Part:
    expected, predicted = (int(each[:, number].sum()) for each in (counts.expected, counts.predicted))
    found = int((counts.expected * counts.predicted)[:, number].sum())
    formula: ClassFormula = lambda sums: f1(sums.found, sums.expected, sums.predicted)[:, number]  # noqa: E731
    figures = replace(_class_figures(f"F1, {label}", formula, counts), size=counts.expected[:, number])
    return Part(figures, expected, f"{found} of {expected} found, {predicted - found} wrong")


def _named(model: ModelInfo) -> str:
    return f"{model.name} ({model.version})"
