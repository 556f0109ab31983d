"""The first ten minutes: CPU-seconds and F1 of `make train-extract` on the demo, beside those of another checkout.

`git worktree add ../before COMMIT; make -C ../before install`, then `make bench-first ARGS="--before ../before"`. Each
runs in a store and outputs folder of its own, on one core, one after the other; installing is not counted.
"""

import json
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ctiforge.errors import CannotGoOnError
from ctiforge.pod.entry import run_program
from ctiforge.records.evaluation import Evaluation

ROWS = ("all", "style: seen", "style: unseen", "length: long")
HERE = Path(__file__).parents[1]


def main(
    before: Annotated[Path | None, typer.Option(help="Another checkout, with its own .venv.")] = None,
    core: Annotated[int, typer.Option(help="The processor that both are held to.")] = 0,
) -> None:
    """Run the demo of each checkout from nothing, and print a row for each."""
    from ctiforge.tables import print_table

    found = {"this": _run(HERE, core)}
    if before:
        found["before"] = _run(before.resolve(), core)
    rows = [
        (
            name,
            f"{each.cpu_s:.0f}",
            f"{each.seconds:.0f}",
            f"{each.rules:.3f}",
            *(f"{each.f1[row]:.3f}" for row in ROWS),
        )
        for name, each in found.items()
    ]
    print_table("the demo, from nothing", ("checkout", "CPU-s", "s on one core", "F1 of the rules", *ROWS), rows)
    if before:
        print(f"CPU-seconds, this over before: {found['this'].cpu_s / found['before'].cpu_s:.2f}")


@dataclass(frozen=True)
class First:
    """What a first run costs and makes."""

    cpu_s: float
    seconds: float
    f1: dict[str, float]
    """Of the new model, by row."""
    rules: float
    """F1 of the rules, over all."""


def _run(checkout: Path, core: int) -> First:
    with tempfile.TemporaryDirectory(prefix="first-") as folder:
        command = ["taskset", "-c", str(core), str(checkout / ".venv/bin/ctiforge"), "run", "extract"]
        began, used = time.monotonic(), _used()
        done = subprocess.run(command, cwd=folder, env=os.environ | {"HF_HUB_OFFLINE": "1"}, check=False)
        if done.returncode:
            raise CannotGoOnError(f"{checkout}: the run ended with exit code {done.returncode}, see above")
        cpu_s, seconds = _used() - used, time.monotonic() - began
        files = {each.name.partition("-")[0]: each for each in Path(folder, "outputs/evaluations").glob("eval_*.json")}
        tuned, rules = (_f1(files[stage]) for stage in ("eval_tuned", "eval_regex"))
        subprocess.run(
            [str(checkout / ".venv/bin/python"), str(checkout / "jobs/demo_database.py"), "down"], cwd=folder
        )
        return First(cpu_s, seconds, tuned, rules["all"])


def _f1(file: Path) -> dict[str, float]:
    text = file.read_text(encoding="utf-8")
    if json.loads(text).get("schema", 0) > Evaluation.SCHEMA:
        raise CannotGoOnError(f"{file} was written by a newer version: run this from that checkout")
    return {row.label: row.f1 or 0.0 for row in Evaluation.parse(text, str(file)).rows}


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    run_program(main)
