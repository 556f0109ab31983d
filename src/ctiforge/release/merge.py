"""Writes a model's weights in one type, an adapter merged into them, shard by shard, and proves what it wrote.

Of a plain LoRA each weight becomes W + s·B·A, computed in fp32 (Hu et al. 2021, https://arxiv.org/abs/2106.09685),
s being alpha/r, or alpha/√r for a rank-stabilized one.
"""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.errors import DataError, UsageError
from ctiforge.records.exported import Dtype
from ctiforge.release.weights import INDEX, TORCH_TYPES, shards_of

LARGEST: dict[Dtype, float] = {"f32": 1e-5, "f16": 5e-3, "bf16": 4e-2}
"""How far a logit may move by rounding, as a share of the largest one, which is taken to be 10 at least; the adapter
of another model moves them by more than a tenth."""
ROUNDED: dict[Dtype, float] = {"f32": 1e-5, "f16": 2e-3, "bf16": 1e-2}
"""How far a merged weight times a random vector may be from base and adapter apart, as a share of its length."""
SAMPLED = 16
"""How many merged weights are computed again in another way."""
VOCABULARY = "tokenizer.model"
"""The file of a SentencePiece vocabulary."""

_ADAPTER = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"
_GENERATION = "generation_config.json"
_CONFIGS = ("config.json", _GENERATION)
_PART = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")


@dataclass(frozen=True)
class Merged:
    """What was written."""

    weights: int
    """Weights that an adapter changed."""
    compared: int = 0
    """How many of them were computed again in another way."""
    largest: float = 0.0
    """The largest difference of these, as a share of the product's length."""


@dataclass(frozen=True)
class _Change:
    """What an adapter adds to one weight."""

    a: Any
    b: Any
    scale: float
    turned: bool

    def delta(self) -> Any:
        product = self.scale * (self.b.float() @ self.a.float())
        return product.T if self.turned else product

    def apply(self, weight: Any, vector: Any) -> Any:
        """Compute (W + s·B·A)·x without forming the product of B and A."""
        whole = weight.float().T if self.turned else weight.float()
        return whole @ vector + self.scale * (self.b.float() @ (self.a.float() @ vector))


