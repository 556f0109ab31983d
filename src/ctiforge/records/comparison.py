"""`comparison.json` of either line: evaluations side by side."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ctiforge.records.base import File, Record, Upgrade, is_none, kind_of
from ctiforge.records.classification import ClassifierRow, Measure
from ctiforge.records.evaluation import Direction, Intervals, ModelInfo, TestSetInfo, Unit, with_intervals

ChangeVerdict = Literal["better", "worse", "no clear difference", "underpowered", "changed", "equal", "n/a"]


class Change(Record):
    """One figure before and after."""

    label: str
    """What tables call the figure or row."""
    group: str
    """`figure` for a metric, else the group of the row whose F1 it is."""
    direction: Direction
    """Word which way is better."""
    unit: Unit
    """Whether it is a share, 0 to 1, or a number."""
    before: float | None
    """The baseline's figure; None where nothing speaks for it."""
    after: float | None
    """The contender's figure; None where nothing speaks for it."""
    difference: float | None
    """After minus before; None where either is missing."""
    low: float | None
    """The lower end of the difference's paired interval; None where too few articles carry it."""
    high: float | None
    """The upper end; None like `low`."""
    articles: int
    """Articles that speak for the figure on either side, of both the fewer."""
    primary: bool = False
    """Whether it is the figure that a model is judged by; the others are exploratory."""
    p: float | None = None
    """The two-sided p-value of no difference, that of an exploratory figure adjusted for all of them together (Holm);
    None where too few articles carry one."""
    verdict: ChangeVerdict
    """The difference in words."""


class Contender(Record):
    """One evaluation against the baseline."""

    model: ModelInfo
    """The model that was compared."""
    fingerprint: str
    """That of its evaluation."""
    changes: tuple[Change, ...]
    """Its figures and rows against the baseline's."""
    articles: int | None = Field(None, exclude_if=is_none)
    """The articles that both were scored on, where that is a sample; None: the whole test set."""


class Comparison(File):
    """Evaluations of the Extract Agent side by side, the first as the baseline."""

    NAME: ClassVar[str] = "comparison.json"
    SCHEMA: ClassVar[int] = 2
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {1: with_intervals}

    test_set: TestSetInfo
    """The articles that all were scored on."""
    baseline: ModelInfo
    """The model that the others are compared with."""
    baseline_fingerprint: str
    """That of the baseline's evaluation."""
    contenders: tuple[Contender, ...]
    """The others, in the order that they were given."""
    intervals: Intervals
    """How the intervals were made."""


class Difference(Record):
    """The model's figure minus another row's, with its paired interval."""

    value: float
    """The model's figure minus the row's."""
    low: float | None
    """The lower end of the paired interval; None where too few articles carry it."""
    high: float | None
    """The upper end; None like `low`."""
    verdict: ChangeVerdict
    """The difference in words."""


class ComparedRow(Record):
    """One row, and what the model has over it; nothing for the model itself."""

    row: ClassifierRow
    """The classifier's own figures."""
    differences: dict[str, Difference]
    """Figure → what the model has over this row; empty for the model itself."""


class ClassifierComparison(File):
    """Evaluations of OS-BERT side by side: every row against the newest model."""

    NAME: ClassVar[str] = "comparison.json"
    SCHEMA: ClassVar[int] = 2
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {1: with_intervals}

    kind: Literal["classification"] = "classification"
    """Tells it from a comparison of Extract Agents."""
    test_set: TestSetInfo
    """The articles that all were scored on."""
    measure: Measure
    """`agreement` where the labels come from the labeler that the model was trained on."""
    labels: tuple[str, ...]
    """The classes."""
    model: str
    """The name of the model that the rows are held against."""
    rows: tuple[ComparedRow, ...]
    """All classifiers, the model's own row last."""
    intervals: Intervals
    """How the intervals were made."""


def read_comparison(text: str, source: str) -> Comparison | ClassifierComparison:
    """Read a `comparison.json` of either line.

    Args:
        text: The file's content.
        source: What names it in errors.

    Returns:
        The comparison, of the kind that the file says.

    Raises:
        SchemaError: It follows a newer schema, or one that is too old.
        DataError: It is no comparison.
    """
    kind = ClassifierComparison if kind_of(text) == "classification" else Comparison
    return kind.parse(text, source)
