"""What a training step costs on cores that others want too: threads that spin while they wait, and threads that sleep.

Each row is the median of several runs, in which both ways take turns: seconds and CPU-seconds of the same forward and
backward passes, with as many threads as there are cores, beside none and beside as many busy processes.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.in_pod import WAITS
from ctiforge.tables import print_tables, table_of, wide_console

STEPS = """
import json, os, time, torch
torch.manual_seed(0)
torch.set_num_threads(os.cpu_count())
layers = [torch.nn.Linear(256, 1024), torch.nn.SiLU(), torch.nn.Linear(1024, 256)]
model, rows = torch.nn.Sequential(*layers * 4), torch.randn(2048, 256)
def step():
    model(rows).square().mean().backward()
    model.zero_grad()
step()
begun, used = time.monotonic(), time.process_time()
for _ in range(20):
    step()
print(json.dumps([time.monotonic() - begun, time.process_time() - used]))
"""


def main(runs: Annotated[int, typer.Option(min=1, help="Of each way, in turns.")] = 5) -> None:
    """Print a row for each way, alone and beside others."""
    cores, rows = os.cpu_count() or 1, list[tuple[str, ...]]()
    for others in (0, cores):
        with busy(others):
            both = [(_measured({}), _measured(WAITS)) for _ in range(runs)]
        spin, sleep = (
            [statistics.median(way[of] for way in ways) for of in (0, 1)] for ways in zip(*both, strict=True)
        )
        for name, found in (("spin", spin), ("sleep", sleep)):
            ratios = (f"{spin[of] / found[of]:.2f}" for of in (0, 1))
            rows.append((str(others), name, *(f"{each:.2f}" for each in found), *ratios))
    heads = ("busy processes beside", "threads that wait", "s", "CPU-s", "times as fast", "times as cheap")
    print_tables([table_of(heads, rows, left=(1,))], wide_console(120))


@contextmanager
def busy(number: int) -> Iterator[None]:
    """So many processes that only compute."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def _measured(waits: Mapping[str, str]) -> tuple[float, float]:
    """Seconds and CPU-seconds of the steps, with these settings of how threads wait and no others."""
    given = {name: value for name, value in os.environ.items() if name not in WAITS} | dict(waits)
    done = subprocess.run([sys.executable, "-c", STEPS], env=given, capture_output=True, check=True, text=True)
    seconds, used = json.loads(done.stdout)
    return seconds, used


if __name__ == "__main__":
    run_program(main)
