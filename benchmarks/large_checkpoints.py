"""`large_checkpoints.py background|synchronous PARAMETERS`: trains a model of random weights and times its checkpoints.

Prints: median seconds that training waits for a checkpoint after the first, seconds for the first,
bytes of a checkpoint, seconds of the run. Synchronous: copied, written and uploaded before
training goes on.
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.batches import AnswerCollator, Rows
from ctiforge.training.callbacks import Stops
from ctiforge.training.checkpoints import CheckpointWriter
from ctiforge.training.encoding import EncodedExample
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import TrainingOptions
from ctiforge.training.resumable import Kind, ResumableTrainer
from ctiforge.training.trainer import train

STEPS, SAVE_STEPS = 90, 40


def main(mode: str, parameters: int) -> None:
    """Train on random tokens and print the figures."""
    waits: dict[int, float] = {}
    sizes: list[int] = []
    _time_waits(waits)
    _note_sizes(sizes)
    if mode == "synchronous":
        _wait_for_each()
    numbers = random.Random(0)
    rows = Rows([EncodedExample([numbers.randrange(1_000) for _ in range(64)], 32) for _ in range(STEPS)])
    options = TrainingOptions(batch_size=1, gradient_accumulation_steps=1, max_steps=STEPS, save_steps=SAVE_STEPS)
    kind = Kind("train", AnswerCollator(0), choose_numerics(ComputeDevice("cpu")), "take a smaller model")
    torch.manual_seed(0)
    model = _model(parameters)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(open_store(f"{folder}/store"), "checkpoints/train/large")
        (Path(folder) / "scratch").mkdir()
        started = time.monotonic()
        train(model, rows, Rows([]), kind, options, checkpoints, Path(folder) / "scratch")
        wall = time.monotonic() - started
    first, *others = (waits[step] for step in sorted(waits))
    print(statistics.median(others), first, max(sizes), wall)


def _model(parameters: int) -> LlamaForCausalLM:
    """A Llama of about so many parameters, a layer of width 1,024 having 12.6 million of them."""
    layers = max(1, round((parameters - 2_000_000) / 12_600_000))
    config = LlamaConfig(
        hidden_size=1_024, intermediate_size=2_731, num_hidden_layers=layers, num_attention_heads=16, vocab_size=1_000
    )
    return LlamaForCausalLM(config)


def _time_waits(waits: dict[int, float]) -> None:
    """Note, by the step of a checkpoint, what the training loop spends on it: taking it, and waiting for the last."""
    save, begin = ResumableTrainer._save_checkpoint, Stops.on_step_begin

    def timed_save(self: Any, model: Any, trial: Any) -> None:
        started = time.monotonic()
        save(self, model, trial)
        waits[self.state.global_step] = time.monotonic() - started

    def timed_begin(self: Any, args: Any, state: Any, control: Any, **named: Any) -> None:
        started = time.monotonic()
        begin(self, args, state, control, **named)
        if waits:
            waits[max(waits)] += time.monotonic() - started

    ResumableTrainer._save_checkpoint = timed_save  # type: ignore[method-assign]
    Stops.on_step_begin = timed_begin  # type: ignore[method-assign]


def _note_sizes(sizes: list[int]) -> None:
    save = Checkpoints.save

    def noted(self: Any, step: int, files: Any) -> bool:
        sizes.append(sum(path.stat().st_size for path in files.values()))
        return save(self, step, files)

    Checkpoints.save = noted  # type: ignore[method-assign]


def _wait_for_each() -> None:
    save = CheckpointWriter.save

    def waiting(self: Any, step: int, folder: Path, large: Any) -> None:
        save(self, step, folder, large)
        self.wait()

    CheckpointWriter.save = waiting  # type: ignore[method-assign]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
