"""A training whose numbers ran away: told at once, with what can still be used."""

from typing import Any

import torch

from ctiforge.errors import CannotGoOnError, CtiforgeError, UsageError
from ctiforge.training.numerics import Numerics
from ctiforge.training.parts import part_of


def no_number(step: int, kept: int, numerics: Numerics) -> CtiforgeError:
    """Word the error of a loss that is inf or nan.

    Args:
        step: Optimizer steps that were done before.
        kept: The step of the newest checkpoint; 0: there is none.
        numerics: What was computed in.

    Returns:
        A UsageError where it is the first one in fp16: the model needs another type; else a CannotGoOnError.
    """
    if step == 0 and numerics.compute is torch.float16:
        return UsageError(
            "the first loss is no number in fp16, whose range this model exceeds: train with --precision bf16 (on a "
            "GPU of compute capability 8 or more) or --precision fp32"
        )
    return CannotGoOnError(f"the loss is no number (inf or nan) in step {step + 1}{_what_to_do(kept)}")


def check_weights(model: Any, step: int, kept: int) -> None:
    """Refuse weights that are no numbers, before they are saved or published.

    Args:
        model: The model; what requires gradients is looked at, of a sharded one this rank's parts.
        step: Optimizer steps that were done.
        kept: The step of the newest checkpoint; 0: there is none.

    Raises:
        CannotGoOnError: A weight is inf or nan.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not torch.isfinite(part_of(parameter)).all():
            raise CannotGoOnError(f"{name} is no number (inf or nan) after step {step}{_what_to_do(kept)}")


def _what_to_do(kept: int) -> str:
    saved = f"the checkpoint of step {kept} is kept" if kept else "there is no checkpoint yet"
    return (
        f": {saved}, nothing is published; train with a lower --learning-rate or with --precision fp32, and look for "
        "odd rows (ctiforge data check)"
    )
