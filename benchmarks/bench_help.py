"""How long `ctiforge --help` and every `jobs/*.py --help` take, as whole processes."""

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program

ROOT = Path(__file__).parents[1]


def main(runs: Annotated[int, typer.Option(help="Runs of each command; the median is printed.")] = 5) -> None:
    """Time every --help."""
    from ctiforge.tables import print_table

    commands = {"ctiforge": [str(Path(sys.executable).parent / "ctiforge"), "--help"]}
    commands |= {f"jobs/{p.name}": [sys.executable, str(p), "--help"] for p in sorted((ROOT / "jobs").glob("*.py"))}
    rows = []
    for name, command in commands.items():
        times = sorted(_seconds(command) for _ in range(runs))
        rows.append((name, f"{statistics.median(times):.2f} s", f"{times[0]:.2f} s", f"{times[-1]:.2f} s"))
    print_table(f"--help, {runs} runs", ("command", "median", "least", "most"), rows)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    run_program(main)
