"""What a preemption costs: steps done again, whether the weights are the same, and the wait for a checkpoint."""

import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program

PREEMPTED = Path(__file__).with_name("preempted.py")
STEPS, SAVE_STEPS, EVAL_STEPS = 40, 10, 15


@dataclass(frozen=True)
class Kill:
    """One run that was ended in the middle and done again on an empty machine."""

    signal: signal.Signals
    step: int
    exit_code: int
    recomputed: int
    """Steps that were finished before the kill and done again."""
    same_weights: bool
    first_step_s: float
    """Seconds from the restart to the end of the first step that is new work for it."""
    imports_s: float
    """Of those, until the libraries were imported."""


def main(
    kills: Annotated[int, typer.Option(min=0, help="Half by SIGTERM, half by SIGKILL.")] = 50,
    seed: int = 0,
    parameters: Annotated[int, typer.Option(help="Of the model whose checkpoint is timed; 0: none.")] = 100_000_000,
) -> None:
    """Kill training at random steps and compare; then time checkpoints of a large model."""
    from ctiforge.tables import print_table

    with tempfile.TemporaryDirectory() as folder:
        done = kill_and_resume(kills, seed, Path(folder))
    rows = [(f"{kind.name}", *_summary([each for each in done if each.signal == kind])) for kind in _SIGNALS]
    if done:
        print_table(
            f"{len(done)} runs of {STEPS} steps, --save-steps {SAVE_STEPS}, killed at random, resumed from the store",
            ("signal", "kills", "steps recomputed, most", "same weights", "s to first step", "of it imports"),
            rows,
        )
    if parameters:
        print_blocking(parameters)


def kill_and_resume(kills: int, seed: int, folder: Path) -> list[Kill]:
    """Train without a kill, then with one at a random step each, half of them by SIGTERM; all in `folder`."""
    _prepare(folder / "data")
    whole = _Training(folder, "whole")
    whole.run()
    weights = whole.weights()
    numbers = random.Random(seed)
    done = []
    for index in range(kills):
        number = _SIGNALS[index % len(_SIGNALS)]
        step = numbers.randint(1, STEPS - 1)
        first = _Training(folder, f"{index}-first", store=f"{index}-store")
        exit_code = first.run(f"{number.name}@{step}")
        again = _Training(folder, f"{index}-again", store=f"{index}-store")
        started = time.time()
        again.run()
        finished, resumed = first.steps(), again.steps()
        done.append(
            Kill(
                number,
                step,
                exit_code,
                recomputed=max(finished, default=0) - min(resumed) + 1,
                same_weights=again.weights() == weights,
                first_step_s=resumed[min(resumed)] - started,
                imports_s=again.imported_at() - started,
            )
        )
        print(f"{index + 1} of {kills}: {number.name} at step {step}: {done[-1]}", file=sys.stderr, flush=True)
    return done


def print_blocking(parameters: int) -> None:
    """Seconds that training waits for a checkpoint, in the background and synchronous, each in a process of its own."""
    from ctiforge.tables import print_table

    figures = {mode: _time_checkpoints(mode, parameters) for mode in ("background", "synchronous")}
    rows = [
        (mode, f"{blocked:.2f} s", f"{first:.2f} s", f"{size / 2**30:.2f} GiB", f"{wall:.0f} s")
        for mode, (blocked, first, size, wall) in figures.items()
    ]
    print_table(
        "the training loop waits for a checkpoint (median of those after the first)",
        ("", "each", "the first", "size", "whole run"),
        rows,
    )
    print(f"background : synchronous = {figures['background'][0] / figures['synchronous'][0]:.3f}")


_SIGNALS = (signal.SIGTERM, signal.SIGKILL)


class _Training:
    """One training process: its scratch and output are its own, the store may be shared."""

    def __init__(self, folder: Path, name: str, store: str | None = None) -> None:
        self.folder = folder
        self.name = name
        self.store = folder / (store or f"{name}-store")
        self.log = folder / f"{name}.steps"

    def run(self, kill: str = "never") -> int:
        command = [sys.executable, str(PREEMPTED), str(self.log), kill]
        command += [f"--data={self.folder / 'data'}", f"--output={self.folder / self.name}", f"--store={self.store}"]
        command += ["--model=demo", "--max-length=304", "--no-qlora", "--force", f"--max-steps={STEPS}"]
        command += ["--batch-size=4", "--gradient-accumulation-steps=1", "--learning-rate=0.002"]
        command += [f"--save-steps={SAVE_STEPS}", f"--eval-steps={EVAL_STEPS}", "--device=cpu"]
        environment = {"CTIFORGE_SCRATCH": str(self.folder / f"{self.name}-scratch"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=_with(environment), capture_output=True, text=True, check=False)
        if kill == "never" and done.returncode:
            raise SystemExit(f"training failed: {done.stderr[-2000:]}")
        return done.returncode

    def steps(self) -> dict[int, float]:
        """Step to when it was finished."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return {int(what): float(when) for what, when in lines if what != "imported"}

    def imported_at(self) -> float:
        return next(float(line.split()[1]) for line in self.log.read_text().splitlines() if line.startswith("imported"))

    def weights(self) -> str:
        from ctiforge.store.objects import hash_file

        return hash_file(self.folder / self.name / "model" / "model.safetensors").sha256


def _summary(kills: list[Kill]) -> tuple[str, ...]:
    if not kills:
        return ("0", "", "", "", "")
    return (
        str(len(kills)),
        str(max(each.recomputed for each in kills)),
        f"{sum(each.same_weights for each in kills)} of {len(kills)}",
        f"{statistics.median(each.first_step_s for each in kills):.1f}",
        f"{statistics.median(each.imports_s for each in kills):.1f}",
    )


def _prepare(folder: Path) -> None:
    from ctiforge.demo.articles import DemoSizes, make_corpus
    from ctiforge.extract.dataset.format import FormatOptions, prepare, write_prepared
    from ctiforge.training.encoding import load_tokenizer

    tokenizer = load_tokenizer("demo")
    corpus = make_corpus(1, DemoSizes(training=20, training_long=0, test_seen=2, test_unseen=0, test_long=0))
    options = FormatOptions("messages", "short-v1", 304, 128)
    prepared = prepare(corpus.training, corpus.test, options, tokenizer)
    folder.mkdir()
    write_prepared(prepared, options, tokenizer, "demo", ("messages",), folder)


def _time_checkpoints(mode: str, parameters: int) -> tuple[float, float, int, float]:
    """(median seconds of a checkpoint after the first, seconds of the first, bytes of one, seconds of the run)."""
    command = [sys.executable, str(Path(__file__).with_name("large_checkpoints.py")), mode, str(parameters)]
    done = subprocess.run(command, env=_with({}), stdout=subprocess.PIPE, text=True, check=True)
    blocked, first, size, wall = done.stdout.strip().rpartition("\n")[2].split()
    return float(blocked), float(first), int(size), float(wall)


def _with(environment: dict[str, str]) -> dict[str, str]:
    import os

    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **environment}


if __name__ == "__main__":
    run_program(main)
