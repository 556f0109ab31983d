"""`prepare.json`: where the articles of OS-BERT come from, and who labeled them."""

from typing import ClassVar

from ctiforge.records.base import File, Record


class LabelerAgreement(Record):
    """How far two labelers agree on the articles that both labeled."""

    first: str
    """The name of the first labeler."""
    other: str
    """The name of the other one."""
    articles: int
    """Articles that both labeled."""
    same: int
    """Articles that both gave one label."""
    kappa: float | None
    """Cohen's kappa, -1 to 1; None where it is not defined."""
    labels: tuple[str, ...]
    """The labels, in the order of the confusion."""
    confusion: tuple[tuple[int, ...], ...]
    """Articles by the first's label (rows) and the other's (columns)."""


class PrepareReport(File):
    """What was read, labeled, set aside and divided."""

    NAME: ClassVar[str] = "prepare.json"

    min_hunt_score: float
    """Articles with a lower threat_hunting_score were not read."""
    limit: int | None
    """Articles at most; None: all."""
    balance: int | None
    """Most articles of a class; None: all."""
    augment: int
    """Altered copies of each training article."""
    validation_share: float
    """Share of the articles for validation, 0 to 1, as asked for."""
    test_share: float
    """Share of the articles for the test part, 0 to 1, as asked for."""
    seed: int
    """Of the parts, of balancing and of altered copies."""
    labeler: str
    """Whose labels are used, several joined by " + "."""
    articles_read: int
    """Articles that came from the database."""
    labelled: int
    """Articles that got a label."""
    set_aside: dict[str, int]
    """Reason → articles that are not used."""
    flags: dict[str, int]
    """What is odd → labeled articles with it."""
    classes: dict[str, int]
    """Class → labeled articles."""
    parts: dict[str, dict[str, int]]
    """Part (train, validation, test) to class to articles."""
    agreement: tuple[LabelerAgreement, ...]
    """The first labeler against each other one."""
    warnings: tuple[str, ...]
    """What a class has too little of."""
