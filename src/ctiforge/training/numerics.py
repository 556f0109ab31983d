"""What a training computes in, said in one value for each device, method and wish. Pure."""

from dataclasses import dataclass
from typing import Literal

import torch

from ctiforge.errors import UsageError
from ctiforge.training.options import Method, OptimizerName, Precision

BF16_FROM = 8
"""Major compute capability from which on a GPU has bf16; older ones emulate it, slower than fp16."""
_TYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ComputeDevice:
    """What of a device decides the types that are computed in."""

    kind: Literal["cpu", "cuda"]
    """Its kind, as torch calls it."""
    capability: int = 0
    """A GPU's major compute capability; 0 of a CPU."""

    @classmethod
    def of(cls, device: torch.device) -> "ComputeDevice":
        """Describe a device of this machine.

        Args:
            device: The device.

        Returns:
            What of it decides the types.
        """
        if device.type != "cuda":
            return cls("cpu")
        return cls("cuda", torch.cuda.get_device_capability(device)[0])

    @property
    def best(self) -> torch.dtype:
        """Choose the type that it computes fastest in without harm: bf16, fp16 on older GPUs, fp32 on a CPU."""
        if self.kind == "cpu":
            return torch.float32
        return torch.bfloat16 if self.capability >= BF16_FROM else torch.float16


@dataclass(frozen=True)
class Numerics:
    """The types of one training; what is trained is fp32 always, since smaller types lose small updates."""

    method: Method
    """Which weights are trained: those of an adapter over 4-bit or whole weights, or all."""
    frozen: torch.dtype
    """The type of the weights that are not trained; QLoRA's linear layers have 4 bits."""
    compute: torch.dtype
    """What forward and backward passes compute in, by autocast where it is not fp32."""
    optimizer: Literal["adamw_torch_fused", "adamw_bnb_8bit"]
    """AdamW with its averages in fp32, or in 8 bits; as transformers calls them."""
    recompute: bool
    """Whether activations are computed again in the backward pass, to save memory."""

    @property
    def scales_loss(self) -> bool:
        """Tell whether gradients would vanish in the type, so that the loss is scaled up first."""
        return self.compute is torch.float16


def choose_numerics(
    device: ComputeDevice,
    method: Method = "full",
    precision: Precision = "auto",
    optimizer: OptimizerName = "adamw",
) -> Numerics:
    """Choose the types of a training.

    Args:
        device: Where it computes.
        method: What is trained.
        precision: What to compute in; `auto`: what the device does best.
        optimizer: `adamw`, or `adamw-8bit`, whose averages take a quarter of the memory.

    Returns:
        The types.

    Raises:
        UsageError: A GPU that has no bf16 is asked for it.
    """
    if precision == "bf16" and device.kind == "cuda" and device.capability < BF16_FROM:
        raise UsageError("--precision bf16: this GPU only emulates it (compute capability below 8): take fp16 or fp32")
    compute = device.best if precision == "auto" else _TYPES[precision]
    return Numerics(
        method=method,
        frozen=torch.float32 if method == "full" else compute,
        compute=compute,
        optimizer="adamw_bnb_8bit" if optimizer == "adamw-8bit" else "adamw_torch_fused",
        recompute=device.kind == "cuda",
    )
