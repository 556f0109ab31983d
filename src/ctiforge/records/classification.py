"""`evaluation.json` of OS-BERT: several classifiers on one test set."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from ctiforge.errors import DataError
from ctiforge.records.base import File, Record, Upgrade, kind_of
from ctiforge.records.evaluation import Evaluation, Intervals, MetricFigure, ModelInfo, TestSetInfo, with_intervals

RowKind = Literal["floor", "baseline", "snippet", "model"]


Measure = Literal["accuracy", "agreement"]


NO_ANSWER = "no answer"
"""In the place of a predicted class where the classifier failed: it counts as wrong."""


class Case(Record):
    """One article of the test set and its true class."""

    id: str
    """The article's id."""
    title: str = ""
    """The article's title."""
    label: str
    """Its true class."""


class ClassFigures(Record):
    """How one class fares."""

    label: str
    """The class."""
    support: int
    """Articles of this class."""
    predicted: int
    """Articles that the classifier says are of it."""
    found: int
    """Articles of this class that the classifier says are of it."""
    precision: float | None
    """found / predicted; None where nothing was predicted."""
    recall: float | None
    """found / support; None where no article is of this class."""
    f1: float | None
    """2 · found / (support + predicted); None where both are 0."""
    low: float | None
    """The lower end of F1's interval; None where too few articles carry it."""
    high: float | None
    """The upper end; None like `low`."""


class Latency(Record):
    """Seconds for one article, all its windows included."""

    median: float
    """Half of the articles take no longer."""
    p95: float
    """Nineteen of twenty articles take no longer."""


class ClassifierRow(Record):
    """One classifier on the test set."""

    name: str
    """What tables call it."""
    kind: RowKind
    """A floor, a baseline, the model used otherwise (`snippet`: on the first window alone, or behind the rule of
    keywords), or the model."""
    metrics: dict[str, MetricFigure]
    """`accuracy`, `macro_f1`, `weighted_f1`, `weighted_precision`, `weighted_recall`."""
    classes: tuple[ClassFigures, ...]
    """How each class fares, in the order of `labels`."""
    confusion: tuple[tuple[int, ...], ...]
    """Articles by true class (rows) and predicted class (columns), in the order of `labels`."""
    predictions: tuple[str, ...]
    """The class predicted for each case; `no answer` where the classifier failed, which counts as wrong."""
    failed: dict[str, int] = {}
    """Why it failed, and on how many articles each."""
    latency_s: Latency | None = None
    """Seconds for one article; None where nothing was timed."""
    size_bytes: int | None = None
    """What it takes on disk; None for a rule."""


class ClassifierEvaluation(File):
    """Several classifiers on one test set, as `evaluation.json` holds them; the model under test is the last row."""

    NAME: ClassVar[str] = "evaluation.json"
    SCHEMA: ClassVar[int] = 2
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {1: with_intervals}

    kind: Literal["classification"] = "classification"
    """Tells it from an evaluation of the Extract Agent."""
    model: ModelInfo
    """The model under test."""
    test_set: TestSetInfo
    """The articles that everything was scored on."""
    measure: Measure
    """`agreement` where the labels come from the labeler that the model was trained on: then no figure says
    how often it is right."""
    labels: tuple[str, ...]
    """The classes, in the order of every confusion."""
    fingerprint: str
    """Equal for the same weights, articles and rows."""
    cases: tuple[Case, ...]
    """The articles with their true classes, in the order of the predictions."""
    rows: tuple[ClassifierRow, ...]
    """One for each classifier; the model under test is the last."""
    intervals: Intervals
    """How the intervals were made."""

    @property
    def result(self) -> ClassifierRow:
        """Return the row of the model under test."""
        return self.rows[-1]


def without_articles(evaluation: ClassifierEvaluation) -> ClassifierEvaluation:
    """Leave out what is said of single articles: titles, predictions and errors are not published.

    Args:
        evaluation: An evaluation of OS-BERT.

    Returns:
        A copy with every figure, and neither cases nor predictions nor errors.
    """
    rows = tuple(row.model_copy(update={"predictions": (), "failed": {}}) for row in evaluation.rows)
    return evaluation.model_copy(update={"cases": (), "rows": rows})


def read_evaluation(text: str, source: str) -> Evaluation | ClassifierEvaluation:
    """Read an `evaluation.json` of either line.

    Args:
        text: The file's content.
        source: What names it in errors.

    Returns:
        The evaluation, of the kind that the file says.

    Raises:
        SchemaError: It follows a newer schema, or one that is too old.
        DataError: It is no evaluation.
    """
    kind = ClassifierEvaluation if kind_of(text) == "classification" else Evaluation
    return kind.parse(text, source)


def evaluation_file(path: Path, source: str) -> Path:
    """Find the evaluation that is this file, or lies in this folder.

    Args:
        path: The file or folder.
        source: What names it in errors.

    Returns:
        The file.

    Raises:
        DataError: There is none.
    """
    file = path / Evaluation.NAME if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{source} holds no {Evaluation.NAME}: give the output of an evaluation")
    return file
