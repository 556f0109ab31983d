"""Draws test sets from the registry of labels: articles that people agree about, and of near duplicates one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctiforge.data.identity import fold
from ctiforge.data.labels import find_conflicts, group_by_text
from ctiforge.data.leaks import leaks_between
from ctiforge.data.near_duplicates import DuplicateIndex
from ctiforge.errors import DataError
from ctiforge.extract.testset_review import draw_sample
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HELD_OUT, HumanLabel


@dataclass(frozen=True)
class DrawnArticles:
    """The articles of a test set that was drawn."""

    articles: list[ArticleRecord]
    """By id, each with what people looked for in it."""
    left_out: Counter[str]
    """Reason → labeled texts that cannot be drawn."""


def draw_test_articles(
    labels: Iterable[HumanLabel], size: int, seed: int, known: Sequence[ArticleRecord], scratch: Path
) -> DrawnArticles:
    """Draw articles for a test set, in turn from every stratum of length, rarest type and platform.

    Those that were labeled for evaluation come first; those labeled for training never come.

    Args:
        labels: The registry.
        size: Articles at most.
        seed: Chooses the articles.
        known: Articles of other test sets: neither they nor what is nearly the same are drawn again.
        scratch: A folder for the comparison.

    Returns:
        The articles, the same for the same labels and seed.

    Raises:
        DataError: There is nothing to draw.
    """
    left_out: Counter[str] = Counter()
    texts = _articles(labels, left_out)
    taken = {index for index, _ in leaks_between([article for article, _ in texts], known)}
    left_out["in another test set, or near to one of its articles"] += len(taken)
    free = [text for index, text in enumerate(texts) if index not in taken]
    groups = near_groups([article for article, _ in free], scratch)
    grouped = [
        (article.model_copy(update={"group": group}), kept) for (article, kept), group in zip(free, groups, strict=True)
    ]
    first = draw_sample([article for article, held_out in grouped if held_out], size, seed)
    taken_groups = {article.group for article in first}
    others = [article for article, held_out in grouped if not held_out and article.group not in taken_groups]
    drawn = sorted([*first, *draw_sample(others, size - len(first), seed)], key=lambda article: article.id)
    if not drawn:
        why = "; ".join(f"{reason}: {count}" for reason, count in sorted((+left_out).items()))
        raise DataError(f"no labeled article to draw ({why or 'import labels first: ctiforge labels import'})")
    return DrawnArticles([each.model_copy(update={"group": ""}) for each in drawn], +left_out)


def near_groups(articles: Sequence[ArticleRecord], scratch: Path) -> list[str]:
    """Name the group of near duplicates of each article.

    Args:
        articles: The articles.
        scratch: A folder for the comparison.

    Returns:
        For each article what those share that are nearly the same, or one page: the hash of one of their texts.
    """
    with DuplicateIndex(scratch) as index:
        for article in articles:
            index.add(fold(article.content), article.content_hash, article.url)
        return [articles[lead].content_hash for lead in index.groups().tolist()]


def _articles(labels: Iterable[HumanLabel], left_out: Counter[str]) -> list[tuple[ArticleRecord, bool]]:
    """Put together what people say of each text, with whether it is kept for evaluation."""
    found = []
    ids: Counter[str] = Counter()
    for same in group_by_text(labels):
        judged = [each for each in same if each.article.labelled_types or each.article.os_label]
        usages = {each.usage for each in same}
        if not judged:
            left_out["only single items are marked, so nothing is known of the rest"] += 1
        elif "train" in usages and not usages & HELD_OUT:
            left_out["labeled for training"] += 1
        elif find_conflicts(judged):
            left_out["people contradict each other about it (ctiforge labels agreement shows where)"] += 1
        else:
            article = _together([each.article for each in judged])
            ids[article.id] += 1
            # two sources may give two articles one id
            if ids[article.id] > 1:
                article = article.model_copy(update={"id": f"{article.id}-{article.content_hash[:8]}"})
            found.append((article, bool(usages & HELD_OUT)))
    return found


def _together(articles: Sequence[ArticleRecord]) -> ArticleRecord:
    """Put what people who agree say into one article: of a type that both looked for the first one's."""
    first = articles[0]
    types: dict[str, ArticleRecord] = {}
    for article in articles:
        for type_ in article.labelled_types:
            types.setdefault(type_, article)
    return first.model_copy(
        update={
            "labelled_types": tuple(types),
            "observables": tuple(o for type_, by in types.items() for o in by.observables if o.type == type_),
            "os_label": next((each.os_label for each in articles if each.os_label), None),
            "annotator": ", ".join(dict.fromkeys(each.annotator or "" for each in articles)),
        }
    )
