"""Loads causal language models: to be asked, to be trained, or as they were saved."""

import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ctiforge.errors import UsageError
from ctiforge.pod import GPU_VARIABLE
from ctiforge.progress import warn
from ctiforge.training.encoding import cannot_load, on_this_machine, quiet_hub
from ctiforge.training.numerics import ComputeDevice, Numerics
from ctiforge.training.options import ALL_LINEAR, Attention, LoraOptions
from ctiforge.training.ranks import ranks_here

DEVICES = ("auto", "cpu", "cuda")
"""What `--device` may be."""
ADAPTER_CONFIG = "adapter_config.json"
"""Beside a LoRA adapter: its settings, and which base it belongs to."""
_DRIVER = Path("/proc/driver/nvidia/version")
ATTENTION = {"auto": None, "sdpa": "sdpa", "eager": "eager", "flex": "flex_attention"}
RECOMPUTE = {"use_reentrant": False}
"""How activations are recomputed: in the way that also works where the inputs need no gradients."""


def pick_device(name: str = "auto") -> torch.device:
    """Choose the device to compute on; of processes that compute together each has a GPU of its own.

    Args:
        name: `cpu`, `cuda`, or `auto`: the GPU where there is one.

    Returns:
        The device.

    Raises:
        UsageError: There is no such device, fewer GPUs than processes, or no usable GPU where `cuda` is asked for, or
            by a pod that has one.
    """
    if name not in DEVICES:
        raise UsageError(f"--device {name}: give one of {', '.join(DEVICES)} (which GPU, CUDA_VISIBLE_DEVICES says)")
    is_there = name != "cpu" and torch.cuda.is_available()
    if not is_there and (name == "cuda" or (name == "auto" and os.environ.get(GPU_VARIABLE))):
        raise UsageError(f"{'--device cuda' if name == 'cuda' else 'this pod has a GPU'}: {_no_gpu()}")
    if not is_there:
        return torch.device("cpu")
    ranks, visible = ranks_here(), torch.cuda.device_count()
    if ranks.local >= visible:
        raise UsageError(f"--nproc: {visible} GPUs are visible, and each process needs one of its own: start fewer")
    if visible > 1 and ranks.count == 1:
        warn(f"{visible} GPUs are visible, and the first is used: CUDA_VISIBLE_DEVICES names another")
    return torch.device("cuda", ranks.local)


def _no_gpu() -> str:
    """Say what is known of why no GPU can be used."""
    driver = _DRIVER.read_text(encoding="utf-8") if _DRIVER.is_file() else ""
    found = re.search(r"\b\d{3}\.[\d.]+", driver)
    has = f"driver {found[0]}" if found else "no driver of NVIDIA"
    return (
        f"torch {torch.__version__} (CUDA {torch.version.cuda or 'none: a build for CPUs'}) finds no usable GPU, and "
        f"this machine has {has}; CUDA 13 needs driver 580 or newer"
    )


def compute_dtype(device: torch.device) -> torch.dtype:
    """Choose what to compute in: bf16 where the GPU has it, fp16 on older GPUs, fp32 on a CPU.

    Args:
        device: The device to compute on.

    Returns:
        The floating-point type.
    """
    return ComputeDevice.of(device).best


def only_errors() -> None:
    """Keep the library's hints and bars out of a program's output; its errors are still told."""
    from transformers.utils import logging

    quiet_hub()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # peft still asks transformers by the old name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    # the new name is younger than the oldest transformers that serves
    warnings.filterwarnings("ignore", "`gradient_checkpointing_enable` is deprecated", FutureWarning)


