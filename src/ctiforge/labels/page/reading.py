"""What the page is given: the articles to label, and files of what models or people found in them."""

from collections.abc import Callable
from pathlib import Path

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.errors import DataError, UsageError
from ctiforge.labels.page.candidates import Origin
from ctiforge.records.article import RECORDS_NAME, TESTSET_NAME, ArticleRecord
from ctiforge.records.evaluation import ArticleScore, Evaluation
from ctiforge.records.observable import Observable
from ctiforge.records.review import REVIEW_NAME

ArticleFinds = Callable[[ArticleRecord], list[Origin]]
_NAMES = (RECORDS_NAME, REVIEW_NAME, TESTSET_NAME)


def read_articles(path: Path) -> list[ArticleRecord]:
    """Read the articles that are to be labeled.

    Args:
        path: A file of records or a review file, or a folder that holds one.

    Returns:
        The articles, each text once, in the file's order.

    Raises:
        UsageError: There is no such file.
        DataError: A line, which the text names, is no article, or there is none.
    """
    articles: dict[str, ArticleRecord] = {}
    for each in read_labelled_articles(_file(path)):
        articles.setdefault(each.content_hash, each)
    if not articles:
        raise DataError(f"{path} holds no article: give records of a harvest, or a review file")
    return list(articles.values())


def read_candidates(path: Path) -> ArticleFinds:
    """Read what was found in articles.

    Args:
        path: The `evaluation.json` of a model, or records or a review file with observables; also a folder with one.

    Returns:
        What is known of an article; empty where the file does not have it.

    Raises:
        UsageError: There is no such file.
        DataError: It is neither.
    """
    if path.suffix == ".json" or (path / Evaluation.NAME).is_file():
        return _of_evaluation(Evaluation.load(path))
    by_text: dict[str, list[Origin]] = {}
    for each in read_labelled_articles(_file(path)):
        by_text.setdefault(each.content_hash, []).append(origin_of(each, path.stem))
    return lambda article: by_text.get(article.content_hash, [])


def origin_of(article: ArticleRecord, name: str) -> Origin:
    """Say who found what an article of a file holds.

    Args:
        article: The article with its observables.
        name: What to call a model that the file does not name.

    Returns:
        A person where one signed it, else a model.
    """
    if article.annotator:
        return Origin("person", "", article.observables, article.labelled_types)
    return Origin("model", name, article.observables, article.labelled_types)


def _of_evaluation(evaluation: Evaluation) -> ArticleFinds:
    name = f"{evaluation.model.name} {evaluation.model.version}".strip()
    by_id = {score.id: Origin("model", name, _predicted(score), tuple(score.counts)) for score in evaluation.articles}
    return lambda article: [by_id[article.id]] if article.id in by_id else []


def _predicted(score: ArticleScore) -> tuple[Observable, ...]:
    return tuple(
        Observable(type=item.type, value=item.predicted, platform=item.platform_predicted)
        for item in score.items
        if item.predicted
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    inside = next((path / name for name in _NAMES if (path / name).is_file()), None)
    if inside is None:
        raise UsageError(f"{path} holds none of {', '.join(_NAMES)}: give a file, or the output of a harvest")
    return inside
