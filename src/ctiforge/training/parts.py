"""What of a tensor this rank holds: all, or its part of one that is sharded."""

from typing import Any

import torch


def is_sharded(model: Any) -> bool:
    """Tell whether the weights of a model are shared out to the ranks."""
    return any(_is_part(each) for each in model.parameters())


def part_of(tensor: torch.Tensor) -> torch.Tensor:
    """Give this rank's part of a tensor (a DTensor); all of one that is not sharded."""
    return tensor.to_local() if _is_part(tensor) else tensor


def _is_part(tensor: torch.Tensor) -> bool:
    # by its method: torch's classes for it are loaded where something is sharded alone
    return hasattr(tensor, "to_local")
