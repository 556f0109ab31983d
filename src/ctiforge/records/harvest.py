"""`report.json`: what a harvest read, kept and left out."""

from typing import ClassVar

from ctiforge.records.base import File


class HarvestReport(File):
    """Counts of one harvest; `read` is the sum of `kept` and of all `excluded`."""

    NAME: ClassVar[str] = "report.json"

    read: int
    executions: int
    kept: int
    positives: int
    negatives: int
    observables: int
    excluded: dict[str, int]
    unlabelled: dict[str, int]
    """Type and reason to executions read whose type failed."""
    articles_read_again: int
    """Articles that two completed executions or more say something about."""
    disagreements: dict[str, int]
    """Type to articles whose executions found different values of it."""
    least_agreement: dict[str, float]
    """Of the articles whose executions agree least: id to the share of their values that all found."""
    items_set_aside: dict[str, int]
    files_set_aside: dict[str, str]
    entries_set_aside: dict[str, int]
    generations: dict[str, int]
    labelled_articles: dict[str, int]
    """Type to kept articles in which it is labeled."""
    positive_articles: dict[str, int]
    observables_by_type: dict[str, int]
    platforms: dict[str, int]
    """Platform to observables."""
    lengths: dict[str, int]
    """Characters of content to kept articles."""
    observables_per_article: dict[str, int]
