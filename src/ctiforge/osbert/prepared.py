"""The parts that preparation leaves, and what must hold of them."""

from collections import Counter
from collections.abc import Sequence

from ctiforge.errors import DataError
from ctiforge.records.article import OS_LABELS
from ctiforge.records.os_article import LabeledArticle

PARTS = ("train", "validation", "test")
MINIMUM = 50
"""Articles of a class below which nothing is trained unless forced."""
RECOMMENDED = 200


def part_inputs(data: str) -> dict[str, str]:
    """Name the inputs of a training: the two parts alone, so that another report on them trains nothing anew.

    Args:
        data: The URI of what prepare_os left, its folder or the output `X.json` beside it.

    Returns:
        `train` and `validation` → their URIs.
    """
    folder = data.rstrip("/").removesuffix(".json")
    return {part: f"{folder}/{part}.jsonl" for part in PARTS[:2]}


def class_counts(articles: Sequence[LabeledArticle]) -> dict[str, int]:
    """Count the articles of every label, those without any included."""
    counts = Counter(article.label for article in articles)
    return {label: counts[label] for label in OS_LABELS}


def labeler_of(articles: Sequence[LabeledArticle]) -> str:
    """Name whose labels they are, several joined by " + "."""
    return " + ".join(sorted({article.labeler for article in articles}))


def check_classes(classes: dict[str, int]) -> list[str]:
    """Warn about classes that are missing or few; DataError where there is nothing to tell apart."""
    present = [label for label, count in classes.items() if count]
    if len(present) < 2:
        found = f"every one of them is {present[0]}" if present else "there is none"
        raise DataError(f"{sum(classes.values())} training articles, and {found}: a classifier needs two classes")
    return [_about(label, count) for label, count in classes.items() if count < RECOMMENDED]


def check_no_leak(train: Sequence[LabeledArticle], other: Sequence[LabeledArticle], part: str) -> None:
    """Refuse, with DataError, two parts that have an article, or near duplicates, in common."""
    hashes = {article.content_hash for article in train}
    groups = {article.group for article in train if article.group}
    for article in other:
        if article.content_hash in hashes or article.group in groups:
            raise DataError(
                f"article {article.id} of {part} is in the training part as well, or near to one there: "
                "prepare the data again"
            )


def _about(label: str, count: int) -> str:
    if not count:
        return f"no training article is {label}: its weight in the loss is 0, so nothing speaks for it"
    return f"{count} training articles are {label}: {RECOMMENDED} of a class are recommended"
