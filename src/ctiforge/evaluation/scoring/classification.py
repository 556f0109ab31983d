"""How well classifiers name the class of each article of one test set: a row each, with intervals over articles.

Precision, recall and F1 of a class, their macro mean and their mean weighted by the class's articles
are those of scikit-learn's `classification_report`; the macro mean is over classes that occur in the
test set.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES, Estimate, Floats, estimate, f1, leave_one_out, ratio
from ctiforge.records.classification import ClassFigures, ClassifierRow, Latency, RowKind
from ctiforge.records.evaluation import MetricFigure

ClassFormula = Callable[["ClassSums"], Floats]


class ClassCounts:
    """The true and the predicted class of each article, (articles, classes) of 0 and 1."""

    def __init__(self, truths: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> None:
        self.expected = _one_hot(truths, labels)
        self.predicted = _one_hot(predictions, labels)

    def once(self) -> "ClassSums":
        """Count with each article once."""
        return self.sums(np.ones((1, len(self.expected))))

    def sums(self, drawn: Floats) -> "ClassSums":
        """Sum the counts under each draw of articles.

        Args:
            drawn: (draws, articles): how often each article counts.

        Returns:
            The sums, one row a draw.
        """
        found = drawn @ (self.expected * self.predicted)
        return ClassSums(drawn.sum(axis=1), drawn @ self.expected, drawn @ self.predicted, found)

    def by_class(self) -> Floats:
        """Compute how much of a mean over classes rests on each article: one by the articles of its class."""
        return self.expected @ np.nan_to_num(ratio(np.ones(self.expected.shape[1]), self.expected.sum(axis=0)))

    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """Count articles by true class (rows) and predicted class (columns)."""
        return tuple(tuple(int(count) for count in row) for row in self.expected.T @ self.predicted)


@dataclass(frozen=True)
class ClassSums:
    """Articles under each draw, (draws,), and by class, (draws, classes)."""

    articles: Floats
    expected: Floats
    predicted: Floats
    found: Floats


def accuracy(sums: ClassSums) -> Floats:
    """Compute the share of articles whose class is named."""
    return ratio(sums.found.sum(axis=1), sums.articles)


def macro_f1(sums: ClassSums) -> Floats:
    """Compute the mean F1 of the classes that occur in the test set (scikit-learn's `macro avg` over those classes).

    Args:
        sums: The counts, under one or more draws of articles.

    Returns:
        (draws,): 0 to 1; NaN where no class occurs.
    """
    each = np.where(sums.expected > 0, f1(sums.found, sums.expected, sums.predicted), np.nan)
    known = np.isfinite(each)
    return ratio(np.where(known, each, 0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def weighted(of: Callable[[ClassSums], Floats]) -> ClassFormula:
    """Average a figure of the classes, (draws, classes), by their articles; what is no number counts 0."""
    return lambda sums: ratio((np.nan_to_num(of(sums)) * sums.expected).sum(axis=1), sums.articles)


METRICS: dict[str, tuple[str, ClassFormula]] = {
    "accuracy": ("accuracy", accuracy),
    "macro_f1": ("macro-F1", macro_f1),
    "weighted_f1": ("weighted F1", weighted(lambda sums: f1(sums.found, sums.expected, sums.predicted))),
    "weighted_precision": ("weighted precision", weighted(lambda sums: ratio(sums.found, sums.predicted))),
    "weighted_recall": ("weighted recall", weighted(lambda sums: ratio(sums.found, sums.expected))),
}
"""Name to label and formula; higher is better in all of them."""


def score_row(
    name: str,
    kind: RowKind,
    truths: Sequence[str],
    predictions: Sequence[str],
    labels: Sequence[str],
    *,
    errors: Sequence[str] = (),
    seconds: Sequence[float] = (),
    size_bytes: int | None = None,
) -> ClassifierRow:
    """Score one classifier on a test set.

    Args:
        name: What tables call it.
        kind: What it is: `floor`, `baseline`, `snippet` or `model`.
        truths: The true class of each article.
        predictions: The predicted class of each article, in the same order; what is none of `labels` is wrong.
        labels: All classes; their order is that of the confusion's rows and columns.
        errors: Why the classifier failed, once for each article that it has no prediction for.
        seconds: The latencies of the articles that were timed; empty: none is reported.
        size_bytes: What the classifier takes on disk; None for a rule.

    Returns:
        The row with every figure, its interval from `MIN_POSITIVE_ARTICLES` articles on.
    """
    counts = ClassCounts(truths, predictions, labels)
    return ClassifierRow(
        name=name,
        kind=kind,
        metrics={metric: _figure(label, formula, counts) for metric, (label, formula) in METRICS.items()},
        classes=tuple(_class_figures(number, label, counts) for number, label in enumerate(labels)),
        confusion=counts.confusion(),
        predictions=tuple(predictions),
        failed=dict(sorted(Counter(errors).items())),
        latency_s=Latency(median=float(np.median(seconds)), p95=float(np.quantile(seconds, 0.95))) if seconds else None,
        size_bytes=size_bytes,
    )


def estimate_figure(formula: ClassFormula, counts: ClassCounts) -> Estimate:
    """Estimate a figure over two articles or more.

    Args:
        formula: The figure, as a function of the counts.
        counts: The classes of the articles.

    Returns:
        The estimate.
    """
    return estimate(formula(counts.sums(leave_one_out(len(counts.expected)))), weight_of(formula, counts))


def estimate_gain(formula: ClassFormula, before: ClassCounts, after: ClassCounts) -> Estimate:
    """Estimate what a figure changes by from one classifier to the other, paired over the same two articles or more.

    Args:
        formula: The figure, as a function of the counts.
        before: The classes that one of them names.
        after: The classes that the other one names.

    Returns:
        The estimate of after minus before.
    """
    drawn = leave_one_out(len(before.expected))
    return estimate(formula(after.sums(drawn)) - formula(before.sums(drawn)), weight_of(formula, before))


def weight_of(formula: ClassFormula, counts: ClassCounts) -> Floats:
    """Compute how much of a figure rests on each article.

    Args:
        formula: The figure.
        counts: The classes of the articles.

    Returns:
        (articles,): one each, or for a mean over classes more for those of rare classes.
    """
    return counts.by_class() if formula is macro_f1 else np.ones(len(counts.expected))


def _one_hot(values: Sequence[str], labels: Sequence[str]) -> Floats:
    return np.array([[float(value == label) for label in labels] for value in values]).reshape(len(values), len(labels))


def _figure(label: str, formula: ClassFormula, counts: ClassCounts) -> MetricFigure:
    articles = len(counts.expected)
    value = float(formula(counts.once())[0])
    found = estimate_figure(formula, counts).interval() if articles >= MIN_POSITIVE_ARTICLES else None
    return MetricFigure(
        label=label,
        direction="higher",
        unit="share",
        value=value if np.isfinite(value) else None,
        low=max(0.0, found.low) if found else None,
        high=min(1.0, found.high) if found else None,
        support=articles,
    )


def _class_figures(number: int, label: str, counts: ClassCounts) -> ClassFigures:
    once = counts.once()
    support, predicted, found = (int(each[0, number]) for each in (once.expected, once.predicted, once.found))
    of_class = None
    if support >= MIN_POSITIVE_ARTICLES:
        sums = counts.sums(leave_one_out(len(counts.expected)))
        figures = f1(sums.found, sums.expected, sums.predicted)[:, number]
        of_class = estimate(figures, counts.expected[:, number]).interval()
    return ClassFigures(
        label=label,
        support=support,
        predicted=predicted,
        found=found,
        precision=found / predicted if predicted else None,
        recall=found / support if support else None,
        f1=2 * found / (support + predicted) if support + predicted else None,
        low=max(0.0, of_class.low) if of_class else None,
        high=min(1.0, of_class.high) if of_class else None,
    )
