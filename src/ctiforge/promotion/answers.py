"""The answers beside an evaluation: what the model wrote, a window each."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import UsageError
from ctiforge.records.answer import ANSWERS_NAME, KeptAnswer
from ctiforge.store.artifacts import fetch


def read_answers(evaluation: str) -> Iterator[KeptAnswer]:
    """Read the answers beside an evaluation.

    Args:
        evaluation: The URI of the folder or artifact with the evaluation, or of its file.

    Yields:
        A window each; nothing where no answers are kept.
    """
    folder = evaluation.rpartition("/")[0] if evaluation.endswith(".json") else evaluation
    with TemporaryDirectory() as scratch:
        try:
            path = fetch(f"{folder.rstrip('/')}/{ANSWERS_NAME}", Path(scratch))
        except UsageError:
            return
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (KeptAnswer.read_line(line) for line in lines if line.strip())
