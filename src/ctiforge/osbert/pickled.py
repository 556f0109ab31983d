"""Base models that bring only `pytorch_model.bin`, as CTI-BERT does: read as weights alone, kept as safetensors.

A pickle may hold code that runs when it is read. `torch.load(weights_only=True)` reads numbers and refuses the rest.
"""

import pickle
import shutil
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.records.converted import ConvertedBase
from ctiforge.store.hub import download, is_hub_name, pin
from ctiforge.store.objects import ObjectStore, hash_file, open_store
from ctiforge.training.encoding import MODEL_FILES, TOKENIZER_FILES, cannot_load

PICKLE = "pytorch_model.bin"
WEIGHTS = "model.safetensors"
_BESIDE = (".json", ".txt", ".model")
"""How the files end that a model needs besides its weights."""


def with_safetensors(model: str, store_uri: str | None, scratch: Path) -> str:
    """Give the model as something whose weights are safetensors.

    Args:
        model: A folder, or the name of a model on the Hub, with its commit.
        store_uri: The store that keeps what was converted; None: nothing is kept.
        scratch: A folder for the converted model.

    Returns:
        The model's folder; where it brings only a pickle, that of the converted model.

    Raises:
        UsageError: The Hub's files cannot be had, or the pickle holds more than weights.
    """
    model = _downloaded(model) if is_hub_name(model) else model
    file = _pickle_of(Path(model))
    if file is None:
        return model
    folder = scratch / "base"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hash_file(file).sha256
    store = open_store(store_uri) if store_uri else None
    key = f"bases/{digest}"
    if store and store.exists(f"{key}/{ConvertedBase.NAME}"):
        for name in (WEIGHTS, ConvertedBase.NAME):
            store.download(f"{key}/{name}", folder / name)
    else:
        _convert(file, digest, folder)
        if store:
            _keep(folder, store, key)
    for beside in file.parent.iterdir():
        if beside.suffix in _BESIDE and beside.is_file():
            shutil.copyfile(beside, folder / beside.name)
    return str(folder)


def _pickle_of(folder: Path) -> Path | None:
    """Find the pickle of a model that has no safetensors; None where it has them, or neither can be found."""
    has_safetensors = any(folder.glob("*.safetensors"))
    return folder / PICKLE if (folder / PICKLE).is_file() and not has_safetensors else None


def _downloaded(model: str) -> str:
    """Bring a model of the Hub here: its safetensors, or where it has none its pickle."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        pinned = pin(model)
        folder = download(pinned, MODEL_FILES)
        if not any(folder.glob("*.safetensors")):
            folder = download(pinned, (*TOKENIZER_FILES, PICKLE))
    except (HfHubHTTPError, OSError) as error:
        raise UsageError(cannot_load("base model", model, error)) from None
    return str(folder)


def _convert(file: Path, digest: str, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    try:
        state: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise UsageError(f"{file} holds more than weights, or is damaged: not loaded ({_first(error)})") from None
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise UsageError(f"{file} holds something else than weights by name: not loaded")
    # tensors that share their memory are each written
    weights = {name: tensor.clone().contiguous() for name, tensor in state.items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    ConvertedBase(source=str(file), sha256=digest, tensors=len(weights)).write(folder)


def _keep(folder: Path, store: ObjectStore, key: str) -> None:
    """Upload the weights, and then the note: without it there is nothing."""
    for name in (WEIGHTS, ConvertedBase.NAME):
        store.upload(folder / name, f"{key}/{name}")


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
