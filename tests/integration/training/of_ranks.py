"""A small training that several processes do together: what each of them calls, found by its name."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ctiforge.errors import InterruptedRunError
from ctiforge.pod.meeting import ONE_MACHINE, Machines
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.batches import Rows
from ctiforge.training.callbacks import Stops
from ctiforge.training.models import load_to_train
from ctiforge.training.numerics import Numerics, choose_numerics
from ctiforge.training.options import LoraOptions, Method, TrainingOptions
from ctiforge.training.parts import is_sharded, part_of
from ctiforge.training.ranks import Ranks, joined, leave
from ctiforge.training.resumable import Kind
from ctiforge.training.sharding import gather_weights, load_sharded
from ctiforge.training.together import train_together
from ctiforge.training.trainer import train
from tests.integration.training.conftest import CPU, FOLDER, KIND, make_rows

WEIGHTS = "weights.pt"
LORA = LoraOptions(dropout=0.0)
# an epoch has three whole steps and one of twelve rows, of which the second rank has fewer
OPTIONS = TrainingOptions(
    batch_size=4,
    gradient_accumulation_steps=4,
    max_steps=20,
    learning_rate=2e-3,
    eval_steps=5,
    save_steps=6,
    early_stopping_patience=9,
)


@dataclass(frozen=True)
class Request:
    """What is trained, and what happens on the way."""

    training: TrainingOptions
    method: Method = "full"
    rows: int = 76
    """The last 16 are for validation."""
    signals: tuple[tuple[int, int, int], ...] = ()
    """(rank, step, signal) that comes in the middle of that step."""
    no_memory: tuple[int, int] | None = None
    """(rank, examples) that are too many for its memory."""
    recompute: bool = False
    """Whether activations are computed again in the backward pass, as on a GPU."""
    no_number: int | None = None
    """The rank whose loss is no number in the second step."""
    signaled_in_look: int | None = None
    """The rank that gets SIGTERM while the first answers articles in the first look."""
    fsdp: bool = False
    """Whether weights, gradients and averages are sharded."""


class Place:
    """A machine's folders beside a store, and what came of the last training there."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        self.folder = folder
        self.store = store or folder / "store"
        self.tries = 0

    def train(
        self,
        count: int,
        options: TrainingOptions = OPTIONS,
        machines: Machines = ONE_MACHINE,
        is_published: Callable[[], bool] | None = None,
        **named: Any,
    ) -> dict[str, Any]:
        self.tries += 1
        self.count = count
        out, scratch, self.seen = (self.folder / f"{name}-{self.tries}" for name in ("out", "scratch", "seen"))
        for each in (out, scratch, self.seen):
            each.mkdir(parents=True)
        self.checkpoints = Checkpoints(open_store(str(self.store)), FOLDER)
        request = Request(options, **named)
        try:
            folders = (self.seen, out, scratch, self.checkpoints)
            found = train_together(train_small, request, *folders, count, machines, is_published)
        except InterruptedRunError:
            # as a stage does
            self.checkpoints.note_interrupted()
            raise
        if found is None:
            return {}
        self.weights = torch.load(out / WEIGHTS)
        self.tokens_per_s = float(found["tokens_per_s"] or 0.0)
        return found

    @property
    def rows(self) -> dict[int, list[list[int]]]:
        return rows_of_steps(self.seen, self.count)


def apart(one: Place, other: Place) -> float:
    """Give the largest difference of two weights."""
    assert one.weights.keys() == other.weights.keys()
    return max(float((one.weights[name] - other.weights[name]).abs().max()) for name in one.weights)


