"""`label.json`: what one person said of one article's text."""

from typing import ClassVar, Literal

from ctiforge.records.article import ArticleRecord
from ctiforge.records.base import File
from ctiforge.records.observable import Observable

LabelUsage = Literal["train", "eval", "gold"]
HELD_OUT: frozenset[LabelUsage | None] = frozenset({"eval", "gold"})
"""Usages that keep an article, and what is nearly the same, out of training."""


class HumanLabel(File):
    """What one person said of one article's text; another text of the same page is another article."""

    NAME: ClassVar[str] = "label.json"

    article: ArticleRecord
    """The text, the types that the person looked for in all of it, what they found, and their name as `annotator`."""
    positives: tuple[Observable, ...] = ()
    """Single items that they marked, of types that they did not look for in all of the text: each says "this is one",
    never "these are all"."""
    rejected: tuple[Observable, ...] = ()
    """Proposals that they looked at and refused."""
    usage: LabelUsage | None = None
    """What they labeled it for; None: nobody said."""
    sources: tuple[str, ...] = ()
    """Where it comes from, like `review file`; names no person."""

    @property
    def annotator(self) -> str:
        """The person's name."""
        return self.article.annotator or ""
