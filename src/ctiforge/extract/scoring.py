"""Asks an extractor about articles and scores each: what an evaluation is made of, whichever processes did it."""

from collections.abc import Sequence

from ctiforge.evaluation.scoring.articles import ArticleCase, score_article
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.answers_file import kept_answer
from ctiforge.extract.asking import WHOLE, Answered, Asking, Share
from ctiforge.progress import Progress
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation_part import ScoredArticle

LONG_ARTICLE = 32_000
"""Characters from which on an article without a tag for its length counts as long: about 8,000 tokens."""


def score_articles(
    extractor: Extractor,
    records: Sequence[ArticleRecord],
    trained_on: frozenset[tuple[str, str]] | None,
    share: Share = WHOLE,
) -> list[ScoredArticle]:
    """Ask about a share of the articles and score them.

    Args:
        extractor: What answers.
        records: All articles, those of other shares among them; in each some type is labeled.
        trained_on: Type and normalized value of the items that the model was trained on; None: not known.
        share: Whose articles are asked about.

    Returns:
        The articles of the share, in their order.

    Raises:
        CannotGoOnError: The device failed.
    """
    asking, scored = Asking(extractor, records, share), list[ScoredArticle]()
    with Progress("eval_extract", asking.windows) as progress:
        found = wanted = given = 0
        for place, answered in zip(asking.places, asking.ask(progress), strict=True):
            score = score_article(_case(answered), trained_on)
            found += sum(counts.found for counts in score.counts.values())
            wanted += sum(counts.expected for counts in score.counts.values())
            given += sum(counts.predicted for counts in score.counts.values())
            progress.update(progress.done, {"f1": 2 * found / max(1, wanted + given)})
            record = answered.record
            kept = [kept_answer(record.id, record.labelled_types, window) for window in answered.extraction.windows]
            scored.append(ScoredArticle(place=place, score=score, answers=tuple(kept)))
    return scored


def _case(answered: Answered) -> ArticleCase:
    record = answered.record
    length = "long" if len(record.content) >= LONG_ARTICLE else "normal"
    return ArticleCase(
        id=record.id,
        text=record.content,
        expected=record.observables,
        predicted=answered.extraction.observables,
        labelled_types=record.labelled_types,
        answers=answered.answers,
        tags={"length": length, **record.tags},
        title=record.title,
        url=record.url,
        error=answered.error,
    )
