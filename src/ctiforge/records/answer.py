"""`answers.jsonl.gz` beside an evaluation: what the model wrote, a window a line, so that a person can look."""

from pydantic import Field

from ctiforge.records.base import Record, is_none

ANSWERS_NAME = "answers.jsonl.gz"


class ItemProbability(Record):
    """How sure a model was of one item that it wrote: natural logarithms of its tokens' probabilities."""

    start: int
    """First character of the item in the raw answer."""
    end: int
    """One past its last character."""
    mean: float
    """The mean over the item's tokens; 0 is certain."""
    least: float
    """That of the least likely token."""


class KeptAnswer(Record):
    """What came of asking about one window."""

    article_id: str
    """The article's id."""
    start: int
    """First character of the window in the article."""
    end: int
    """One past its last character."""
    types: tuple[str, ...]
    """The types that were asked for."""
    raw: str
    """The answer as it was written, before any repair; its beginning where it is very long."""
    cut: int = 0
    """Characters of it that were left out at its end."""
    stopped_by_length: bool = False
    """Whether it was cut off for lack of room."""
    error: str | None = None
    """Why there is no answer; None where there is one."""
    items: tuple[ItemProbability, ...] | None = None
    """Of the whole items in it, in order; None where nobody says how likely its tokens were."""
    leaning: float | None = Field(None, exclude_if=is_none)
    """The log-odds (natural logarithm) of an item against an empty answer, before any bias; left out where nobody says
    it, or the answer does not begin as all do."""


class ChoiceQuality(Record):
    """How well a model tells windows with an item from windows without: the area under the ROC curve of its log-odds.

    0.5 is chance, 1 is perfect; the loss of an answer's other tokens does not show it.
    """

    windows: int
    """Windows of which it is known how much the model leans to an item."""
    with_item: int
    """Those in which an item stands."""
    auc: float | None
    """0 to 1; None where one of both kinds is missing."""
    by_type: dict[str, float] = {}
    """Type → the same, of windows with an item of it against windows without any; where there are enough of both."""
