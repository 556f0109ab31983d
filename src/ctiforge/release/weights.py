"""The weights of a model's folder, as the headers of its safetensors describe them; nothing else is read."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.records.exported import Dtype

INDEX = "model.safetensors.index.json"
"""Which shard holds which weight."""
TORCH_TYPES: dict[Dtype, str] = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}
"""What torch calls each type."""
BYTES: dict[Dtype, int] = {"bf16": 2, "f16": 2, "f32": 4}
"""Of one weight."""

_TYPES: dict[str, Dtype] = {"BF16": "bf16", "F16": "f16", "F32": "f32"}


@dataclass(frozen=True)
class Weights:
    """What a checkpoint's weights are."""

    count: int
    """Numbers, all together."""
    dtype: Dtype
    """The type of most of them."""
    uniform: bool
    """Whether all of them are of that type."""
    largest_shard: int
    """Numbers in the largest file."""
    largest_tensor: int
    """Numbers in the largest tensor."""


def shards_of(folder: Path) -> list[Path]:
    """Find the safetensors that a model is loaded from.

    Args:
        folder: The model's folder.

    Returns:
        Its files, by name.

    Raises:
        UsageError: There are none.
    """
    found = [path for path in sorted(folder.glob("model*.safetensors")) if path.is_file()]
    if not found:
        raise UsageError(f"{folder} holds no model*.safetensors: give a model's folder as transformers writes it")
    return found


def describe_weights(folder: Path) -> Weights:
    """Read what the weights of a folder are from the headers of its files.

    Args:
        folder: The model's folder.

    Returns:
        Their number, type and sizes.

    Raises:
        UsageError: There are none, or most are of a type that only a quantized checkpoint has.
    """
    from safetensors import safe_open

    types: Counter[str] = Counter()
    shards, largest = [], 0
    for shard in shards_of(folder):
        of_shard = 0
        with safe_open(shard, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - a file is no mapping
                described = file.get_slice(name)
                size = math.prod(described.get_shape())
                types[described.get_dtype()] += size
                of_shard += size
                largest = max(largest, size)
        shards.append(of_shard)
    most, _ = types.most_common(1)[0]
    if most not in _TYPES:
        raise UsageError(f"{folder}: most of its weights are {most}, so it is quantized: give it in full precision")
    return Weights(sum(shards), _TYPES[most], len(types) == 1, max(shards), largest)
