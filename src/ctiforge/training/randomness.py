"""What decides the random numbers of a training, for dropout above all: kept with each checkpoint, by rank."""

from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from ctiforge.training.ranks import Ranks

RandomState = dict[str, torch.Tensor]
"""The state of torch's generators, by kind of device."""


class OwnRandomness(TrainerCallback):
    """Gives each rank but the first random numbers of its own: all of them begin with the same seed."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seed; a checkpoint's own state comes later."""
        if not self.ranks.is_first:
            torch.manual_seed(args.seed + self.ranks.rank)


def random_state() -> RandomState:
    """Read what the next random numbers of this process depend on.

    Returns:
        The state of the CPU's generator, and of the GPU's where there is one.
    """
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def restore_random(state: RandomState) -> None:
    """Go on with the random numbers that would have come.

    Args:
        state: What `random_state` read; a GPU's is left out where there is none now.
    """
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
