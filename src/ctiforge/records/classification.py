"""`evaluation.json` of OS-BERT: several classifiers on one test set."""

from pathlib import Path
from typing import ClassVar, Literal

from ctiforge.errors import DataError
from ctiforge.records.base import File, Record, kind_of
from ctiforge.records.evaluation import Bootstrap, Evaluation, MetricFigure, ModelInfo, TestSetInfo

RowKind = Literal["floor", "baseline", "snippet", "model"]


Measure = Literal["accuracy", "agreement"]


class Case(Record):
    """One article of the test set and its true class."""

    id: str
    title: str = ""
    label: str


class ClassFigures(Record):
    """How one class fares."""

    label: str
    support: int
    """Articles of this class."""
    predicted: int
    found: int
    precision: float | None
    recall: float | None
    f1: float | None
    low: float | None
    """Interval of F1; None where too few articles carry it."""
    high: float | None


class Latency(Record):
    """Seconds for one article, all its windows included."""

    median: float
    p95: float


class ClassifierRow(Record):
    """One classifier on the test set."""

    name: str
    kind: RowKind
    metrics: dict[str, MetricFigure]
    """`accuracy`, `macro_f1`, `weighted_f1`, `weighted_precision`, `weighted_recall`."""
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Articles by true class (rows) and predicted class (columns), in the order of `labels`."""
    predictions: tuple[str, ...]
    """The class predicted for each case."""
    latency_s: Latency | None = None
    size_bytes: int | None = None
    """On disk."""


class ClassifierEvaluation(File):
    """Several classifiers on one test set, as `evaluation.json` holds them; the model under test is the last row."""

    NAME: ClassVar[str] = "evaluation.json"

    kind: Literal["classification"] = "classification"
    model: ModelInfo
    test_set: TestSetInfo
    measure: Measure
    """`agreement` where the labels come from the labeler that the model was trained on: then no figure says
    how often it is right."""
    labels: tuple[str, ...]
    fingerprint: str
    cases: tuple[Case, ...]
    rows: tuple[ClassifierRow, ...]
    bootstrap: Bootstrap

    @property
    def result(self) -> ClassifierRow:
        """The row of the model under test."""
        return self.rows[-1]


def without_articles(evaluation: ClassifierEvaluation) -> ClassifierEvaluation:
    """Leave out what is said of single articles: titles and predictions are not published."""
    rows = tuple(row.model_copy(update={"predictions": ()}) for row in evaluation.rows)
    return evaluation.model_copy(update={"cases": (), "rows": rows})


def read_evaluation(text: str, source: str) -> Evaluation | ClassifierEvaluation:
    """Read an `evaluation.json` of either line; see `File.parse`."""
    kind = ClassifierEvaluation if kind_of(text) == "classification" else Evaluation
    return kind.parse(text, source)


def evaluation_file(path: Path, source: str) -> Path:
    """Find the evaluation that is this file, or lies in this folder.

    Args:
        path: The file or folder.
        source: What names it in errors.

    Raises:
        DataError: There is none.
    """
    file = path / Evaluation.NAME if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{source} holds no {Evaluation.NAME}: give the output of an evaluation")
    return file
