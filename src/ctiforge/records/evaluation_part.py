"""What one of several evaluations in shards hands to the others: its share of a test set's articles, scored."""

from typing import ClassVar

from pydantic import ConfigDict

from ctiforge.records.answer import KeptAnswer
from ctiforge.records.base import File, Record
from ctiforge.records.evaluation import ArticleScore


class ScoredArticle(Record):
    """One article of a test set, and all that its evaluation is made of."""

    place: int
    """Which of the labeled articles it is, from 0."""
    score: ArticleScore
    """What was found, missed and wrong in it."""
    answers: tuple[KeptAnswer, ...]
    """What came of each window, its leaning not rounded; none where the article is read whole and did not fail."""


class EvaluationPart(File):
    """The share of one shard."""

    NAME: ClassVar[str] = "<shard>-of-<shards>.json.gz"

    # a probability may be none at all
    model_config = ConfigDict(ser_json_inf_nan="constants")

    shard: int
    """Which of the shards it is, from 0."""
    shards: int
    """Among how many the articles are shared."""
    model: str
    """What figures call the model that answered."""
    articles: tuple[ScoredArticle, ...]
    """Its articles, in their order."""
