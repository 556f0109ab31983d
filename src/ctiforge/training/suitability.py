"""What a model's config tells before anything is loaded: whether it can be trained so, here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.training.options import ALL_LINEAR, Attention, LoraOptions, Method

LARGE_FOR_A_CPU = 1_000_000_000
"""Weights from which on a training on a CPU takes days: it must be asked for."""
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""What configs of mixtures of experts call their number."""
CONFIG = ("config.json",)
"""The file that a shape is read from."""


@dataclass(frozen=True)
class LinearLayer:
    """A layer that an adapter can be laid beside."""

    name: str
    """Its place in the model: `model.layers.0.self_attn.q_proj`."""
    inputs: int
    """Features that it reads."""
    outputs: int
    """Features that it writes."""


@dataclass(frozen=True)
class ModelShape:
    """What of a model decides whether it can be trained, and what memory that takes."""

    parameters: int
    """Its weights, tied ones once."""
    positions: int | None
    """Tokens that it can tell apart by place; None where nothing says so."""
    vocabulary: int
    """Rows of its embedding."""
    experts: int
    """Experts of a layer; 0 of a model without."""
    hidden: int = 0
    """Features of a token between two layers."""
    layers: int = 0
    """Blocks of attention and what follows it."""
    heads: int = 0
    """Attention heads of a block."""
    embedding: int = 0
    """Weights of its embeddings."""
    tensors: tuple[int, ...] = ()
    """The weights of each other tensor."""
    linears: tuple[LinearLayer, ...] = ()
    """Its linear layers, the one that computes logits left out."""


def read_shape(folder: str, classes: int | None = None) -> ModelShape:
    """Read a model's shape from its config alone.

    Args:
        folder: The folder of a model, or a hub name that is on this machine.
        classes: Of a classifier, how many it tells apart; None: it is a causal language model.

    Returns:
        The shape.

    Raises:
        UsageError: There is no model that this transformers knows.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.pytorch_utils import Conv1D

    from ctiforge.training.encoding import cannot_load, on_this_machine

    try:
        with on_this_machine(folder, CONFIG) as path, torch.device("meta"):
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
            kind: Any = AutoModelForCausalLM
            if classes is not None:
                kind, config.num_labels = AutoModelForSequenceClassification, classes
            model = kind.from_config(config, trust_remote_code=False)
    except Exception as error:  # what other people's code raises for other people's configs
        raise UsageError(cannot_load("model", folder, error)) from error
    text: Any = config.get_text_config()
    modules = list(model.named_modules())
    embeddings = {id(each.weight) for _, each in modules if isinstance(each, torch.nn.Embedding)}
    sizes = [(id(each) in embeddings, each.numel()) for each in model.parameters()]
    linears = [
        (name, each)
        for name, each in modules
        if isinstance(each, torch.nn.Linear | Conv1D) and each is not model.get_output_embeddings()
    ]
    return ModelShape(
        parameters=sum(size for _, size in sizes),
        positions=getattr(text, "max_position_embeddings", None),
        vocabulary=int(model.get_input_embeddings().weight.shape[0]),
        experts=max(int(getattr(text, name, 0) or 0) for name in _EXPERTS),
        hidden=int(text.hidden_size),
        layers=int(text.num_hidden_layers),
        heads=int(getattr(text, "num_attention_heads", 0) or 0),
        embedding=sum(size for embeds, size in sizes if embeds),
        tensors=tuple(size for embeds, size in sizes if not embeds),
        linears=tuple(_linear(name, each, isinstance(each, Conv1D)) for name, each in linears),
    )


def check_attention(attention: Attention, device: str) -> None:
    """Refuse a way of computing attention that the device lacks.

    Args:
        attention: How it is to be computed.
        device: Where, `cpu` or `cuda`.

    Raises:
        UsageError: It takes a GPU, and there is none.
    """
    if attention == "flex" and device != "cuda":
        raise UsageError("--attention flex is compiled for a GPU, and this training has none: take auto, sdpa or eager")


def adapted_layers(shape: ModelShape, lora: LoraOptions) -> list[LinearLayer]:
    """Find the layers that an adapter is laid beside, as peft finds them.

    Args:
        shape: The model's.
        lora: The adapter's options.

    Returns:
        The layers that its targets name.

    Raises:
        UsageError: A target names no linear layer of the model.
    """
    if lora.targets == ALL_LINEAR:
        return list(shape.linears)
    found = {target: [each for each in shape.linears if _is_named(each, target)] for target in lora.target_names}
    if nothing := [target for target, layers in found.items() if not layers]:
        names = sorted({each.name.rpartition(".")[2] for each in shape.linears})
        raise UsageError(
            f"--lora-targets {nothing[0]}: the model has no linear layer of that name; it has {', '.join(names)}"
        )
    return [each for each in shape.linears if any(each in layers for layers in found.values())]


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
            f"--method {method}: {name} is a mixture of {shape.experts} experts, whose layers an adapter does not "
            "reach, whatever --lora-dropout and --lora-targets say: take a dense model, or --method full"
        )
    if device == "cpu" and asked != "cpu" and shape.parameters > LARGE_FOR_A_CPU:
        raise UsageError(
            f"{name} has {shape.parameters / 1e9:.1f} billion weights, and this machine has no usable GPU: a training "
            "would take days; say --device cpu if that is meant"
        )


def _linear(name: str, layer: Any, is_turned: bool) -> LinearLayer:
    """Describe a layer; the weights of GPT-2's (`Conv1D`) lie the other way round."""
    rows, columns = layer.weight.shape
    return LinearLayer(name, *((rows, columns) if is_turned else (columns, rows)))


def _is_named(layer: LinearLayer, target: str) -> bool:
    return layer.name == target or layer.name.endswith(f".{target}")
