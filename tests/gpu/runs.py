"""A small training on a GPU or the CPU, by the product's own code and without its store."""

import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.checkpoints import FolderCheckpoints
from benchmarks.gpu.shapes import Shape
from ctiforge.training.batches import AnswerCollator, Rows
from ctiforge.training.encoding import EncodedExample
from ctiforge.training.models import load_to_train, pick_device
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import LoraOptions, Method, TrainingOptions
from ctiforge.training.ranks import joined
from ctiforge.training.resumable import Kind
from ctiforge.training.trainer import TrainingResult, train

SMALL = Shape("a small Llama", 128, 256, 2, 4, 2, vocab_size=2_048, max_position_embeddings=2_048)
# dropout draws other numbers on a GPU
LORA = LoraOptions(dropout=0.0)
LEARNING_RATES: dict[Method, float] = {"qlora": 1e-2, "lora": 1e-2, "full": 2e-3}
OPTIONS = TrainingOptions(
    batch_size=8,
    gradient_accumulation_steps=1,
    max_steps=24,
    eval_steps=6,
    save_steps=8,
    early_stopping_patience=9,
)
VALIDATION = 16


@dataclass
class Run:
    """What a training did: its result, the model that it left, and the weights that it trained."""

    result: TrainingResult
    model: Any
    weights: dict[str, torch.Tensor]

    @property
    def losses(self) -> list[float]:
        """The validation losses, in order."""
        return [line["eval_loss"] for line in self.result.log if "eval_loss" in line]


def rows_to_learn(count: int, seed: int = 0) -> list[EncodedExample]:
    """Draw prompts of random tokens whose answer is one of four: a model learns them in a few steps."""
    numbers = random.Random(seed)
    rows = []
    for _ in range(count):
        prompt = [numbers.randrange(100, 1_000) for _ in range(numbers.randint(8, 40))]
        kind = numbers.randrange(4)
        rows.append(EncodedExample([*prompt, 10 + kind, *range(20 * kind + 20, 20 * kind + 32)], len(prompt)))
    return rows


def run(
    model: Path,
    folder: Path,
    on: str,
    method: Method,
    options: TrainingOptions = OPTIONS,
    *,
    rows: Sequence[EncodedExample] | None = None,
    stop_at: int | None = None,
    learning_rate: float | None = None,
) -> Run:
    """Train as another machine would: from the checkpoints in `folder`, if there are any.

    `stop_at` sends SIGTERM before that micro-batch. The last 16 of `rows` are for validation.
    """
    device = pick_device(on)
    torch.manual_seed(options.seed)
    options = replace(options, learning_rate=learning_rate or LEARNING_RATES[method])
    numerics = choose_numerics(ComputeDevice.of(device), method, options.precision, options.optimizer)
    loaded = load_to_train(str(model), device, numerics, LORA)
    seen = [0]

    def count(module: Any, _arguments: Any) -> None:
        seen[0] += module.training
        if module.training and seen[0] == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    loaded.register_forward_pre_hook(count)
    rows = rows or rows_to_learn(80)
    scratch = folder / f"scratch-{len(list(folder.iterdir())) if folder.exists() else 0}"
    scratch.mkdir(parents=True)
    kind = Kind("test_gpu", AnswerCollator(0), numerics, "take a smaller model")
    parts = Rows(rows[:-VALIDATION]), Rows(rows[-VALIDATION:])
    result = train(loaded, *parts, kind, options, FolderCheckpoints(folder / "checkpoints"), scratch)  # type: ignore[arg-type]
    return Run(result, loaded, trained_weights(loaded))


def trained_weights(model: Any) -> dict[str, torch.Tensor]:
    """Copy what was trained to the CPU."""
    return {name: each.detach().cpu().clone() for name, each in model.named_parameters() if each.requires_grad}


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Measure how far two sets of weights are apart: the length of the difference of all of them."""
    assert one.keys() == other.keys()
    return float(sum(((one[name] - other[name]) ** 2).sum() for name in one) ** 0.5)


@dataclass(frozen=True)
class Request:
    """What several processes train together."""

    training: TrainingOptions
    model: Path
    on: str
    method: Method


def train_as_rank(request: Request, data: Path, out: Path, scratch: Path, checkpoints: Any) -> dict[str, Any]:
    """Train as one of several processes; the first leaves the weights in `out`."""
    with joined() as ranks:
        device = pick_device(request.on)
        torch.manual_seed(request.training.seed)
        numerics = choose_numerics(ComputeDevice.of(device), request.method)
        model = load_to_train(str(request.model), device, numerics, LORA)
        rows = rows_to_learn(80)
        kind = Kind("test_gpu", AnswerCollator(0), numerics, "take a smaller model")
        parts = Rows(rows[:-VALIDATION]), Rows(rows[-VALIDATION:])
        options = replace(request.training, learning_rate=LEARNING_RATES[request.method])
        result = train(model, *parts, kind, options, checkpoints, scratch, ranks)
        if not ranks.is_first:
            return {}
        torch.save(trained_weights(model), out / "weights.pt")
        return {"losses": [line["eval_loss"] for line in result.log if "eval_loss" in line]}


def in_micro_batches(size: int, options: TrainingOptions = OPTIONS) -> TrainingOptions:
    """Cut the same steps into micro-batches of this size."""
    return replace(options, batch_size=size, gradient_accumulation_steps=options.effective_batch // size)
