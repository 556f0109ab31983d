"""Labels that people give, as they are read from a review file."""

from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import DataError
from ctiforge.progress import warn
from ctiforge.records.article import OS_LABELS, OsLabel
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
