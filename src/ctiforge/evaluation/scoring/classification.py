"""How well classifiers name the class of each article of one test set: a row each, with intervals over articles.

Precision, recall and F1 of a class, their macro mean and their mean weighted by the class's articles
are those of scikit-learn's `classification_report`; the macro mean is over classes that occur in the
test set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES, Floats, draws, f1, interval, ratio
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

    def replicated(self, formula: ClassFormula) -> Floats:
        """Compute a figure in every bootstrap replicate, the same draws for everything over as many articles.

        Args:
            formula: The figure, as a function of the counts.

        Returns:
            (replicates,): its value in each.
        """
        return np.concatenate([formula(self.sums(block)) for block in draws(len(self.expected))])

    def sums(self, drawn: Floats) -> "ClassSums":
        """Sum the counts under each draw of articles.

        Args:
            drawn: (replicates, articles): how often each article was drawn.

        Returns:
            The sums, one row a replicate.
        """
        found = drawn @ (self.expected * self.predicted)
        return ClassSums(drawn.sum(axis=1), drawn @ self.expected, drawn @ self.predicted, found)

    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """Count articles by true class (rows) and predicted class (columns)."""
        return tuple(tuple(int(count) for count in row) for row in self.expected.T @ self.predicted)


@dataclass(frozen=True)
class ClassSums:
    """Articles under each replicate, (replicates,), and by class, (replicates, classes)."""

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
        (replicates,): 0 to 1; NaN where no class occurs.
    """
    each = np.where(sums.expected > 0, f1(sums.found, sums.expected, sums.predicted), np.nan)
    known = np.isfinite(each)
    return ratio(np.where(known, each, 0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def weighted(of: Callable[[ClassSums], Floats]) -> ClassFormula:
    """Average a figure of the classes, (replicates, classes), by their articles; what is no number counts 0."""
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
    seconds: Sequence[float] = (),
    size_bytes: int | None = None,
) -> ClassifierRow:
    """Score one classifier on a test set.

    Args:
        name: What tables call it.
        kind: What it is: `floor`, `baseline`, `snippet` or `model`.
        truths: The true class of each article.
        predictions: The predicted class of each article, in the same order.
        labels: All classes; their order is that of the confusion's rows and columns.
        seconds: The latencies of the articles that were timed; empty: none is reported.
        size_bytes: What the classifier takes on disk; None for a rule.

    Returns:
        The row with every figure, its interval from `MIN_POSITIVE_ARTICLES` articles on.
    """
    counts = ClassCounts(truths, predictions, labels)
    replicated = [counts.sums(block) for block in draws(len(truths))]
    once = counts.once()
    return ClassifierRow(
        name=name,
        kind=kind,
        metrics={
            metric: _figure(label, formula, once, replicated, len(truths))
            for metric, (label, formula) in METRICS.items()
        },
        classes=tuple(_class_figures(number, label, once, replicated) for number, label in enumerate(labels)),
        confusion=counts.confusion(),
        predictions=tuple(predictions),
        latency_s=Latency(median=float(np.median(seconds)), p95=float(np.quantile(seconds, 0.95))) if seconds else None,
        size_bytes=size_bytes,
    )


def _one_hot(values: Sequence[str], labels: Sequence[str]) -> Floats:
    return np.array([[float(value == label) for label in labels] for value in values]).reshape(len(values), len(labels))


def _figure(
    label: str, formula: ClassFormula, once: ClassSums, replicated: Sequence[ClassSums], articles: int
) -> MetricFigure:
    value = float(formula(once)[0])
    enough = articles >= MIN_POSITIVE_ARTICLES
    found = interval(np.concatenate([formula(sums) for sums in replicated])) if enough else None
    return MetricFigure(
        label=label,
        direction="higher",
        unit="share",
        value=value if np.isfinite(value) else None,
        low=found.low if found else None,
        high=found.high if found else None,
        support=articles,
    )


def _class_figures(number: int, label: str, once: ClassSums, replicated: Sequence[ClassSums]) -> ClassFigures:
    support, predicted, found = (int(each[0, number]) for each in (once.expected, once.predicted, once.found))
    of_class = (
        interval(np.concatenate([f1(s.found, s.expected, s.predicted)[:, number] for s in replicated]))
        if support >= MIN_POSITIVE_ARTICLES
        else None
    )
    return ClassFigures(
        label=label,
        support=support,
        predicted=predicted,
        found=found,
        precision=found / predicted if predicted else None,
        recall=found / support if support else None,
        f1=2 * found / (support + predicted) if support + predicted else None,
        low=of_class.low if of_class else None,
        high=of_class.high if of_class else None,
    )
