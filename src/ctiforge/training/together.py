"""A training in several processes of this machine, begun again with less in memory where it does not suffice."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctiforge.errors import CannotGoOnError
from ctiforge.pod.ranks import OutOfMemoryOnRankError, run_ranks
from ctiforge.progress import warn
from ctiforge.training.options import TrainingOptions

if TYPE_CHECKING:
    from ctiforge.store.checkpoints import Checkpoints


def train_together(
    train: Callable[..., dict[str, Any]],
    request: Any,
    data: Any,
    out: Path,
    scratch: Path,
    checkpoints: "Checkpoints",
    count: int,
) -> dict[str, Any]:
    """Train in so many processes, each on a GPU of its own where there are GPUs; the effective batch stays the same.

    Args:
        train: The line's training, `train(request, data, out, scratch, checkpoints)`; found by its name.
        request: What was asked for, a dataclass whose `training` holds the options.
        data: What is trained on.
        out: The folder for what comes out.
        scratch: A folder for files of the training on their way.
        checkpoints: Where the training's state outlives these processes.
        count: How many processes; 1: this one.

    Returns:
        What `training_metadata.json` holds.

    Raises:
        UsageError: The effective batch cannot be shared evenly.
        RanksFailedError: A process ended before the work was done, for a reason that its own error names.
        InterruptedRunError: The training was told to end, and its state is saved.
        CannotGoOnError: Memory does not suffice for one example in each process at once.
    """
    if count == 1:
        return train(request, data, out, scratch, checkpoints)
    request.training.for_ranks(count)
    before = checkpoints.newest_attempt()
    try:
        while True:
            call = partial(train, request, data, out, scratch, checkpoints)
            try:
                found: dict[str, Any] = run_ranks(call, count, scratch / "ranks")
            except OutOfMemoryOnRankError as error:
                smaller = _with_less_memory(request.training.for_ranks(count), error)
                # what these processes have saved is gone on from, even where nothing of before is
                goes_on = request.training.resume or checkpoints.newest_attempt() > before
                request = replace(request, training=replace(smaller, resume=goes_on))
                continue
            return found
    finally:
        checkpoints.adopt(before)


def _with_less_memory(options: TrainingOptions, error: OutOfMemoryOnRankError) -> TrainingOptions:
    if options.batch_size == 1:
        raise CannotGoOnError(f"{error} with one example in each process at once: take GPUs with more memory")
    smaller = options.with_smaller_micro_batch()
    warn(f"{error} with {options.batch_size} examples in a process: all begin again with {smaller.batch_size}")
    return smaller
