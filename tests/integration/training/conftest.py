"""A small training run, quick enough to be done many times: the demo's base model on random tokens."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.batches import AnswerCollator, Rows
from ctiforge.training.callbacks import ProgressLines
from ctiforge.training.encoding import EncodedExample
from ctiforge.training.models import load_to_train
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import LoraOptions, Method, TrainingOptions
from ctiforge.training.resumable import Kind
from ctiforge.training.trainer import TrainingResult, train

if TYPE_CHECKING:
    from tests.integration.training.of_ranks import Place

FOLDER = "checkpoints/train_extract/test"
CPU = ComputeDevice("cpu")
KIND = Kind("train_extract", AnswerCollator(0), choose_numerics(CPU), "train a smaller model")
OPTIONS = TrainingOptions(
    batch_size=8,
    gradient_accumulation_steps=1,
    max_steps=14,
    learning_rate=2e-3,
    eval_steps=3,
    save_steps=4,
    early_stopping_patience=2,
)


@dataclass
class Run:
    """What a run did and where it ended."""

    result: TrainingResult
    weights: dict[str, torch.Tensor]
    batches: list[list[tuple[int, ...]]]
    """The rows of each micro-batch that it trained on."""


@pytest.fixture
def place(tmp_path: Path) -> "Place":
    """A machine that trains in several processes."""
    from tests.integration.training.of_ranks import Place

    return Place(tmp_path)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., "Place"]:
    """What one process trains that nothing disturbs, once for each of its options."""
    from tests.integration.training.of_ranks import Place

    @cache
    def train(**named: Any) -> Place:
        made = Place(tmp_path_factory.mktemp("alone"))
        made.train(1, **named)
        return made

    return train


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Compute the same on every machine."""


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """What a run without any interruption does: `uninterrupted(options, qlora=…)` trains once for each."""

    @cache
    def train_once(options: TrainingOptions, qlora: bool) -> Run:
        folder = tmp_path_factory.mktemp("uninterrupted")
        return run(str(folder / "store"), folder / "scratch", options, qlora=qlora)

    return lambda options=OPTIONS, qlora=False: train_once(options, qlora)


@pytest.fixture
def store_folder(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def run(
    store_uri: str,
    scratch: Path,
    options: TrainingOptions = OPTIONS,
    *,
    qlora: bool = False,
    method: Method | None = None,
    before_forward: Callable[[bool, int], None] = lambda training, size: None,
    rows: list[EncodedExample] | None = None,
    **of_kind: Any,
) -> Run:
    """Train as another machine would: from the store, in a scratch folder of its own.

    `before_forward(training, examples)` is called with every micro-batch. The last 16 of `rows` are for validation;
    what else is named is of the training's `Kind`.
    """
    scratch.mkdir()
    torch.manual_seed(options.seed)
    device = torch.device("cpu")
    numerics = choose_numerics(CPU, method or ("qlora" if qlora else "full"), options.precision, options.optimizer)
    model = load_to_train("demo", device, numerics, LoraOptions())
    batches: list[list[tuple[int, ...]]] = []

    def watch(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        before_forward(module.training, len(named["input_ids"]))
        if module.training:
            batches.append([tuple(row[row != 0].tolist()) for row in named["input_ids"]])

    model.register_forward_pre_hook(watch, with_kwargs=True)
    rows = rows or make_rows(76)
    checkpoints = Checkpoints(open_store(store_uri), FOLDER)
    kind = replace(KIND, numerics=numerics, **of_kind)
    result = train(model, Rows(rows[:-16]), Rows(rows[-16:]), kind, options, checkpoints, scratch)
    weights = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    return Run(result, weights, batches)


def same_weights(one: Run, other: Run) -> bool:
    """Bit by bit."""
    return one.weights.keys() == other.weights.keys() and all(
        torch.equal(one.weights[name], other.weights[name]) for name in one.weights
    )


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sends this process a signal, once, in the middle of a step."""

    def arrange(number: int, step: int) -> None:
        left = [step]

        def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step + 1 in left:
                left.remove(state.global_step + 1)
                os.kill(os.getpid(), number)

        monkeypatch.setattr(ProgressLines, "on_step_begin", send, raising=False)

    return arrange


def make_rows(count: int) -> list[EncodedExample]:
    numbers = random.Random(0)
    rows = []
    for _ in range(count):
        length = numbers.randint(8, 40)
        rows.append(EncodedExample([numbers.randint(5, 200) for _ in range(length)], length // 2))
    return rows