def load_causal_lm(model: str, device: torch.device, dtype: torch.dtype, attention: Attention = "auto") -> Any:
    """Load a causal language model; a folder with a LoRA adapter gets its base below it.

    Args:
        model: A folder, an `s3://` URI, a hub name, or `demo`.
        device: Where its weights go.
        dtype: The type of its weights.
        attention: How attention is computed; `auto`: as transformers choose, as for every base of an adapter.

    Returns:
        The model, of transformers or, with an adapter, of peft.

    Raises:
        UsageError: There is none, it has no safetensors, or this machine cannot reach it.
    """
    from transformers import AutoModelForCausalLM

    only_errors()
    if base := base_to_load(Path(model)):
        return _load_adapter(Path(model), base, device, dtype)
    try:
        with on_this_machine(model) as path:
            loaded, told = AutoModelForCausalLM.from_pretrained(
                path,
                dtype=dtype,
                attn_implementation=ATTENTION[attention],
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", model, error)) from error
    check_whole(model, told)
    return loaded.to(device)


def merge_adapter(model: Any) -> Any:
    """Merge a LoRA adapter into its base in memory, so that a token costs no more than one of the base.

    Args:
        model: A model as `load_causal_lm` gives it.

    Returns:
        The model without an adapter; the same one where it has none, or where memory lacks the room of one more layer:
        layers that are merged by then stay so, and the answers are the same.
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return model
    try:
        return model.merge_and_unload()
    except torch.OutOfMemoryError:
        warn("the adapter stays beside its base, since memory has no room to merge it: answers take longer")
    return model


def check_whole(model: str, told: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that lacks weights: the library draws them at random and says so in a hint alone.

    Args:
        model: What the model is called.
        told: What the library says of the loading, by `output_loading_info`.

    Raises:
        UsageError: Weights are missing, or have another shape than the config says.
    """
    lacking = sorted(told.get("missing_keys") or ()) + sorted(
        str(each[0]) for each in told.get("mismatched_keys") or ()
    )
    if lacking:
        raise UsageError(
            f"{model}: {len(lacking)} weights are missing or of another shape, {lacking[0]} among them, and would "
            "be drawn at random: take the whole checkpoint, or one that is for generating text"
        )


def load_to_train(
    model: str, device: torch.device, numerics: Numerics, lora: LoraOptions, attention: Attention = "auto"
) -> Any:
    """Load a model for its training: what is trained is in fp32, and requires gradients.

    Args:
        model: A folder, an `s3://` URI, a hub name, or `demo`.
        device: Where its weights go.
        numerics: What is trained, and the types.
        lora: The adapter's options; unused where all weights are trained.
        attention: How attention is computed.

    Returns:
        The model; where an adapter is trained that of peft, with LoRA on the layers that it targets.

    Raises:
        UsageError: There is none, it has no safetensors, or this machine cannot reach it.
    """
    from peft import get_peft_model

    if numerics.method == "qlora":
        loaded = get_peft_model(_load_in_4_bits(model, device, numerics, attention), _lora_config(lora))
    else:
        loaded = load_causal_lm(model, device, numerics.frozen, attention)
        loaded.config.use_cache = False
        if numerics.recompute:
            loaded.gradient_checkpointing_enable(gradient_checkpointing_kwargs=RECOMPUTE)
        if numerics.method == "lora":
            loaded = get_peft_model(loaded, _lora_config(lora))
    for parameter in loaded.parameters():
        if parameter.requires_grad:
            # fp32 whatever was loaded: in bf16 most updates are too small to change a weight
            parameter.data = parameter.data.float()
    return loaded


def _lora_config(lora: LoraOptions) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=ALL_LINEAR if lora.targets == ALL_LINEAR else lora.target_names,
        task_type="CAUSAL_LM",
    )


def _load_in_4_bits(model: str, device: torch.device, numerics: Numerics, attention: Attention) -> Any:
    """Load a model in NF4 (QLoRA, Dettmers et al. 2023), nothing of which is trained."""
    from peft import prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    only_errors()
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=numerics.compute,
    )
    try:
        with on_this_machine(model) as path:
            loaded, told = AutoModelForCausalLM.from_pretrained(
                path,
                quantization_config=quantization,
                attn_implementation=ATTENTION[attention],
                dtype=numerics.frozen,
                device_map={"": device},
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                # told by check_whole, in a line
                ignore_mismatched_sizes=True,
            )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", model, error)) from error
    check_whole(model, told)
    keep_training_gradients_right(loaded)
    return prepare_model_for_kbit_training(
        loaded, use_gradient_checkpointing=numerics.recompute, gradient_checkpointing_kwargs=RECOMPUTE
    )


def keep_training_gradients_right(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights for avx512_bf16 in an evaluation on a CPU.

    After such a repack the backward pass reads the weights wrongly: gradients are off by most of
    their size while the loss looks fine (bitsandbytes 0.50).
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def name_base(adapter: Path, base: str) -> None:
    """Let a saved adapter name its base as people do, and the commit of it, not where it lay on this machine.

    Args:
        adapter: The adapter's folder; its `adapter_config.json` is rewritten.
        base: The base model's hub name with its commit, or the name of its folder.
    """
    from ctiforge.store.hub import split_name

    file = adapter / ADAPTER_CONFIG
    config = json.loads(file.read_text(encoding="utf-8"))
    name, commit = split_name(base)
    named = {"base_model_name_or_path": name, "revision": commit}
    file.write_text(json.dumps(config | named, indent=2) + "\n", encoding="utf-8")


def base_of_adapter(folder: Path) -> str | None:
    """Read which base a model's folder holds an adapter of.

    Args:
        folder: The folder of a model.

    Returns:
        A hub name, with its commit where the adapter says it, or a folder or URI; None where there is no adapter.
    """
    file = folder / ADAPTER_CONFIG
    if not file.is_file():
        return None
    from ctiforge.store.hub import is_hub_name, join_name

    config = json.loads(file.read_text(encoding="utf-8"))
    base, commit = str(config["base_model_name_or_path"]), config.get("revision")
    return join_name(base, commit) if is_hub_name(base) else base


def base_to_load(folder: Path) -> str | None:
    """Name the base that is loaded below an adapter; of one that names no commit, it warns that another may be.

    Args:
        folder: The folder of a model.

    Returns:
        A hub name with its commit, a folder or a URI; None where there is no adapter.
    """
    base = base_of_adapter(folder)
    if not base:
        return None
    from ctiforge.store.hub import is_hub_name, is_pinned, pin

    if is_hub_name(base) and not is_pinned(base):
        base = pin(base)
        warn(
            f"{folder}: its adapter does not say which commit of its base it was trained on; loaded is {base}, which "
            f'may be another: write the right one as "revision" into {ADAPTER_CONFIG}'
        )
    return base


def _load_adapter(folder: Path, base: str, device: torch.device, dtype: torch.dtype) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(load_causal_lm(base, device, dtype), str(folder)).to(device)
