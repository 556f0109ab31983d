"""Who labeled how much."""

from collections.abc import Iterable

from ctiforge.records.human_label import HELD_OUT, HumanLabel

Row = tuple[str, int, str, int, int, int, int]


def count_labels(labels: Iterable[HumanLabel]) -> list[Row]:
    """Count the labels of each person.

    Args:
        labels: The registry.

    Returns:
        By name: texts, types with the texts in which they were looked for, items of those, single items, texts of
        which they judged the operating system, and texts that were labeled for evaluation.
    """
    by_person: dict[str, list[HumanLabel]] = {}
    for label in labels:
        by_person.setdefault(label.annotator.strip().casefold(), []).append(label)
    return [_row(each) for _, each in sorted(by_person.items())]


def _row(labels: list[HumanLabel]) -> Row:
    types = sorted({type_ for each in labels for type_ in each.article.labelled_types})
    looked_for = {type_: sum(type_ in each.article.labelled_types for each in labels) for type_ in types}
    return (
        labels[0].annotator,
        len(labels),
        ", ".join(f"{type_} {count}" for type_, count in looked_for.items()) or "–",
        sum(len(each.article.observables) for each in labels),
        sum(len(each.positives) for each in labels),
        sum(each.article.os_label is not None for each in labels),
        sum(each.usage in HELD_OUT for each in labels),
    )