def train_small(request: Request, seen: Path, out: Path, scratch: Path, checkpoints: Checkpoints) -> dict[str, Any]:
    """Train the demo's base model on random tokens; each rank notes the rows that it saw in each step."""
    torch.set_num_threads(1)
    with joined() as ranks:
        torch.manual_seed(request.training.seed)
        numerics = choose_numerics(CPU, request.method, request.training.precision, request.training.optimizer)
        numerics = replace(numerics, recompute=request.recompute)
        model = _load(request, numerics, ranks)
        step = _watched(model, request, ranks.rank, seen / f"rows-{ranks.rank}.jsonl")
        rows = make_rows(request.rows)
        judge = partial(_judge, request, seen)
        kind: Kind = replace(KIND, numerics=numerics, judge=None if request.signaled_in_look is None else judge)
        (seen / f"process-{ranks.rank}").write_text(str(os.getpid()))
        Stops.on_step_begin = _noting(Stops.on_step_begin, step)  # type: ignore[method-assign]
        result = train(model, Rows(rows[:-16]), Rows(rows[-16:]), kind, request.training, checkpoints, scratch, ranks)
        weights = _weights(model)
        held = ranks.gather(_held(model))
        leave()
        if not ranks.is_first:
            return {}
        torch.save(weights, out / WEIGHTS)
        return result.as_record() | {
            "held": held,
            "steps": result.steps_done,
            "curve": [line["eval_loss"] for line in result.log if "eval_loss" in line],
            "micro_batches": [each.batch_size for each in result.micro_batches],
            "validation_curve": None,
        }


def _load(request: Request, numerics: Numerics, ranks: Ranks) -> Any:
    cpu = torch.device("cpu")
    if request.fsdp:
        return load_sharded("demo", cpu, numerics, "auto", ranks)
    return load_to_train("demo", cpu, numerics, LORA)


def _weights(model: Any) -> dict[str, torch.Tensor]:
    if is_sharded(model):
        gathered = gather_weights(model)
        # a tied weight is one parameter, and has two names in a state
        return {name: gathered[name] for name, _ in model.named_parameters() if name in gathered}
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def _held(model: Any) -> int:
    """Count the weights that this rank holds."""
    return sum(part_of(each).numel() for each in model.parameters())


def rows_of_steps(seen: Path, count: int) -> dict[int, list[list[int]]]:
    """Read which rows all ranks together saw in each step, sorted."""
    steps: dict[int, list[list[int]]] = {}
    for rank in range(count):
        for line in (seen / f"rows-{rank}.jsonl").read_text().splitlines():
            entry = json.loads(line)
            steps.setdefault(entry["step"], []).extend(entry["rows"])
    return {step: sorted(rows) for step, rows in sorted(steps.items())}


def _watched(model: Any, request: Request, rank: int, file: Path) -> list[int]:
    """Note the rows with loss, and let happen what the request says; gives the number of the step under way."""
    step, signals = [0], list(request.signals)

    def watch(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        if not module.training:
            return
        if request.no_memory and request.no_memory[0] == rank and len(named["input_ids"]) > request.no_memory[1]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        with_loss = (named["labels"] != -100).any(dim=1)
        rows = [row[row != 0].tolist() for row in named["input_ids"][with_loss]]
        with file.open("a") as lines:
            lines.write(json.dumps({"step": step[0], "rows": rows}) + "\n")
        for each in [each for each in signals if each[:2] == (rank, step[0])]:
            # a second one would end it at once
            signals.remove(each)
            os.kill(os.getpid(), each[2])

    def spoil(module: Any, arguments: Any, found: Any) -> None:
        if module.training and request.no_number == rank and step[0] == 2:
            found.loss = found.loss * float("nan")

    model.register_forward_pre_hook(watch, with_kwargs=True)
    model.register_forward_hook(spoil)
    return step


def _judge(request: Request, seen: Path, go_on: Callable[[], object]) -> float:
    os.kill(int((seen / f"process-{request.signaled_in_look}").read_text()), signal.SIGTERM)
    # a signal is heard when it comes, not when it is sent
    for _ in range(10_000):
        go_on()
    raise AssertionError("a look goes on after SIGTERM")


def _noting(before: Callable[..., None], step: list[int]) -> Callable[..., None]:
    def on_step_begin(self: Any, args: Any, state: Any, control: Any, **named: Any) -> None:
        step[0] = state.global_step + 1
        before(self, args, state, control, **named)

    return on_step_begin


KILL, TERMINATE = int(signal.SIGKILL), int(signal.SIGTERM)
