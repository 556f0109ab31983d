"""Examples encoded once, into a file that is mapped into memory: however many they are, they take no more of it."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctiforge.training.batches import Lengths, Rows
from ctiforge.training.encoding import EncodedExample, encode_examples, end_token_id, tokenizer_hash

ReadRow = Callable[[Any, str], tuple[str, str]]
"""Makes a prompt and its answer of a line, for a tokenizer, or raises `UnusableRowError`; its `repr` tells how."""
TOO_LONG = "longer than --max-length"
"""Why a row that is whole is set aside all the same."""

# Rises when the same lines are encoded otherwise: files of before are then not read.
_LAYOUT = 1
# Lines that are encoded at once: of thousands of tokens each they take some tens of megabytes.
_TOGETHER = 200
# Fewer are encoded sooner than a process for them has started.
_ROWS_OF_A_PROCESS = 5_000
# The node of a pod has more cores than the pod may use.
_MOST_PROCESSES = 8


class UnusableRowError(Exception):
    """Says why a row is no example."""


class EncodedRows(Rows[EncodedExample]):
    """Some of the examples of a file, each read from disk when it is asked for."""

    def __init__(self, encoded: Any, lines: Any, chosen: npt.NDArray[np.int32], set_aside: dict[str, int]) -> None:
        self._encoded = encoded
        self._lines = lines
        self._chosen = chosen
        self._as_arrays: Any = encoded.with_format("numpy", columns=["input_ids", "answer_start"]) if encoded else None
        self.set_aside = set_aside
        """Why rows of the file are no examples → how many."""

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> EncodedExample:
        row = self._as_arrays[int(self._chosen[index])]
        return EncodedExample(row["input_ids"].tolist(), int(row["answer_start"]))

    @property
    def lengths(self) -> Lengths:
        """List the tokens of each row."""
        lengths: Lengths = self._column("length", np.int32)
        return lengths

    def spread(self, count: int) -> list[str]:
        """Give the lines that some rows were read from.

        Args:
            count: Of how many rows.

        Returns:
            Lines spread evenly over all; every one where there are no more.
        """
        places = np.unique(np.linspace(0, len(self) - 1, min(count, len(self)), dtype=int))
        return [str(self._lines[int(self._chosen[place])]["line"]) for place in places]

    def divided(self, share: float, seed: int) -> "tuple[EncodedRows, EncodedRows]":
        """Divide the rows by their prompts: rows of one prompt stay together.

        Args:
            share: Of the rows, about how many the second part gets, 0 to 1: of prompts that fit, else the smallest
                where it is at most half of all.
            seed: Chooses which; what is chosen changes little when rows come and go.

        Returns:
            The two parts, each in the file's order.
        """
        prompts = self._column("prompt", np.int64)
        different, sizes = np.unique(prompts, return_counts=True)
        room, taken = max(round(share * len(prompts)), 1), list[int]()
        for place in np.argsort(different ^ np.int64(_number(str(seed)))) if len(different) > 1 else ():
            if sizes[place] <= room:
                taken.append(int(place))
                room -= int(sizes[place])
        if not taken and len(different) > 1 and 2 * sizes.min() <= len(prompts):
            taken = [int(sizes.argmin())]
        second = np.isin(prompts, different[taken])
        return self._only(~second), self._only(second)

    def _only(self, wanted: npt.NDArray[np.bool_]) -> "EncodedRows":
        return EncodedRows(self._encoded, self._lines, self._chosen[wanted], self.set_aside)

    def _column(self, name: str, kind: Any) -> Any:
        return _column(self._encoded, name)[self._chosen] if self._encoded else np.zeros(0, kind)


def encode_rows(
    lines: Callable[[], Iterator[str]],
    content: str,
    read: ReadRow,
    tokenizer: Any,
    *,
    max_length: int,
    folder: Path,
    processes: int | None = None,
) -> EncodedRows:
    """Encode the examples of a file, or find them as they were encoded before.

    Args:
        lines: Reads the file.
        content: The hash of the file.
        read: Makes an example of a line; other processes are handed it.
        tokenizer: The model's tokenizer, with the template that prompts are rendered with.
        max_length: Tokens of prompt and answer together; a longer row is set aside, none is cut.
        folder: Keeps what is encoded, by file, tokenizer, template, length and `read`.
        processes: How many encode; None: as many as there are cores, and work for them.

    Returns:
        The rows that are examples, in the file's order; of the others it is counted why they are none.
    """
    if next(lines(), None) is None:
        return EncodedRows(None, None, np.zeros(0, np.int32), {})
    source = _mapped_lines(lines, _key(content), folder)
    processes = processes or min(os.cpu_count() or 1, _MOST_PROCESSES, len(source) // _ROWS_OF_A_PROCESS)
    key = _key(content, tokenizer_hash(tokenizer), end_token_id(tokenizer), repr(read), max_length)
    encoded = _mapped(source, _Encoder(tokenizer, read, max_length), key, folder, processes)
    faults = encoded.data.column("fault").value_counts().to_pylist()
    set_aside = {each["values"]: each["counts"] for each in faults if each["values"]}
    chosen = np.flatnonzero(_column(encoded, "length")).astype(np.int32)
    return EncodedRows(encoded, source, chosen, dict(sorted(set_aside.items())))


@dataclass(frozen=True)
class _Encoder:
    """Encodes lines, a batch at a time; one that is no example has no tokens, and says why."""

    tokenizer: Any
    read: ReadRow
    max_length: int

    def __call__(self, batch: dict[str, list[str]]) -> dict[str, list[Any]]:
        read = [self._read(line) for line in batch["line"]]
        texts = [each for each in read if not isinstance(each, str)]
        encoded = iter(encode_examples(self.tokenizer, [prompt for prompt, _ in texts], [text for _, text in texts]))
        columns: dict[str, list[Any]] = {
            name: [] for name in ("input_ids", "answer_start", "length", "prompt", "fault")
        }
        for each in read:
            fault, row, prompt = (each, None, "") if isinstance(each, str) else (None, next(encoded), each[0])
            if row and row.length > self.max_length:
                fault, row = TOO_LONG, None
            columns["input_ids"].append(np.array(row.input_ids if row else [], np.int32))
            columns["answer_start"].append(row.answer_start if row else 0)
            columns["length"].append(row.length if row else 0)
            columns["prompt"].append(_number(" ".join(prompt.split())))
            columns["fault"].append(fault)
        return columns

    def _read(self, line: str) -> tuple[str, str] | str:
        """Read prompt and answer of a line, or why there are none."""
        try:
            prompt, answer = self.read(self.tokenizer, line)
            f"{prompt}{answer}".encode()
        except UnusableRowError as error:
            return str(error)
        except UnicodeEncodeError:
            return "half a surrogate pair is no text"
        return prompt, answer


def _mapped_lines(lines: Callable[[], Iterator[str]], key: str, folder: Path) -> Any:
    import datasets
    from datasets.exceptions import DatasetGenerationError

    datasets.disable_progress_bars()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return datasets.Dataset.from_generator(
            lambda: ({"line": line} for line in lines()),
            features=datasets.Features({"line": datasets.Value("string")}),
            cache_dir=str(folder),
            fingerprint=key,
        )
    except DatasetGenerationError as error:
        # a full disk, or a damaged file: whoever reads that knows what to say
        raise error.__cause__ or error from None


def _mapped(source: Any, encoder: _Encoder, key: str, folder: Path, processes: int) -> Any:
    from datasets import Features, List, Value

    if processes > 1:
        # the processes share the cores already, and threads of the tokenizer's own do not live through a fork
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    number = Value("int32")
    return source.map(
        encoder,
        batched=True,
        batch_size=_TOGETHER,
        remove_columns=["line"],
        features=Features(
            input_ids=List(number),
            answer_start=number,
            length=number,
            prompt=Value("int64"),
            fault=Value("string"),
        ),
        num_proc=processes if processes > 1 else None,
        cache_file_name=str(folder / f"{key}.arrow"),
        new_fingerprint=key,
        load_from_cache_file=True,
    )


def _column(encoded: Any, name: str) -> Any:
    return encoded.data.column(name).to_numpy()


def _key(*parts: object) -> str:
    return hashlib.sha256(repr((_LAYOUT, *parts)).encode()).hexdigest()[:32]


def _number(text: str) -> int:
    """Hash a text into a signed number of 8 bytes."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
