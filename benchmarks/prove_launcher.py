"""Launchers against a cluster that misbehaves, as often as wanted: what happened in these runs, and violations.

The model is that of `tests/unit/launcher/kubernetes/simulation`; a violation ends the proof with the shortest story
that leads to it.
"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1]))

from ctiforge.pod.entry import run_program
from ctiforge.tables import markdown, table_of
from tests.unit.launcher.kubernetes.simulation.machine import COUNTED, Launchers, settings_for


def main(
    runs: Annotated[int, typer.Option(help="Runs to draw.")] = 10_000,
    steps: Annotated[int, typer.Option(help="Things that happen in a run, at most.")] = 40,
) -> None:
    """Draw runs, other ones each time, and print what they held."""
    started = time.process_time()
    drawn = settings(settings_for(runs), derandomize=False, stateful_step_count=steps)
    run_state_machine_as_test(Launchers, settings=drawn)
    seconds = time.process_time() - started
    rows = [(name, f"{count:,}") for name, count in [*COUNTED.items(), ("violations", 0)]]
    print(markdown([table_of(("what", "how often"), rows, left=(0,))]))
    print(f"\n{seconds:.0f} CPU-seconds")


if __name__ == "__main__":
    run_program(main)