def merge_shards(base: Path, adapter: Path | None, dtype: Dtype, folder: Path) -> Merged:
    """Write a base's weights and configuration into a folder, one shard in memory at a time.

    Args:
        base: The folder of the base model, in safetensors.
        adapter: The folder of a LoRA over it; None: the weights are only written as `dtype`.
        dtype: The type to write.
        folder: The folder to write; it must exist.

    Returns:
        How many weights were changed, and how well a sample of them holds.

    Raises:
        UsageError: The adapter is more than a plain LoRA, or the base is quantized.
        DataError: The adapter has weights that its base lacks, or what was written is not what was computed.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    config = _config_of(base)
    changes = _read_adapter(adapter) if adapter else {}
    used = set()
    by_weight: dict[str, _Change] = {}
    size, where = 0, {}
    for shard in shards_of(base):
        tensors = {}
        with safe_open(shard, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - a file is no mapping
                tensor = file.get_tensor(name)
                if module := _module(name, changes):
                    used.add(module)
                    by_weight[name] = changes[module]
                    tensor = tensor.float() + changes[module].delta()
                tensors[name] = tensor.to(_torch_type(dtype)).contiguous() if tensor.is_floating_point() else tensor
                size += tensors[name].numel() * tensors[name].element_size()
                where[name] = shard.name
        save_file(tensors, folder / shard.name, metadata={"format": "pt"})
        del tensors
    if missing := sorted(changes.keys() - used):
        raise DataError(f"the adapter has weights for {missing[0]}, which its base has not: it is of another base")
    if (base / INDEX).is_file():
        index = {"metadata": {"total_size": size}, "weight_map": where}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    _write_config(config, base, dtype, folder)
    largest, compared = _compare_sample(base, folder, by_weight, dtype)
    return Merged(len(by_weight), compared, largest)


def copy_weights(base: Path, folder: Path, *, links: bool) -> None:
    """Put a model's weights and configuration into a folder as they are.

    Args:
        base: The model's folder.
        folder: The folder to put them in; it must exist.
        links: Whether to link them instead.
    """
    for path in [*shards_of(base), *(base / name for name in (INDEX, *_CONFIGS))]:
        if links and path.is_file():
            (folder / path.name).symlink_to(path.absolute())
        elif path.is_file():
            shutil.copyfile(path, folder / path.name)


def compare_logits(
    before: Callable[[], Any], after: Callable[[], Any], prompts: Sequence[Sequence[int]], dtype: Dtype
) -> tuple[float, float]:
    """Compare the logits of two models in fp32, one in memory at a time.

    Args:
        before: Loads the source, base and adapter.
        after: Loads what was written.
        prompts: Token ids.
        dtype: The type that was written.

    Returns:
        The largest difference, and the largest logit before, both as absolute values.

    Raises:
        DataError: They differ by more than `limit`.
    """
    source = before()
    expected = [_logits(source, ids) for ids in prompts]
    del source
    written = after()
    found = [_logits(written, ids) for ids in prompts]
    difference = max(float((a - b).abs().max()) for a, b in zip(expected, found, strict=True))
    largest = max(float(each.abs().max()) for each in expected)
    most = limit(largest, dtype)
    if not difference <= most:
        raise DataError(
            f"the merged model's logits differ from base and adapter by {difference:.1e} (at most {most:.0e}; the "
            f"largest logit is {largest:.1f}): check that the adapter belongs to this base and its files are whole"
        )
    return difference, largest


def limit(largest_logit: float, dtype: Dtype) -> float:
    """Compute how far a logit may move by rounding.

    Args:
        largest_logit: The largest logit, by its absolute value, over the prompts compared.
        dtype: The type that the weights were rounded to.

    Returns:
        The largest difference that is let pass, as an absolute value.
    """
    return LARGEST[dtype] * max(10.0, largest_logit)


def keep_sentencepiece(vocabulary: bytes | None, folder: Path) -> bool:
    """Put the base's SentencePiece vocabulary beside a saved tokenizer, which leaves it out; True where there is one.

    Without it llama.cpp's converter takes another way, and every second word gets wrong tokens.
    """
    if not vocabulary:
        return False
    (folder / VOCABULARY).write_bytes(vocabulary)
    return True


def _read_adapter(folder: Path) -> dict[str, _Change]:
    """Read a plain LoRA: module → what it adds there. Raises UsageError for any other adapter."""
    from safetensors.torch import load_file

    config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    if not (folder / _ADAPTER).is_file():
        raise UsageError(f"{folder} holds no {_ADAPTER}: give the adapter as training left it")
    parts: dict[str, dict[str, Any]] = {}
    for name, tensor in load_file(folder / _ADAPTER).items():
        found = _PART.fullmatch(name)
        if not found:
            raise UsageError(
                f"the adapter is more than a plain LoRA ({name}): merge it with peft (merge_and_unload) and give the "
                "merged model"
            )
        parts.setdefault(found[1], {})[found[2]] = tensor
    changes = {}
    for module, each in parts.items():
        if each.keys() != {"A", "B"}:
            raise DataError(f"{folder / _ADAPTER} holds only one half of {module}: copy the adapter again")
        rank = each["B"].shape[1]
        alpha = _alpha(config, module)
        scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
        changes[module] = _Change(each["A"], each["B"], scale, bool(config.get("fan_in_fan_out")))
    return changes


def _alpha(config: dict[str, Any], module: str) -> float:
    """Find a module's alpha as peft does: its own where a pattern ends the module's name."""
    patterns = config.get("alpha_pattern") or {}
    own = next((value for key, value in patterns.items() if re.fullmatch(rf"(.*\.)?({key})", module)), None)
    return float(config["lora_alpha"] if own is None else own)


def _module(name: str, changes: dict[str, _Change]) -> str | None:
    """Name the adapter's module of a checkpoint's weight, which may lack the first part of the module's name."""
    if not name.endswith(".weight"):
        return None
    module = name.removesuffix(".weight")
    return module if module in changes else next((each for each in changes if each.partition(".")[2] == module), None)


def _compare_sample(base: Path, folder: Path, changes: dict[str, _Change], dtype: Dtype) -> tuple[float, int]:
    """Multiply some merged weights, read again, with a random vector, and base and adapter apart with the same."""
    import torch

    names = sorted(changes)[:: max(1, len(changes) // SAMPLED)][:SAMPLED]
    drawn = torch.Generator().manual_seed(0)
    largest = 0.0
    for name, before, after in _read_both(base, folder, names):
        change = changes[name]
        vector = torch.randn(change.a.shape[1], generator=drawn)
        expected = change.apply(before, vector)
        written = (after.float().T if change.turned else after.float()) @ vector
        difference = float((written - expected).norm() / expected.norm())
        if not difference <= ROUNDED[dtype]:
            raise DataError(f"{name} was not written as base and adapter have it: look at the disk, and run it again")
        largest = max(largest, difference)
    return largest, len(names)


def _read_both(base: Path, folder: Path, names: Sequence[str]) -> Iterator[tuple[str, Any, Any]]:
    from safetensors import safe_open

    wanted = set(names)
    for shard in shards_of(base):
        with safe_open(shard, framework="pt") as before, safe_open(folder / shard.name, framework="pt") as after:
            for name in sorted(wanted & set(before.keys())):
                yield name, before.get_tensor(name), after.get_tensor(name)


def _config_of(base: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    if "quantization_config" in config:
        raise UsageError(f"{base} is quantized itself: an export needs the full-precision base")
    return config


def _write_config(config: dict[str, Any], base: Path, dtype: Dtype, folder: Path) -> None:
    kept = {name: each for name, each in config.items() if name != "torch_dtype"}
    text = json.dumps(kept | {"dtype": TORCH_TYPES[dtype]}, indent=2, sort_keys=True)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    if (base / _GENERATION).is_file():
        shutil.copyfile(base / _GENERATION, folder / _GENERATION)


def _torch_type(dtype: Dtype) -> Any:
    import torch

    return getattr(torch, TORCH_TYPES[dtype])


def _logits(model: Any, ids: Sequence[int]) -> Any:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(ids)], device=model.device)).logits[0].float().cpu()
