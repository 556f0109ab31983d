"""What stages write, held against the models of `ctiforge.records`: no key more than the model has, and none less."""

import json
from collections.abc import Iterator
from pathlib import Path

from ctiforge.records.article import RECORDS_NAME, TESTSET_NAME, ArticleRecord
from ctiforge.records.base import File, Record
from ctiforge.records.checkpoint import Checkpoint
from ctiforge.records.formatted import TRAINED_ON, ExampleRow
from ctiforge.records.model_note import NOTE_NAME
from ctiforge.records.os_article import LabeledArticle
from ctiforge.records.review import REVIEW_NAME, ReviewLine
from ctiforge.records.training import LOG_NAME, LogLine
from tests.kinds import kinds

ROWS: dict[str, dict[str, type[Record]]] = {
    "": {
        RECORDS_NAME: ArticleRecord,
        TESTSET_NAME: ArticleRecord,
        TRAINED_ON: ArticleRecord,
        LOG_NAME: LogLine,
    },
    "format_extract": {"train.jsonl": ExampleRow, "validation.jsonl": ExampleRow},
    "prepare_os": {
        REVIEW_NAME: ReviewLine,
        **dict.fromkeys(("train.jsonl", "validation.jsonl", "test.jsonl"), LabeledArticle),
    },
}
"""By stage ("" for all) the files with a record a line."""


def written_by(stage: str, store: Path) -> set[str]:
    """Hold every file of a store against its model; gives the names of the models that were met.

    Raises:
        ValidationError: A stage wrote something else than its model.
    """
    return set(_met(stage, store))


def hold(kind: type[File], text: str) -> None:
    """Hold a file's content against its model, which is to say all of it and nothing else."""
    read = kind.model_validate_json(text)
    assert json.loads(read.to_json()) == json.loads(text)
    assert json.loads(text)["schema"] == kind.SCHEMA


def _met(stage: str, store: Path) -> Iterator[str]:
    rows = ROWS[""] | ROWS.get(stage, {})
    for file in sorted(path for path in store.rglob("*") if path.is_file()):
        if kind := _kind_of(file):
            hold(kind, file.read_text(encoding="utf-8"))
            yield kind.__name__
        elif row := rows.get(file.name):
            for line in file.read_text(encoding="utf-8").splitlines():
                read = row.model_validate_json(line)
                # a line leaves out what says nothing
                assert json.loads(line).items() <= json.loads(read.model_dump_json()).items()
            yield row.__name__


def _kind_of(file: Path) -> type[File] | None:
    """The model that goes by the file's name and, where several do, by its `kind`."""
    named = [each for each in kinds() if file.name == each.NAME and each is not Checkpoint]
    if len(named) < 2:
        return named[0] if named else None
    kind = json.loads(file.read_text(encoding="utf-8")).get("kind")
    own = [each for each in named if "kind" in each.model_fields and each.model_fields["kind"].default == kind]
    assert kind or file.name != NOTE_NAME
    return own[0] if own else next(each for each in named if "kind" not in each.model_fields)
