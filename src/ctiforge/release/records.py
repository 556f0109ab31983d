"""What a model card is made of: the part of each file beside a trained model that the card speaks of."""

import re
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ctiforge.errors import DataError


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class ModelNote(_Record):
    """`ctiforge.json`: how the model reads an article."""

    labels: tuple[str, ...]
    max_length: int
    """Tokens of a window, its special tokens included."""
    overlap: int
    pooling: str


class Training(_Record):
    """`training_metadata.json`."""

    name: str
    base_model: str
    options: dict[str, Any]
    examples: int
    validation_examples: int
    classes: dict[str, int]
    """Class to training examples."""
    class_weights: dict[str, float] | None = None
    labeler: str
    steps_done: int
    best_validation_loss: float | None = None
    seconds: float
    warnings: tuple[str, ...] = ()


class Agreement(_Record):
    """How far two labelers agree on the articles that both labelled."""

    first: str
    other: str
    kappa: float | None
    """Cohen's; None where it is not defined."""
    articles: int


class DataReport(_Record):
    """`prepare.json`: where the training data comes from."""

    labeler: str
    articles_read: int
    labelled: int
    set_aside: dict[str, int]
    parts: dict[str, dict[str, int]]
    """Part (train, validation, test) to class to articles."""
    agreement: tuple[Agreement, ...] = ()
    augment: int = 0
    """Altered copies of each training article."""
    warnings: tuple[str, ...] = ()
    min_hunt_score: float | None = None


class ScoredModel(_Record):
    """Name, and the version of exactly these weights."""

    name: str
    version: str


class TestSet(_Record):
    """What the figures were measured on."""

    __test__ = False

    name: str
    version: str
    content_hash: str
    articles: int


class Figure(_Record):
    """One metric with its interval."""

    label: str
    value: float | None
    low: float | None
    high: float | None


class ClassFigures(_Record):
    """How one class fares."""

    label: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    low: float | None
    high: float | None


class Latency(_Record):
    """Seconds for one article."""

    median: float
    p95: float


class Row(_Record):
    """One classifier on the test set."""

    name: str
    kind: Literal["floor", "baseline", "snippet", "model"]
    metrics: dict[str, Figure]
    classes: tuple[ClassFigures, ...]
    latency_s: Latency | None = None
    size_bytes: int | None = None


class Bootstrap(_Record):
    """How the intervals were made."""

    level: float
    replicates: int
    least_articles: int


class Evaluated(_Record):
    """An evaluation without its articles: titles and predictions are not published."""

    model: ScoredModel
    test_set: TestSet
    measure: Literal["accuracy", "agreement"]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    """The model itself is the last one."""
    bootstrap: Bootstrap

    @property
    def result(self) -> Row:
        """The row of the model itself."""
        return self.rows[-1]


_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_R = TypeVar("_R", bound=_Record)


def is_hub_name(base_model: str) -> bool:
    """Whether a base model is named as on the Hub: neither a path nor the demo's own."""
    return base_model != "demo" and _HUB_NAME.fullmatch(base_model) is not None


def public_name(base_model: str) -> str:
    """A base model's name as it is; of a path its last part: the rest is nobody's business."""
    return base_model if is_hub_name(base_model) else base_model.rstrip("/").rpartition("/")[2]


def read_record(kind: type[_R], path: Path) -> _R:
    """Read one of the records above from its file. Raises DataError naming the file and the field that is wrong."""
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise DataError(f"{path.name} is missing in {path.parent}: give a folder that ctiforge wrote") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path.name}: {where}: {first['msg']}; give a folder that ctiforge wrote") from None
