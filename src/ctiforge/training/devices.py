"""Whether the devices of a machine compute, and rightly: a GPU may be listed and fail its first kernel."""

import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.training.models import pick_device

SIZE = 512
TOLERANCE = 1e-2
"""Of a product of small whole numbers, which fp32 has exactly, and TF32 nearly."""


def visible_devices(name: str = "auto") -> list[torch.device]:
    """Name every device of the kind that would be used.

    Args:
        name: `cpu`, `cuda` or `auto`, as of every program.

    Returns:
        Every visible GPU, or the CPU.

    Raises:
        UsageError: No usable GPU where one is asked for, or where the pod has one.
    """
    first = pick_device(name)
    if first.type != "cuda":
        return [first]
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]


def check_computing(device: torch.device) -> str:
    """Compute something whose result is known.

    Args:
        device: Where.

    Returns:
        One line: what the device is called, and its free memory.

    Raises:
        CannotGoOnError: It fails, or its result is wrong.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    try:
        made = torch.arange(SIZE, dtype=torch.float32, device=device) % 7
        product = (made[:, None] @ made[None, :]).sum().item()
    except RuntimeError as error:
        raise CannotGoOnError(
            f"{device} ({name}) does not compute: {str(error).splitlines()[0]}; is its driver new enough (CUDA 13 "
            "needs 580), and the GPU healthy (nvidia-smi)?"
        ) from None
    expected = float(sum(each % 7 for each in range(SIZE))) ** 2
    if abs(product - expected) > TOLERANCE * expected:
        raise CannotGoOnError(f"{device} ({name}) computes wrongly: {product:.0f} instead of {expected:.0f}")
    return f"{device}: {name} computes" + (f", {_free_gib(device):.1f} GiB free" if device.type == "cuda" else "")


def _free_gib(device: torch.device) -> float:
    free, _ = torch.cuda.mem_get_info(device)
    return float(free) / 2**30
