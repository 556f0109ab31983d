"""A model whose weights are shared out to the ranks (torch's FSDP2): each keeps a part, and gathers a layer to compute.

The weights of each decoder layer are gathered for its forward and its backward pass and let go after them; gradients
and the optimizer's averages are as much parted as the weights.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from ctiforge.errors import UsageError
from ctiforge.training.encoding import cannot_load, on_this_machine
from ctiforge.training.models import ATTENTION, RECOMPUTE, load_causal_lm, only_errors
from ctiforge.training.numerics import Numerics
from ctiforge.training.options import Attention
from ctiforge.training.ranks import Ranks

_CPU = torch.device("cpu")


def load_sharded(model: str, device: torch.device, numerics: Numerics, attention: Attention, ranks: Ranks) -> Any:
    """Load a model for the training of all its weights, in fp32, of which each rank gets its part.

    The first rank reads all weights into its machine's memory, 4 bytes each, and hands out a tensor at a time; no
    other rank, and no GPU, ever holds them all.

    Args:
        model: A folder, an `s3://` URI, a hub name, or `demo`.
        device: Where this rank's part goes.
        numerics: The types.
        attention: How attention is computed.
        ranks: The processes that train together.

    Returns:
        The model, whose parameters are DTensors.

    Raises:
        UsageError: There is none, it has no safetensors, its layers cannot be told, this machine cannot reach it, or
            it would be computed in fp16.
    """
    if numerics.scales_loss:
        raise UsageError("--fsdp computes in bf16 or fp32, and this GPU has no bf16: give --precision fp32")
    whole = load_causal_lm(model, _CPU, torch.float32, attention) if ranks.is_first else None
    sharded = _without_weights(model, attention)
    shard(sharded, device, numerics, ranks)
    _fill(sharded, whole, device)
    sharded.config.use_cache = False
    if numerics.recompute:
        sharded.gradient_checkpointing_enable(gradient_checkpointing_kwargs=RECOMPUTE)
    return sharded


def shard(model: Any, device: torch.device, numerics: Numerics, ranks: Ranks) -> None:
    """Part the weights of a model in place: those of each decoder layer, and all others together.

    What is computed is what autocast computes of whole weights: layers are gathered in the type that they compute in,
    while embeddings, and so the stream between layers, stay in fp32. Gradients are summed in fp32.

    Args:
        model: The model; its weights may be on torch's `meta` device.
        device: Where the parts go.
        numerics: The types.
        ranks: The processes that train together.

    Raises:
        UsageError: Nothing says which modules are its layers.
    """
    layers = [each for each in model.modules() if type(each).__name__ in (model._no_split_modules or ())]
    if not layers:
        raise UsageError("--fsdp: this model does not say which modules are its layers: train it with --method qlora")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    mesh = init_device_mesh(device.type, (ranks.count,))
    precision = MixedPrecisionPolicy(
        param_dtype=None if numerics.compute is torch.float32 else numerics.compute,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    for layer in layers:
        fully_shard(layer, mesh=mesh, mp_policy=precision)
    fully_shard(model, mesh=mesh)


def gather_weights(model: Any) -> dict[str, torch.Tensor]:
    """Gather all weights in the memory of the first rank's machine; all ranks call it together.

    Args:
        model: The sharded model.

    Returns:
        The weights by name, in fp32; nothing in a rank that is not the first.
    """
    found: dict[str, torch.Tensor] = get_model_state_dict(
        model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )
    return found


def whole_model(model: str, weights: dict[str, torch.Tensor], attention: Attention) -> Any:
    """Put gathered weights into a model as it was before it was sharded.

    Args:
        model: What was loaded to be trained.
        weights: What `gather_weights` gave the first rank.
        attention: How attention is computed.

    Returns:
        The model in this machine's memory, in fp32.
    """
    loaded = load_causal_lm(model, _CPU, torch.float32, attention)
    loaded.load_state_dict(weights, assign=True)
    loaded.tie_weights()
    return loaded


def _without_weights(model: str, attention: Attention) -> Any:
    """Make a model of its configuration alone, on the `meta` device, where weights take no memory."""
    from transformers import AutoConfig, AutoModelForCausalLM

    only_errors()
    try:
        with on_this_machine(model, ("config.json",)) as path, torch.device("meta"):
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
            named = {"attn_implementation": ATTENTION[attention]} if ATTENTION[attention] else {}
            return AutoModelForCausalLM.from_config(config, dtype=torch.float32, **named)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", model, error)) from error


def _fill(sharded: Any, whole: Any | None, device: torch.device) -> None:
    """Give each rank its part of what the first has read."""
    sharded.to_empty(device=device)
    # as every parameter, a tied one was made anew in each place
    sharded.tie_weights()
    set_model_state_dict(
        sharded,
        whole.state_dict() if whole else {},
        options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True),
    )
    # what is computed once from the configuration, as the frequencies of positions, is in no state
    for name, buffer in sharded.named_buffers():
        source = dict(whole.named_buffers())[name].to(device) if whole else buffer
        buffer.copy_(source)
        dist.broadcast(buffer, src=0)
