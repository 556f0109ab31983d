"""`comparison.json` of either line: evaluations side by side."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record, kind_of
from ctiforge.records.classification import ClassifierRow, Measure
from ctiforge.records.evaluation import Bootstrap, Direction, ModelInfo, TestSetInfo, Unit

ChangeVerdict = Literal["better", "worse", "no clear difference", "underpowered", "changed", "equal", "n/a"]


class Change(Record):
    """One figure before and after."""

    label: str
    group: str
    """`figure` for a metric, else the group of the row whose F1 it is."""
    direction: Direction
    unit: Unit
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    """Paired interval of the difference; None where too few articles carry it."""
    high: float | None
    articles: int
    verdict: ChangeVerdict


class Contender(Record):
    """One evaluation against the baseline."""

    model: ModelInfo
    fingerprint: str
    changes: tuple[Change, ...]


class Comparison(File):
    """What `comparison.json` holds."""

    NAME: ClassVar[str] = "comparison.json"

    test_set: TestSetInfo
    baseline: ModelInfo
    baseline_fingerprint: str
    contenders: tuple[Contender, ...]
    bootstrap: Bootstrap


class Difference(Record):
    """The model's figure minus another row's, with its paired interval."""

    value: float
    low: float | None
    high: float | None
    verdict: ChangeVerdict


class ComparedRow(Record):
    """One row, and what the model has over it; nothing for the model itself."""

    row: ClassifierRow
    differences: dict[str, Difference]


class ClassifierComparison(File):
    """What `comparison.json` holds."""

    NAME: ClassVar[str] = "comparison.json"

    kind: Literal["classification"] = "classification"
    test_set: TestSetInfo
    measure: Measure
    labels: tuple[str, ...]
    model: str
    rows: tuple[ComparedRow, ...]
    bootstrap: Bootstrap


def read_comparison(text: str, source: str) -> Comparison | ClassifierComparison:
    """Read a `comparison.json` of either line; see `File.parse`."""
    kind = ClassifierComparison if kind_of(text) == "classification" else Comparison
    return kind.parse(text, source)
