"""An evaluation in shards: the same evaluation as in one, its seconds, and what its processes compute together.

The model is the demo's base, held to the answer's schema, with one thread a process; or the rules (`--model regex`).
Shards need not run at the same time: they run one after the other, as with one free GPU, and two at a time.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.demo.articles import make_corpus
from ctiforge.pod.entry import run_program
from ctiforge.tables import markdown, table_of

_RUNS = ((1, 1), (2, 1), (4, 1), (2, 2), (4, 2))
"""Shards, and how many of them at a time."""
_TITLES = (
    "shards", "at a time", "the same as one", "evaluation.json", "s of the longest shard", "s of all", "CPU-seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float
    cpu_s: float


def main(
    articles: Annotated[int, typer.Option(min=1, help="The shortest of the demo's test set.")] = 12,
    model: Annotated[str, typer.Option(help="demo or regex.")] = "demo",
) -> None:
    """Evaluate the same model on the same articles in 1, 2 and 4 shards."""
    rows, one = [], None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        test_data = folder / "articles.jsonl"
        records = sorted(make_corpus(0).test, key=lambda each: len(each.content))[:articles]
        test_data.write_text("".join(each.model_dump_json() + "\n" for each in records), encoding="utf-8")
        for number, (shards, together) in enumerate(_RUNS):
            place = folder / str(number)
            command = partial(_evaluate, place, _flags(model, test_data, place), shards)
            began = time.monotonic()
            with ThreadPoolExecutor(together) as pool:
                costs = list(pool.map(command, range(shards)))
            whole_s, digest = time.monotonic() - began, _digest(place / "store")
            one = one or digest
            same, cpu_s = "yes" if digest == one else "NO", sum(each.cpu_s for each in costs)
            longest = max(each.seconds for each in costs)
            numbers = (f"{longest:.0f}", f"{whole_s:.0f}", f"{cpu_s:.0f}")
            rows.append((str(shards), str(together), same, digest[:12], *numbers))
            print(f"{shards} shards, {together} at a time: done in {whole_s:.0f} s", flush=True)
    print(markdown([table_of(_TITLES, rows, left=(2, 3))]))
    if any(row[2] != "yes" for row in rows):
        raise typer.Exit(1)


def _flags(model: str, test_data: Path, place: Path) -> list[str]:
    constrained = ["--constrained"] if model == "demo" else []
    named = [f"--model={model}", f"--test-data={test_data}", f"--store={place / 'store'}"]
    return [*named, "--device=cpu", "--batch-size=4", *constrained]


def _evaluate(place: Path, flags: list[str], shards: int, shard: int) -> Cost:
    """Run one shard as a command of its own; of one shard there is no flag."""
    command = [sys.executable, "-m", "ctiforge.programs.eval_extract", *flags]
    command += [f"--shards={shards}", f"--shard={shard}"] if shards > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTIFORGE_SCRATCH": str(place / f"scratch-{shard}")}
    place.mkdir(exist_ok=True)
    began = time.monotonic()
    with (place / f"{shard}.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((place / f"{shard}.log").read_text())
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime)


def _digest(store: Path) -> str:
    """Hash the one evaluation of a store, without the seconds that each article took."""
    [path] = store.glob("artifacts/eval_extract/*/*/evaluation.json")
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    del body["metrics"]["seconds_per_article"]
    for article in body["articles"]:
        del article["answers"]["seconds"]
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()


if __name__ == "__main__":
    run_program(main)
