"""Keeps what a model wrote beside its evaluation, compressed and within bounds."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ctiforge.extract.answering.extraction import WindowAnswer
from ctiforge.records.answer import ANSWERS_NAME, KeptAnswer

LONGEST_ANSWER = 20_000
"""Characters of one answer that are kept."""
LARGEST_FILE = 50_000_000
"""Bytes of the file before it is compressed."""
_DIGITS = 4


def kept_answer(article_id: str, types: tuple[str, ...], window: WindowAnswer) -> KeptAnswer:
    """Take of a window what is kept: a very long answer is cut; how the model leans is not rounded yet.

    Args:
        article_id: The article's id.
        types: The types that were asked for.
        window: The window's answer.

    Returns:
        What is kept of it.
    """
    # what no text can hold, half a surrogate, a file cannot either
    raw = window.raw.encode("utf-8", "replace").decode()
    return KeptAnswer(
        article_id=article_id,
        start=window.start,
        end=window.end,
        types=types,
        raw=raw[:LONGEST_ANSWER],
        cut=max(0, len(raw) - LONGEST_ANSWER),
        stopped_by_length=window.stopped_by_length,
        error=window.error,
        items=window.items,
        leaning=window.leaning,
    )


class AnswersFile:
    """The file while it is written; `left_out` counts the answers for which there was no room."""

    def __init__(self, file: BinaryIO | None, room: int = LARGEST_FILE) -> None:
        self.left_out = 0
        self._file = file
        self._room = room

    def keep(self, answer: KeptAnswer) -> None:
        """Write one window's answer, as far as there is room."""
        if not self._file:
            return
        if answer.leaning is not None:
            answer = answer.model_copy(update={"leaning": round(answer.leaning, _DIGITS)})
        data = answer.model_dump_json().encode() + b"\n"
        if len(data) > self._room:
            # nor what comes after it: what is kept has no gaps
            self._room = 0
            self.left_out += 1
            return
        self._room -= len(data)
        self._file.write(data)


@contextmanager
def open_answers(folder: Path | None) -> Iterator[AnswersFile]:
    """Open the file of a folder, the same bytes for the same answers; None: nothing is kept."""
    if folder is None:
        yield AnswersFile(None)
        return
    with (folder / ANSWERS_NAME).open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        yield AnswersFile(file)  # type: ignore[arg-type]
