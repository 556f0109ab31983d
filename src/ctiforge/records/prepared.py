"""`prepare.json`: where the articles of OS-BERT come from, and who labeled them."""

from typing import ClassVar

from ctiforge.records.base import File, Record


class LabelerAgreement(Record):
    """How far two labelers agree on the articles that both labeled."""

    first: str
    other: str
    articles: int
    same: int
    kappa: float | None
    """Cohen's; None where it is not defined."""
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Articles by the first's label (rows) and the other's (columns)."""


class PrepareReport(File):
    """What was read, labeled, set aside and divided."""

    NAME: ClassVar[str] = "prepare.json"

    min_hunt_score: float
    limit: int | None
    balance: int | None
    augment: int
    """Altered copies of each training article."""
    validation_share: float
    test_share: float
    seed: int
    labeler: str
    articles_read: int
    labelled: int
    set_aside: dict[str, int]
    flags: dict[str, int]
    classes: dict[str, int]
    parts: dict[str, dict[str, int]]
    """Part (train, validation, test) to class to articles."""
    agreement: tuple[LabelerAgreement, ...]
    warnings: tuple[str, ...]
