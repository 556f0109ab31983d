"""What a model's config tells before anything is loaded: whether it can be trained so, here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.training.options import Method

LARGE_FOR_A_CPU = 1_000_000_000
"""Weights from which on a training on a CPU takes days: it must be asked for."""
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""What configs of mixtures of experts call their number."""


@dataclass(frozen=True)
class ModelShape:
    """What of a model decides whether it can be trained."""

    parameters: int
    """Its weights, tied ones once."""
    positions: int | None
    """Tokens that it can tell apart by place; None where nothing says so."""
    vocabulary: int
    """Rows of its embedding."""
    experts: int
    """Experts of a layer; 0 of a model without."""


def read_shape(folder: str) -> ModelShape:
    """Read a model's shape from its config alone.

    Args:
        folder: The folder of a model, or a hub name that is on this machine.

    Returns:
        The shape.

    Raises:
        UsageError: There is no model that this transformers knows.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from ctiforge.training.encoding import cannot_load, on_this_machine

    try:
        with on_this_machine(folder) as path, torch.device("meta"):
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", folder, error)) from error
    text: Any = config.get_text_config()
    return ModelShape(
        parameters=sum(each.numel() for each in model.parameters()),
        positions=getattr(text, "max_position_embeddings", None),
        vocabulary=int(model.get_input_embeddings().weight.shape[0]),
        experts=max(int(getattr(text, name, 0) or 0) for name in _EXPERTS),
    )


def check_suitable(
    shape: ModelShape, *, name: str, method: Method, max_length: int, tokens: Sequence[int], device: str, asked: str
) -> None:
    """Refuse what would fail or take days, in one line.

    Args:
        shape: The model's.
        name: What the model is called.
        method: What is trained.
        max_length: Tokens of an example at most.
        tokens: Token ids that the training puts in itself: padding and the end.
        device: Where it computes, `cpu` or `cuda`.
        asked: What --device says.

    Raises:
        UsageError: It does not suit.
    """
    if shape.positions is not None and max_length > shape.positions:
        raise UsageError(
            f"{name} reads {shape.positions:,} tokens at most, and examples have up to {max_length:,}: prepare the "
            f"data again with --max-length {shape.positions}, or take a model that reads more"
        )
    if outside := [each for each in tokens if each >= shape.vocabulary]:
        raise UsageError(
            f"{name}'s tokenizer pads or ends with token {outside[0]:,}, and its embedding has {shape.vocabulary:,} "
            "rows: tokenizer and weights do not belong together"
        )
    if shape.experts > 1 and method != "full":
        raise UsageError(
            f"{name} is a mixture of {shape.experts} experts, whose layers an adapter does not reach: take a dense "
            "model, or --method full"
        )
    if device == "cpu" and asked != "cpu" and shape.parameters > LARGE_FOR_A_CPU:
        raise UsageError(
            f"{name} has {shape.parameters / 1e9:.1f} billion weights, and this machine has no usable GPU: a training "
            "would take days; say --device cpu if that is meant"
        )
