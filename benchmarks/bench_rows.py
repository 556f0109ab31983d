"""Memory of a training's rows as their number grows, mapped from disk and as lists; and how fast they are encoded.

Every figure of memory is that of a fresh process, which encodes the rows and then reads them in the order of a
training. Their tokens are numbers in the text, so that millions cost no tokenizer's time; speed is measured with that
of the demo. Resident memory counts pages of the file that are mapped, which the system takes back when it needs them;
what is the process's own is its anonymous memory.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program

TOKENS = 500
READ = 20_000
"""Rows that are read, at most."""
SAMPLED = 2_000
"""Rows between two looks at the memory."""
LISTS_AT_MOST = 50_000
"""More of them as lists would take nearly all of a laptop's memory."""


def main(
    rows: Annotated[list[int] | None, typer.Option(help="Rows of each process.")] = None,
    encoded: Annotated[int, typer.Option(help="Rows that are encoded to measure the speed.")] = 20_000,
    one: Annotated[str | None, typer.Option(help="Measure in this process: mapped or lists.")] = None,
    scratch: Annotated[Path, typer.Option(help="Where the files of the rows lie for a while.")] = Path(".ctiforge"),
) -> None:
    """Measure rows of about 500 tokens."""
    from ctiforge.tables import print_table

    counts = rows or [5_000, 50_000, 500_000]
    scratch.mkdir(parents=True, exist_ok=True)
    if one:
        with TemporaryDirectory(dir=scratch) as folder:
            print(json.dumps(_mapped(counts[0], Path(folder)) if one == "mapped" else _lists(counts[0])))
        return
    found = []
    for kind in ("mapped", "lists"):
        for count in counts:
            if kind == "mapped" or count <= LISTS_AT_MOST:
                found.append((kind, f"{count:,}", *(f"{each:,.0f}" for each in _fresh(kind, count, scratch))))
                print(found[-1], file=sys.stderr, flush=True)
    print_table(
        "memory in MB",
        ("rows", "number", "before", "own, at most", "resident, at most", "on disk", "CPU-seconds"),
        found,
    )
    speeds = [(str(n), *_speed(n, encoded, scratch)) for n in (1, 2)]
    print_table(f"encoding {encoded:,} rows", ("processes", "rows/s", "rows/CPU-s", "tokens/s"), speeds)


def _fresh(kind: str, count: int, scratch: Path) -> list[float]:
    command = [sys.executable, __file__, "--one", kind, "--rows", str(count), "--scratch", str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


def _mapped(count: int, folder: Path) -> list[float]:
    """Encode into a file and read; gives MB before, own and resident at most, on disk, and CPU-seconds."""
    import datasets  # what importing it takes is no cost of a row

    from ctiforge.training.rows import encode_rows

    datasets.disable_progress_bars()
    watch = _Watch()
    found = encode_rows(
        lambda: watch.each(_lines(count)),
        str(count),
        _read,
        _Numbers(),
        max_length=4 * TOKENS,
        folder=folder,
        processes=1,
    )
    _read_in_order(found, watch)
    return watch.figures(sum(path.stat().st_size for path in folder.rglob("*.arrow")))


def _lists(count: int) -> list[float]:
    """Do the same with rows as lists, as they were kept before."""
    import datasets  # noqa: F401 - the same before as of the other

    from ctiforge.training.batches import Rows
    from ctiforge.training.encoding import encode_example

    watch, tokenizer = _Watch(), _Numbers()
    _read_in_order(Rows([encode_example(tokenizer, *_read(tokenizer, x)) for x in watch.each(_lines(count))]), watch)
    return watch.figures(0)


def _read_in_order(rows: Any, watch: "_Watch") -> None:
    from ctiforge.training.batches import AnswerCollator, LengthBucketSampler

    collate = AnswerCollator(0)
    for index in watch.each(islice(LengthBucketSampler(rows.lengths, 16, seed=0), READ)):
        collate([rows[index]])


def _lines(count: int) -> Iterator[str]:
    numbers = random.Random(0)
    texts = [
        " ".join(str(numbers.randrange(300, 30_000)) for _ in range(numbers.randint(300, 700))) for _ in range(500)
    ]
    for number in range(count):
        yield f"{number % 30_000} {texts[number % len(texts)]}\t7 8 9"


def _read(_tokenizer: Any, line: str) -> tuple[str, str]:
    prompt, _, answer = line.partition("\t")
    return prompt, answer


class _Numbers:
    """A tokenizer whose texts are the numbers of their tokens."""

    chat_template = None
    bos_token_id = None
    eos_token_id = 2

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[int(number) for number in text.split()] for text in texts]}

    def get_vocab(self) -> dict[str, int]:
        return {}


class _Watch:
    """Looks at this process's memory while it works."""

    def __init__(self) -> None:
        import torch  # noqa: F401 - part of every training

        self.before = self.most = _anonymous()

    def each(self, items: Any) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number % SAMPLED == 0:
                self.most = max(self.most, _anonymous())
            yield item
        self.most = max(self.most, _anonymous())

    def figures(self, on_disk: int) -> list[float]:
        status = Path("/proc/self/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        return [self.before / 1e3, self.most / 1e3, resident / 1e3, on_disk / 1e6, time.process_time()]


def _anonymous() -> int:
    """Read the anonymous memory in kB."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:"))


def _speed(processes: int, count: int, scratch: Path) -> tuple[str, str, str]:
    import os

    from ctiforge.extract.dataset.row_files import ReadExample
    from ctiforge.training.encoding import load_tokenizer
    from ctiforge.training.rows import encode_rows

    text = "The actor ran whoami /all and reg add HKLM\\Software\\Run, then slept for a day. " * 12
    lines = [json.dumps({"prompt": f"{number} {text}", "answer": '{"observables":[]}'}) for number in range(count)]
    read, tokenizer = ReadExample(("prompt", "answer")), load_tokenizer("demo")
    with TemporaryDirectory(dir=scratch) as folder:
        before, started = os.times(), time.monotonic()
        rows = encode_rows(
            lambda: iter(lines), "x", read, tokenizer, max_length=4_096, folder=Path(folder), processes=processes
        )
        seconds, after = time.monotonic() - started, os.times()
        cpu = sum(after[:4]) - sum(before[:4])
        tokens = int(rows.lengths.sum())
    return f"{count / seconds:,.0f}", f"{count / cpu:,.0f}", f"{tokens / seconds:,.0f}"


if __name__ == "__main__":
    run_program(main)
