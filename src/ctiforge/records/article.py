"""One article with its observables, a line of `records.jsonl` and of `testset.jsonl`."""

from pathlib import Path
from typing import Literal, get_args

from ctiforge.errors import DataError
from ctiforge.records.base import Record, read_lines
from ctiforge.records.observable import Observable

RECORDS_NAME = "records.jsonl"
"""What a harvest leaves its articles in."""
TESTSET_NAME = "testset.jsonl"
"""What a version of a test set lies in."""
LabeledBy = Literal["model", "human"]


OsLabel = Literal["Windows", "Linux", "MacOS", "multiple", "Unknown"]


OS_LABELS: tuple[OsLabel, ...] = get_args(OsLabel)
"""What an article can be about; their order is that of a classifier's outputs."""


class ArticleRecord(Record):
    """One article and what is known to stand in it.

    A type in `labelled_types` without an observable is a true negative; a type outside it is
    unlabelled: never trained on, never scored. `os_label` None: nobody said which operating system
    the article is about. `group` is shared by near duplicates. `tags` are free labels that
    evaluations break their figures down by (`style`, `length`).
    """

    id: str
    url: str | None = None
    title: str = ""
    content: str
    content_hash: str
    observables: tuple[Observable, ...] = ()
    labelled_types: tuple[str, ...] = ()
    os_label: OsLabel | None = None
    labelled_by: LabeledBy = "model"
    annotator: str | None = None
    generation: str | None = None
    hunt_score: float | None = None
    group: str = ""
    tags: dict[str, str] = {}


def read_records(path: Path) -> list[ArticleRecord]:
    """Give the records of a JSON-lines file, or of the `records.jsonl` or `testset.jsonl` in a folder.

    Raises DataError naming the line that is no record, or a folder that holds neither file.
    """
    if path.is_dir():
        inside = [path / name for name in (RECORDS_NAME, TESTSET_NAME) if (path / name).is_file()]
        if not inside:
            raise DataError(f"{path} holds no {RECORDS_NAME}: give the output of harvest_extract")
        path = inside[0]
    return list(read_lines(path, ArticleRecord))
