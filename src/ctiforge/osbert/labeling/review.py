"""Labels that people give, as they are read from a review file or from the registry of labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import DataError
from ctiforge.progress import warn
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.human_label import HELD_OUT, HumanLabel
from ctiforge.records.review import judged_label, read_review

UNNAMED = "unnamed"
"""The annotator in a file that names none."""


@dataclass(frozen=True, slots=True)
class SignedLabel:
    """What a person says an article is about."""

    label: OsLabel
    annotator: str = UNNAMED


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The labels of a file by article id, and how many of its lines nobody has signed yet."""

    labels: dict[str, SignedLabel]
    unsigned: int


def read_human_labels(path: Path) -> dict[str, SignedLabel]:
    """Read, by article id, what a person says, as in `read_reviewed`; lines that are left out are told."""
    reviewed = read_reviewed(path)
    if reviewed.unsigned:
        warn(f"{path}: {reviewed.unsigned} lines that nobody signed (annotator is empty) were left out")
    return reviewed.labels


def registered_labels(labels: Iterable[HumanLabel]) -> dict[str, SignedLabel]:
    """Read which operating system people said that texts are about.

    Args:
        labels: The registry.

    Returns:
        The labels by hash of the text, without those that are kept for evaluation and those of which people contradict
        each other; these are told.
    """
    found: dict[str, set[tuple[OsLabel, str]]] = {}
    for each in labels:
        if each.article.os_label and each.usage not in HELD_OUT:
            found.setdefault(each.article.content_hash, set()).add((each.article.os_label, each.annotator))
    agreed = {hash_: said for hash_, said in found.items() if len({label for label, _ in said}) == 1}
    if len(agreed) < len(found):
        warn(f"people contradict each other about {len(found) - len(agreed)} articles of the registry: left out")
    return {hash_: SignedLabel(*min(said)) for hash_, said in agreed.items()}


def read_reviewed(path: Path) -> Reviewed:
    """Read the labels of a review file; a line whose annotator is empty is not a person's yet, and is counted.

    Raises:
        UsageError: There is no such file, or it lacks a column.
        DataError: A line has no label, one that is none, one of a program, or another than its id had before; it is
            named.
    """
    labels: dict[str, SignedLabel] = {}
    first_line: dict[str, int] = {}
    unsigned = 0
    for number, line in read_review(path):
        where = f"{path}, line {number}"
        if line.annotator == "":
            unsigned += 1
            continue
        if line.labelled_by != "human":
            raise DataError(f"{where}: {line.id} is labeled by a model: only what a person checked is a person's label")
        label = judged_label(line, where)
        if label is None:
            raise DataError(f"{where}: {line.id} has no label: give os_label one of {', '.join(OS_LABELS)}")
        before = labels.setdefault(line.id, SignedLabel(label, line.annotator or UNNAMED))
        if before.label != label:
            raise DataError(
                f"{where}: {line.id} is {label} here and {before.label} in line {first_line[line.id]}: keep one"
            )
        first_line.setdefault(line.id, number)
    return Reviewed(labels, unsigned)
