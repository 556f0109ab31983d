"""Rows a second and peak memory of a harvest, beside one that SQLAlchemy's `.all()` feeds.

Both read the same rows (one completed execution an article, 10 kB of content, all texts distinct
but one near duplicate in a hundred) and write the same kind of records, equally many: results read
by the same parser, exact and near duplicates merged with MinHash (128 values, similarity 0.8),
records sorted, one JSON line each.

- ours: `ctiforge.extract.harvest.harvest`: server-side cursors, candidates on disk, shingles in numpy.
- baseline, as it is usually written: the ORM's objects from `.all()`, a list of pydantic records,
  shingles of three words, rensa's RMinHash and RMinHashLSH in memory, `model_dump_json`.

Near duplicates are the larger part of the work, so the figures are also given without that search
in the baseline alone: then it does less than ours does. Every run is a process of its own; peak
memory is its VmHWM. The table shows medians, wall time and the CPU time of the client process.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program

HERE = Path(__file__).parent
VARIANTS = ("ours", "baseline", "baseline-without-near-duplicates")


def main(
    rows: Annotated[list[int] | None, typer.Option(help="Numbers of rows to measure (repeat the flag).")] = None,
    repeat: Annotated[int, typer.Option(help="Runs of each; the median counts.")] = 3,
    folder: Annotated[Path, typer.Option(help="Where the embedded PostgreSQL keeps its data.")] = Path(
        ".ctiforge/bench-postgres"
    ),
    output: Annotated[Path | None, typer.Option(help="A JSON file for the figures.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the data for the next time.")] = False,
) -> None:
    """Measure the harvest against a SQLAlchemy one (default: 20,000 and 200,000 rows)."""
    import shutil

    import psycopg2

    from ctiforge.demo.postgres import start_postgres, stop_postgres
    from harvest_rows import fill

    url = start_postgres(folder)
    figures: list[dict[str, Any]] = []
    try:
        for count in rows or [20_000, 200_000]:
            connection = psycopg2.connect(url)
            fill(connection, count)
            connection.close()
            runs = [measure(variant, url) for _ in range(repeat) for variant in VARIANTS]
            figures += [median_of([each for each in runs if each["variant"] == variant]) for variant in VARIANTS]
    finally:
        stop_postgres(folder)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print_table(figures, repeat)
    if output:
        output.write_text(json.dumps(figures, indent=1) + "\n")


def measure(variant: str, url: str) -> dict[str, Any]:
    """One run in a process of its own."""
    environment = os.environ | {"DATABASE_URL": url, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="bench-harvest-", dir=".") as out:
        command = [sys.executable, str(HERE / "harvest_variants.py"), variant, out]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{variant} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    print(json.dumps(figures), file=sys.stderr, flush=True)
    return figures


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number."""
    return {
        key: statistics.median(run[key] for run in runs) if isinstance(value, (int, float)) else value
        for key, value in runs[0].items()
    }


def print_table(figures: list[dict[str, Any]], repeat: int) -> None:
    """Rows a second, how many times the other variant's, and peak memory."""
    from rich.console import Console
    from rich.table import Table

    table = Table("rows", "variant", "kept", "wall s", "rows/s", "ours is", "CPU s", "ours is", "peak MB", box=None)
    ours = {each["rows"]: each for each in figures if each["variant"] == "ours"}
    for each in figures:
        own = ours[each["rows"]]
        table.add_row(
            f"{each['rows']:,}",
            each["variant"],
            f"{each['kept']:,}",
            f"{each['seconds']:.1f}",
            f"{each['rows'] / each['seconds']:,.0f}",
            f"{each['seconds'] / own['seconds']:.2f} x",
            f"{each['cpu_seconds']:.1f}",
            f"{each['cpu_seconds'] / own['cpu_seconds']:.2f} x",
            f"{each['peak_mb']:.0f}",
        )
    Console(width=120).print(table)
    print(
        f"medians of {repeat} runs; load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(time.strftime("measured %Y-%m-%d"))


if __name__ == "__main__":
    run_program(main)
