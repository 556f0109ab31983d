"""Loads causal language models: plain, quantized for QLoRA, or as they were saved."""

import json
from pathlib import Path
from typing import Any

import torch

from ctiforge.errors import UsageError
from ctiforge.training.encoding import cannot_load, resolve_model
from ctiforge.training.options import LoraOptions


def pick_device(name: str = "auto") -> torch.device:
    """`auto`, `cpu` or `cuda` to a device; UsageError for cuda on a machine without one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: this machine has no usable GPU (torch.cuda.is_available() is false)")
    return torch.device(name)


def compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the GPU has it, fp16 on older GPUs, fp32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def only_errors() -> None:
    """Keep the library's hints and bars out of a program's output; its errors are still told."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_causal_lm(model: str, device: torch.device, dtype: torch.dtype) -> Any:
    """Give the model of a folder or hub name in `dtype`; a folder with an adapter gets its base below it."""
    from transformers import AutoModelForCausalLM

    only_errors()
    if (Path(model) / "adapter_config.json").is_file():
        return _load_adapter(Path(model), device, dtype)
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            resolve_model(model), dtype=dtype, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", model, error)) from error
    return loaded.to(device)


def load_for_qlora(model: str, device: torch.device, lora: LoraOptions) -> Any:
    """Give the model in NF4 with trainable LoRA on all linear layers (QLoRA, Dettmers et al. 2023)."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    only_errors()
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(device),
    )
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            resolve_model(model),
            quantization_config=quantization,
            dtype=compute_dtype(device),
            device_map={"": device},
            trust_remote_code=False,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", model, error)) from error
    keep_training_gradients_right(loaded)
    prepared = prepare_model_for_kbit_training(loaded, use_gradient_checkpointing=device.type == "cuda")
    config = LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(prepared, config)


def keep_training_gradients_right(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights for avx512_bf16 in an evaluation on a CPU.

    After such a repack the backward pass reads the weights wrongly: gradients are off by most of
    their size while the loss looks fine (bitsandbytes 0.50).
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def name_base(adapter: Path, base_name: str) -> None:
    """Let a saved adapter name its base as people do, not by where it lay on this machine."""
    file = adapter / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(config | {"base_model_name_or_path": base_name}, indent=2) + "\n", encoding="utf-8")


def _load_adapter(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    from peft import PeftModel

    base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    return PeftModel.from_pretrained(load_causal_lm(base, device, dtype), str(folder)).to(device)
