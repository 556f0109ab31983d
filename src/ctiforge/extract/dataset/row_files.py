"""Files of rows to train on: JSON lines or Parquet, with a conversation or a prompt and its answer in each row."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ctiforge.errors import DataError, UsageError
from ctiforge.progress import warn
from ctiforge.records.formatted import FormatReport
from ctiforge.training.conversation import render_conversation
from ctiforge.training.rows import UnusableRowError
from ctiforge.training.special_tokens import break_special

_MESSAGES = "messages"
_PROMPT = "prompt"
_ANSWERS = ("answer", "completion")
_WANTED = "messages (role and content of each), or prompt and answer (or completion)"
_SUFFIXES = (".jsonl", ".parquet")
_NOT_RENDERED = ("tools", "system")
"""Columns of other tools' rows that belong to the prompt, and that nobody renders here."""
_LOOKED_AT = 100
"""Lines among which there is one that shows the columns."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows whose columns are known."""

    path: Path
    columns: tuple[str, ...]
    """`messages` alone, or the prompt's and the answer's."""

    def lines(self) -> Iterator[str]:
        """Read each row as JSON; a line that is no text as an empty one."""
        return _parquet_lines(self.path, self.columns) if self.path.suffix == ".parquet" else _json_lines(self.path)

    @property
    def has_conversations(self) -> bool:
        """Tell whether rows are rendered by the model's chat template."""
        return self.columns == (_MESSAGES,)


@dataclass(frozen=True)
class ReadExample:
    """Makes an example of a row: what is learnt is the last turn of a conversation, or the answer."""

    columns: tuple[str, ...]

    def __call__(self, tokenizer: Any, line: str) -> tuple[str, str]:
        """Read a row; UnusableRowError where it is no example."""
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise UnusableRowError("no JSON") from None
        given = [row.get(name) for name in self.columns] if isinstance(row, dict) else [None]
        beside = next((name for name in _NOT_RENDERED if isinstance(row, dict) and row.get(name)), None)
        if beside:
            raise UnusableRowError(f"a column {beside}, which would not be shown")
        if isinstance(given[0], list):
            # prompt and completion may be turns as well
            turns = given[0] if len(given) == 1 else [*given[0], *_turns(given[1])]
            return _of_conversation(tokenizer, turns)
        prompt, answer = given if len(given) == 2 else (None, None)
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise UnusableRowError(f"no {' or no '.join(self.columns)}")
        if not prompt.strip():
            raise UnusableRowError("an empty prompt")
        return prompt, _answer(answer)


def find_files(data: Path) -> dict[str, RowFile]:
    """Find the rows of a team's own.

    Args:
        data: A file, or a folder with `train` and maybe `validation`, each JSON lines or Parquet.

    Returns:
        `train`, and `validation` where there is one.

    Raises:
        UsageError: There is no such file, or it has other columns.
    """
    if data.is_file():
        if data.suffix not in _SUFFIXES:
            raise UsageError(f"--data {data}: give a .jsonl or .parquet file, or a folder")
        return {"train": open_rows(data)}
    found = {}
    for part in ("train", "validation"):
        paths = [path for path in (data / f"{part}{suffix}" for suffix in _SUFFIXES) if path.is_file()]
        if len(paths) > 1:
            raise UsageError(f"--data {data} has {paths[0].name} and {paths[1].name}: leave one of both")
        if paths:
            found[part] = open_rows(paths[0])
    read = {file.path.name for file in found.values()}
    unread = [path.name for path in sorted(data.glob("*")) if {*path.suffixes} & {*_SUFFIXES} and path.name not in read]
    if found and unread:
        warn(f"--data {data}: {', '.join(unread)} is not read, only train and validation (.jsonl or .parquet) are")
    if "train" not in found:
        raise UsageError(
            f"--data {data} holds no {FormatReport.NAME} of format_extract, nor train.jsonl or train.parquet with rows"
        )
    return found


def open_rows(path: Path) -> RowFile:
    """Look at the columns of a file. Raises UsageError where they are none that can be trained on."""
    found = _columns(path)
    if _MESSAGES in found:
        return RowFile(path, (_MESSAGES,))
    answer = next((name for name in _ANSWERS if name in found), None)
    if _PROMPT in found and answer:
        return RowFile(path, (_PROMPT, answer))
    if not found:
        raise UsageError(f"--data {path} holds no row: wanted is one JSON object a line, in UTF-8, with {_WANTED}")
    raise UsageError(f"--data {path} has the columns {', '.join(found)}: wanted is {_WANTED}")


def _columns(path: Path) -> Sequence[str]:
    if path.suffix == ".parquet":
        with _parquet(path) as file:
            return list(file.schema_arrow.names)
    first: Sequence[str] = []
    for _, line in zip(range(_LOOKED_AT), _json_lines(path), strict=False):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(row, dict):
            continue
        if _MESSAGES in row or _PROMPT in row:
            return list(row)
        first = first or list(row)
    return first


def _json_lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield _text(line).strip()


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""


def _parquet_lines(path: Path, columns: Sequence[str]) -> Iterator[str]:
    import pyarrow

    with _parquet(path) as file:
        try:
            wanted = [*columns, *(name for name in _NOT_RENDERED if name in file.schema_arrow.names)]
            for batch in file.iter_batches(batch_size=200, columns=wanted):
                # what is no text, as bytes and times, is no prompt and no answer
                yield from map(partial(json.dumps, default=lambda _: None), batch.to_pylist())
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(f"--data {path} is damaged: {_first_line(error)}") from None


def _parquet(path: Path) -> Any:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path, memory_map=True, pre_buffer=False)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"--data {path} is no Parquet: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]


def _turns(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [{"role": "assistant", "content": said}]


def _of_conversation(tokenizer: Any, turns: Sequence[Any]) -> tuple[str, str]:
    if not all(_is_turn(turn) for turn in turns):
        raise UnusableRowError("a turn without role and content as text")
    if any(turn.get("tool_calls") for turn in turns):
        raise UnusableRowError("a turn that calls tools, which would not be shown")
    if len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise UnusableRowError("the last turn is not the assistant's answer to another")
    *before, last = turns
    # a turn shows articles: a special token that one spells ends no turn
    asked = [{"role": turn["role"], "content": break_special(tokenizer, turn["content"])} for turn in before]
    system = asked.pop(0)["content"] if asked[0]["role"] == "system" else ""
    if not asked:
        raise UnusableRowError("no user's turn")
    try:
        return render_conversation(tokenizer, system, asked), _answer(last["content"])
    except UnusableRowError:
        raise
    except Exception:  # templates raise their own kinds of error
        raise UnusableRowError("the chat template cannot render it") from None


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, Mapping) and all(isinstance(turn.get(name), str) for name in ("role", "content"))


def _answer(text: str) -> str:
    if not text.strip():
        raise UnusableRowError("an empty answer")
    return text
