"""`models/<line>/canaries/<content>.json`: some windows of the test set and what a model answered in its evaluation."""

from typing import ClassVar

from ctiforge.records.base import File, Record
from ctiforge.records.evaluation import TestSetInfo


class CanaryWindow(Record):
    """One window, and its answer."""

    article_id: str
    """The article's id."""
    start: int
    """First character of the window in the article."""
    end: int
    """One past its last character."""
    window: str
    """Its text."""
    types: tuple[str, ...]
    """The types that were asked for."""
    answer: str
    """What the model wrote, before any repair."""


class Canary(File):
    """What a version must still answer wherever it is served: a few short windows."""

    NAME: ClassVar[str] = "canary.json"

    test_set: TestSetInfo
    """Where the windows are from."""
    windows: tuple[CanaryWindow, ...]
    """The windows, shortest first."""
