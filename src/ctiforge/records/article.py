"""One article with its observables, a line of `records.jsonl` and of `testset.jsonl`."""

from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import SerializerFunctionWrapHandler, model_serializer

from ctiforge.errors import DataError
from ctiforge.records.base import Record, read_lines
from ctiforge.records.observable import PLATFORMS, Observable

RECORDS_NAME = "records.jsonl"
"""What a harvest leaves its articles in."""
TESTSET_NAME = "testset.jsonl"
"""What a version of a test set lies in."""
LabeledBy = Literal["model", "human"]
LabelerKind = Literal["person", "rule", "model"]
CharacterRange = tuple[int, int]
"""Characters from the first to one past the last."""


OsLabel = Literal["Windows", "Linux", "MacOS", "multiple", "Unknown"]


OS_LABELS: tuple[OsLabel, ...] = get_args(OsLabel)
"""What an article can be about; their order is that of a classifier's outputs."""
SYSTEMS: tuple[OsLabel, ...] = tuple(label for label in OS_LABELS if label in PLATFORMS)
"""The labels that are one operating system."""


class TypeLabel(Record):
    """Who labeled one type of an article, and why that counts."""

    by: LabelerKind
    """What kind of labeler it was; a person goes before a rule, a rule before a model."""
    name: str | None = None
    """The person, the rule, or the model with its version; None where nobody noted it."""
    why: str
    """`found` or `found nothing`: what the labeler said of the type."""
    seen: tuple[CharacterRange, ...] | None = None
    """The characters of the text that the labeler saw, beyond which nothing is known; None: all of them."""


class ArticleRecord(Record):
    """One article and what is known to stand in it.

    A type in `labelled_types` without an observable is a true negative; a type outside it is
    unlabeled: never trained on, never scored.
    """

    id: str
    """Unique in its file: the application's number, or what the file's author chose."""
    url: str | None = None
    """The page's address; None where nobody knows it."""
    title: str = ""
    """"" where there is none."""
    content: str
    """The article's text."""
    content_hash: str
    """SHA-256, in hex digits, of the text without white space and case."""
    observables: tuple[Observable, ...] = ()
    """What stands in it, each value once for a type."""
    labelled_types: tuple[str, ...] = ()
    """The types that somebody looked for."""
    type_labels: dict[str, TypeLabel] = {}
    """Type → who labeled it; empty where one labeler (`labelled_by`) labeled them all."""
    os_label: OsLabel | None = None
    """Which operating system it is about; None: nobody said."""
    labelled_by: LabeledBy = "model"
    """Whether a model or a person labeled it."""
    annotator: str | None = None
    """The person's name; None for a model."""
    generation: str | None = None
    """The format of the stored result, `G1` to `G5`; None where there was no such result."""
    hunt_score: float | None = None
    """The application's threat_hunting_score; None where there is none."""
    group: str = ""
    """Shared by near duplicates, also with those that were left out; "" where nobody compared."""
    tags: dict[str, str] = {}
    """Free labels that evaluations break their figures down by (`style`, `length`)."""

    @model_serializer(mode="wrap")
    def _without_empty_labels(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the key away where one labeler labeled all: such a line is what it was before there were any."""
        written: dict[str, Any] = serialize(self)
        if not written.get("type_labels", True):
            del written["type_labels"]
        return written


def read_records(path: Path) -> list[ArticleRecord]:
    """Read articles of a harvest or of a test set.

    Args:
        path: A JSON-lines file, or a folder that holds `records.jsonl` or `testset.jsonl`.

    Returns:
        The articles, in the file's order.

    Raises:
        DataError: A line, which the text names, is no article, or the folder holds neither file.
    """
    if path.is_dir():
        inside = [path / name for name in (RECORDS_NAME, TESTSET_NAME) if (path / name).is_file()]
        if not inside:
            raise DataError(f"{path} holds no {RECORDS_NAME}: give the output of harvest_extract")
        path = inside[0]
    return list(read_lines(path, ArticleRecord))
