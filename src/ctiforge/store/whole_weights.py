"""Whether a model's weights can be used: safetensors, which hold no code, undamaged and all there."""

import json
from pathlib import Path

LEFT_OUT = "consolidated*"
"""Weights in their maker's own layout, which lie beside those of transformers."""
_INDEX = "model.safetensors.index.json"


def find_fault(folder: Path) -> str | None:
    """Say why the weights of a model's folder cannot be used.

    Args:
        folder: The folder of a model or an adapter in the layout of transformers.

    Returns:
        What is wrong and what to do, in one line that names the file; None where they are whole.
    """
    from safetensors import SafetensorError, safe_open

    shards = [path for path in sorted(folder.glob("*.safetensors")) if not path.match(LEFT_OUT)]
    if not shards:
        return "the folder holds no *.safetensors, and weights of another kind may hold code: convert them"
    tensors: set[str] = set()
    for path in shards:
        try:
            with safe_open(path, framework="numpy") as file:
                tensors.update(file.keys())
        except SafetensorError:
            return f"{path.name} is damaged, or no safetensors: train or fetch the model again"
    index = folder / _INDEX
    if index.is_file() and not set(json.loads(index.read_text(encoding="utf-8"))["weight_map"]) <= tensors:
        return f"{index.name} names weights that no *.safetensors holds: copy the whole folder"
    return None
