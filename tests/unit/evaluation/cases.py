"""Articles whose scores can be worked out by hand."""

from ctiforge.evaluation.scoring.articles import ArticleCase, score_article
from ctiforge.evaluation.scoring.report import build_evaluation
from ctiforge.records.evaluation import Answers, ArticleScore, Evaluation, ModelInfo, TestSetInfo
from ctiforge.records.observable import Observable


def item(type_: str, value: str, platform: str | None = None) -> Observable:
    return Observable(type=type_, value=value, platform=platform)


def case(
    article_id: str,
    expected: list[Observable],
    predicted: list[Observable],
    labeled: tuple[str, ...] = ("cmdline", "services"),
    text: str | None = None,
    answers: Answers | None = None,
    tags: dict[str, str] | None = None,
    error: str | None = None,
) -> ArticleCase:
    return ArticleCase(
        id=article_id,
        text=text if text is not None else "\n".join(each.value for each in expected),
        expected=expected,
        predicted=predicted,
        labelled_types=labeled,
        answers=answers or Answers(),
        tags=tags or {},
        error=error,
    )


def evaluation(
    articles: list[ArticleScore], name: str = "model", content_hash: str = "abc", known: bool = False
) -> Evaluation:
    return build_evaluation(
        articles,
        model=ModelInfo(name=name, version="1"),
        test_set=TestSetInfo(name="set", version="1", content_hash=content_hash, articles=len(articles)),
        fingerprint=f"fp-{name}",
        training_values_known=known,
    )


def sampled(whole: Evaluation, ids: set[str]) -> Evaluation:
    """The same on some of its articles, as a sample."""
    articles = [article for article in whole.articles if article.id in ids]
    test_set = whole.test_set.model_copy(update={"articles": len(articles), "drawn_from": whole.test_set.articles})
    return evaluation(articles, whole.model.name).model_copy(update={"test_set": test_set})


def with_hits(hits: list[int], expected: int = 4) -> list[ArticleScore]:
    """One article per entry: `expected` commands, of which so many are found, and nothing wrong."""
    scores = []
    for number, found in enumerate(hits):
        wanted = [item("cmdline", f"run-{number} /arg{index} x") for index in range(expected)]
        scores.append(score_article(case(f"a{number}", wanted, wanted[:found], ("cmdline",))))
    return scores
