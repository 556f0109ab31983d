"""Rows a second, client CPU, peak memory and the server's temporary files of a harvest, beside one of SQLAlchemy's.

All read the same rows (one completed execution an article, 10 kB of content, all texts distinct
but one near duplicate in a hundred) and write the same kind of records: results read by the same
parser, exact and near duplicates merged with MinHash (ours finds cut copies as well), records sorted,
one JSON line each. Small rows hold 0.7 kB of results; real ones 1.2 MB, as the application's do.

- ours: `ctiforge.extract.harvest.harvest`: rows by primary key, candidates on disk, shingles in numpy.
- again: the same with nothing new since an earlier harvest left in a store what it read.
- before: the same of another commit, where `--before` names a checkout of it.
- baseline, as it is usually written: the ORM's objects from `.all()`, a list of pydantic records,
  shingles of three words, rensa's RMinHash and RMinHashLSH in memory, `model_dump_json`.

On small rows near duplicates are the larger part of the work, so the figures are also given without
that search in the baseline alone: then it does less than ours does. Every run is a process of its
own; peak memory is its VmHWM. The table shows medians.
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
VARIANTS = ("ours", "again", "baseline", "baseline-without-near-duplicates")
BEFORE = "before"
SMALL = (20_000, 200_000)


def main(
    rows: Annotated[list[int] | None, typer.Option(help="Numbers of small rows to measure (repeat the flag).")] = None,
    real: Annotated[int, typer.Option(help="Number of real-sized rows to measure; 0: none.")] = 500,
    before: Annotated[Path | None, typer.Option(help="A checkout of the commit to compare with.")] = None,
    repeat: Annotated[int, typer.Option(help="Runs of each; the median counts.")] = 3,
    folder: Annotated[Path, typer.Option(help="Where the embedded PostgreSQL keeps its data.")] = Path(
        ".ctiforge/bench-postgres"
    ),
    output: Annotated[Path | None, typer.Option(help="A JSON file for the figures.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the data for the next time.")] = False,
) -> None:
    """Measure the harvest against a SQLAlchemy one (default: 500 real rows, 20,000 and 200,000 small ones)."""
    import shutil

    import psycopg2

    from ctiforge.demo.postgres import start_postgres, stop_postgres
    from harvest_rows import fill

    url = start_postgres(folder)
    figures: list[dict[str, Any]] = []
    try:
        variants = (*VARIANTS, BEFORE) if before else VARIANTS
        for size, count in [*([("real", real)] if real else []), *(("small", each) for each in rows or SMALL)]:
            connection = psycopg2.connect(url)
            fill(connection, count, size)
            connection.close()
            runs = [measure(variant, url, before) | {"size": size} for _ in range(repeat) for variant in variants]
            figures += [median_of([each for each in runs if each["variant"] == variant]) for variant in variants]
    finally:
        stop_postgres(folder)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print_table(figures, repeat)
    if output:
        output.write_text(json.dumps(figures, indent=1) + "\n")


def measure(variant: str, url: str, before: Path | None) -> dict[str, Any]:
    """One run in a process of its own."""
    environment = os.environ | {"DATABASE_URL": url, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    if variant == BEFORE:
        environment["PYTHONPATH"] = str(Path(str(before)).absolute() / "src")
    start = temporary_bytes(url)
    with tempfile.TemporaryDirectory(prefix="bench-harvest-", dir=".") as out:
        command = [sys.executable, str(HERE / "harvest_variants.py"), variant, out]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{variant} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout) | {"temp_mb": (temporary_bytes(url) - start) / 1e6}
    print(json.dumps(figures), file=sys.stderr, flush=True)
    return figures


def temporary_bytes(url: str) -> int:
    """What the server has written into temporary files so far."""
    import psycopg2

    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")
        (found,) = cursor.fetchone() or (0,)
    connection.close()
    return int(found)


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number."""
    return {
        key: statistics.median(run[key] for run in runs) if isinstance(value, (int, float)) else value
        for key, value in runs[0].items()
    }


def print_table(figures: list[dict[str, Any]], repeat: int) -> None:
    """Rows a second, how many times the other variant's, client CPU a row, peak memory, and the server's files."""
    from rich.console import Console

    from ctiforge.tables import print_tables, table_of

    ours = {(each["size"], each["rows"]): each for each in figures if each["variant"] == "ours"}
    rows: list[tuple[object, ...]] = [
        (
            f"{each['rows']:,} {each['size']}",
            each["variant"],
            f"{each['kept']:,}",
            f"{each['seconds']:.1f}",
            f"{each['rows'] / each['seconds']:,.0f}",
            f"{each['seconds'] / ours[each['size'], each['rows']]['seconds']:.2f} x",
            f"{1000 * each['cpu_seconds'] / each['rows']:.2f}",
            f"{each['peak_mb']:.0f}",
            f"{each['temp_mb']:.0f}",
        )
        for each in figures
    ]
    header = ("rows", "variant", "kept", "wall s", "rows/s", "ours is", "CPU ms a row", "peak MB", "server temp MB")
    print_tables([table_of(header, rows, left=(0, 1))], Console(width=140))
    print(
        f"medians of {repeat} runs; load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(time.strftime("measured %Y-%m-%d"))


if __name__ == "__main__":
    run_program(main)
