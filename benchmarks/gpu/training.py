"""How fast a training goes on a GPU and what memory it takes, by the product's own trainer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.gpu.checkpoints import FolderCheckpoints
from benchmarks.gpu.device import GIB, Gpu
from benchmarks.gpu.machine import FOR_QLORA, missing
from benchmarks.gpu.shapes import make_rows
from ctiforge.errors import CtiforgeError
from ctiforge.training.batches import AnswerCollator, Rows
from ctiforge.training.estimate import FOR_CUDA, Workload, estimate
from ctiforge.training.models import load_to_train
from ctiforge.training.numerics import choose_numerics
from ctiforge.training.options import AGENT, LORA, METHOD_WORDS, Method, TrainingOptions
from ctiforge.training.resumable import Kind
from ctiforge.training.suitability import read_shape
from ctiforge.training.trainer import train

METHODS: tuple[Method, ...] = ("qlora", "lora", "full")
WARM_UP = 2
"""Micro-batches before the clock starts: kernels are chosen, memory is taken."""
MEASURED = 6
"""Micro-batches that are measured, each with its step of the optimizer."""
TITLES = ("model", "method", "computed in", "micro-batch", "tokens/s", "GPU busy", "peak GiB", "reckoned GiB", "ratio")


@dataclass(frozen=True)
class Speed:
    """What was measured of one training."""

    computed_in: str
    batch_size: int
    tokens_per_s: float
    busy: float | None
    """The share of the time that the GPU computed; None: nobody says."""
    peak: int
    """Bytes that tensors took at most."""
    reckoned: int
    """Bytes that `train-extract --estimate` says, without what CUDA itself takes."""


class LeftOutError(CtiforgeError):
    """Something is not measured, and this is why."""


class _MeasuredError(Exception):
    """Enough was measured: a checkpoint of all weights would only take time."""


def measure_training(
    folder: Path, method: Method, gpu: Gpu, *, length: int = AGENT.max_length, until: float = float("inf")
) -> Speed:
    """Train a model of random weights for some steps at the guide's micro-batch.

    Args:
        folder: The model's.
        method: What is trained.
        gpu: Where.
        length: Tokens of every example.
        until: The reading of `time.monotonic` at which it ends unmeasured.

    Returns:
        What was measured.

    Raises:
        LeftOutError: A package or memory does not suffice, or the time is over.
    """
    if method == "qlora" and (lacking := missing([FOR_QLORA])):
        raise LeftOutError(lacking)
    numerics = choose_numerics(gpu.kind, method)
    shape, size = read_shape(str(folder)), AGENT.training.batch_size
    reckoned = estimate(Workload(shape, numerics, LORA, size), length).total
    if why := too_large(reckoned, gpu.free()):
        raise LeftOutError(why)
    torch.manual_seed(0)
    model = load_to_train(str(folder), gpu.device, numerics, LORA)
    clock = _Clock(gpu, until)
    model.register_forward_pre_hook(clock.before_forward, with_kwargs=True)
    steps = WARM_UP + MEASURED + 1
    options = TrainingOptions(batch_size=size, gradient_accumulation_steps=1, max_steps=2 * steps, learning_rate=1e-5)
    rows = make_rows(2 * steps * size, length, shape.vocabulary)
    kind = Kind("bench_gpu", AnswerCollator(0), numerics, "this is a benchmark")
    gpu.begin_peak()
    with TemporaryDirectory(dir=folder.parent) as scratch:
        places = Path(scratch) / "scratch", Path(scratch) / "checkpoints"
        places[0].mkdir()
        try:
            train(model, Rows(rows), Rows([]), kind, options, FolderCheckpoints(places[1]), places[0])  # type: ignore[arg-type]
        except _MeasuredError:
            compute = str(numerics.compute).removeprefix("torch.")
            return Speed(compute, clock.size, clock.tokens_per_s, clock.busy, gpu.peak(), reckoned)
        finally:
            clock.end()
    raise LeftOutError("the training ended before enough was measured")


def too_large(reckoned: int, free: int) -> str | None:
    """Say that a training does not fit; None: it does."""
    needed = reckoned + FOR_CUDA
    if needed <= free:
        return None
    return f"left out: it takes about {needed / GIB:.1f} GiB, and {free / GIB:.1f} GiB are free"


def row_of(model: str, method: Method, found: Speed | CtiforgeError) -> tuple[str, ...]:
    """Write a line of the table; what was not measured says why in the place of its type."""
    if isinstance(found, CtiforgeError):
        return (model, METHOD_WORDS[method], str(found), *[""] * (len(TITLES) - 3))
    return (
        model,
        METHOD_WORDS[method],
        found.computed_in,
        str(found.batch_size),
        f"{found.tokens_per_s:,.0f}",
        "not told" if found.busy is None else f"{found.busy:.0%}",
        f"{found.peak / GIB:.2f}",
        f"{found.reckoned / GIB:.2f}",
        f"{found.peak / found.reckoned:.2f}",
    )


class _Clock:
    """Reads the time between the micro-batches of a training; begins anew where their size changes."""

    def __init__(self, gpu: Gpu, until: float, now: Callable[[], float] = time.monotonic) -> None:
        self._gpu = gpu
        self._until = until
        self._now = now
        self.size = 0
        self._seen = 0
        self._tokens = 0
        self._started = 0.0
        self._watch: Any = None
        self.tokens_per_s = 0.0
        self.busy: float | None = None

    def before_forward(self, module: Any, _arguments: Any, named: dict[str, Any]) -> None:
        """Look at the clock before a micro-batch; raises _MeasuredError after the last that is measured."""
        if not module.training:
            return
        if self._now() > self._until:
            raise LeftOutError("left out: the minutes of this benchmark were over")
        size = len(named["input_ids"])
        if size != self.size:
            self.size, self._seen, self._tokens = size, 0, 0
        if self._seen == WARM_UP:
            self.end()
            self._gpu.finish()
            self._started, self._watch = self._now(), self._gpu.watch()
        if self._seen == WARM_UP + MEASURED:
            self._gpu.finish()
            self.tokens_per_s = self._tokens / (self._now() - self._started)
            self.end()
            raise _MeasuredError
        if self._seen >= WARM_UP:
            self._tokens += int(named["attention_mask"].sum())
        self._seen += 1

    def end(self) -> None:
        """Stop looking at how busy the GPU is."""
        if self._watch:
            self.busy, self._watch = self._watch.end(), None
