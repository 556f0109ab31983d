"""A training in several processes of this machine, begun again with less in memory where it does not suffice."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctiforge.errors import CannotGoOnError, StoreError
from ctiforge.pod.meeting import ONE_MACHINE, Machines
from ctiforge.pod.ranks import OutOfMemoryOnRankError, run_ranks
from ctiforge.progress import warn
from ctiforge.training.options import TrainingOptions

if TYPE_CHECKING:
    from ctiforge.store.checkpoints import Checkpoints

_OF_SHARING = ("fsdp", "device", "fp16", "force")
"""Flags that change nothing of what comes out, and with which machines wait for each other at other places."""


def train_together(
    train: Callable[..., dict[str, Any]],
    request: Any,
    data: Any,
    out: Path,
    scratch: Path,
    checkpoints: "Checkpoints",
    count: int,
    machines: Machines = ONE_MACHINE,
    is_published: Callable[[], bool] | None = None,
) -> dict[str, Any] | None:
    """Train in so many processes, each on a GPU of its own where there are GPUs; the effective batch stays the same.

    Another machine than the first is done when the first has published: until then the first may be interrupted, and
    when it comes again it needs all others once more, if only to see that nothing is left to train.

    Args:
        train: The line's training, `train(request, data, out, scratch, checkpoints)`; found by its name.
        request: What was asked for, a dataclass whose `training` holds the options.
        data: What is trained on.
        out: The folder for what comes out.
        scratch: A folder for files of the training on their way.
        checkpoints: Where the training's state outlives these processes.
        count: How many processes of each machine; 1 of one machine: this one.
        machines: Which machines train together.
        is_published: Tells whether the first of several machines has published what came out.

    Returns:
        What `training_metadata.json` holds; None on another machine than the first, where nothing comes out.

    Raises:
        UsageError: The effective batch cannot be shared evenly, or the machines do not mean the same.
        RanksFailedError: A process ended before the work was done, for a reason that its own error names.
        InterruptedRunError: The training was told to end, and its state is saved.
        CannotGoOnError: Memory does not suffice for one example in each process at once.
    """
    world = count * machines.count
    if world == 1:
        return train(request, data, out, scratch, checkpoints)
    request.training.for_ranks(world)
    # as it was asked for, whatever memory makes of it
    work = work_of(request, checkpoints.folder)
    before = checkpoints.newest_attempt()
    try:
        while True:
            call = partial(train, request, data, out, scratch, checkpoints)
            try:
                folder = scratch / "ranks"
                found: dict[str, Any] | None = run_ranks(
                    call,
                    count,
                    folder,
                    machines=machines,
                    work=work,
                    is_needless=None if machines.is_first else is_published,
                    shared=_Store(checkpoints),
                )
            except OutOfMemoryOnRankError as error:
                smaller = _with_less_memory(request.training.for_ranks(world), error)
                # what these processes have saved is gone on from, even where nothing of before is
                goes_on = request.training.resume or checkpoints.newest_attempt() > before
                request = replace(request, training=replace(smaller, resume=goes_on))
                continue
            if machines.is_first or is_published is None or is_published():
                return found
            print(f"this machine's share is done: waits for the result in {checkpoints.store.uri}", flush=True)
    finally:
        if machines.is_first:
            with suppress(StoreError):
                checkpoints.adopt(before)


def work_of(request: Any, folder: str) -> str:
    """Name what all machines must do, in words: what comes out, and flags by which they share the work.

    Args:
        request: What was asked for, as `train_together` gets it.
        folder: The folder of the checkpoints, which names what comes out.

    Returns:
        The words, equal on machines that can train together.
    """
    flags = {name: getattr(request, name) for name in _OF_SHARING if hasattr(request, name)}
    flags |= {"save_steps": request.training.save_steps, "resume": request.training.resume}
    return " ".join([folder, *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items())])


class _Store:
    """The store of the checkpoints: a machine that had another would go on from another step."""

    def __init__(self, checkpoints: "Checkpoints") -> None:
        self._store, self._folder = checkpoints.store, f"{checkpoints.folder}/machines"

    @property
    def name(self) -> str:
        """Give its URI."""
        return self._store.uri

    def leave(self, mark: str) -> None:
        """Leave a mark beside the checkpoints."""
        self._store.write(f"{self._folder}/{mark}", b"")

    def finds(self, mark: str) -> bool:
        """Tell whether a mark is there, and take it away."""
        key = f"{self._folder}/{mark}"
        found = self._store.exists(key)
        if found:
            self._store.delete(key)
        return found


def _with_less_memory(options: TrainingOptions, error: OutOfMemoryOnRankError) -> TrainingOptions:
    if options.batch_size == 1:
        raise CannotGoOnError(f"{error} with one example in each process at once: take GPUs with more memory")
    smaller = options.with_smaller_micro_batch()
    warn(f"{error} with {options.batch_size} examples in a process: all begin again with {smaller.batch_size}")
    return smaller
