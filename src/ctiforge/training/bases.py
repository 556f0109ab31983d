"""What of a model's folder makes a base model: weights that can hold no code, a tokenizer, and its license."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctiforge.errors import CtiforgeError, UsageError
from ctiforge.store.hub import join_name
from ctiforge.store.whole_weights import LEFT_OUT, find_fault
from ctiforge.training.encoding import MODEL_FILES, cannot_load, load_tokenizer, on_this_machine

CARD = "README.md"
TERMS = (CARD, "LICENSE*", "NOTICE*")
"""What lies beside a model and says on what terms it may be used."""
_CONFIG = "config.json"


def base_files(folder: Path) -> dict[str, Path]:
    """Find the files that a base model is loaded from, once they are seen to be whole.

    Args:
        folder: The folder of a model in the layout of transformers.

    Returns:
        Each file's name and path: weights, configuration and tokenizer; nothing of its subfolders.

    Raises:
        UsageError: It has no configuration, no tokenizer or no whole safetensors, or is an adapter.
    """
    _check_config(folder)
    load_tokenizer(str(folder))
    if fault := find_fault(folder):
        raise UsageError(f"{folder}: {fault}")
    return {name: path for name, path in _matching(folder, MODEL_FILES).items() if not path.match(LEFT_OUT)}


def terms_of(folder: Path) -> dict[str, Path]:
    """Find the card and the license beside a model.

    Args:
        folder: The model's folder.

    Returns:
        Each file's name and path.
    """
    return _matching(folder, TERMS)


def license_of(folder: Path) -> str | None:
    """Read the license that a model's card names.

    Args:
        folder: The model's folder.

    Returns:
        Its identifier, like `apache-2.0`; None where there is no card, or none that can be read.
    """
    from huggingface_hub import ModelCard

    try:
        data: Any = ModelCard((folder / CARD).read_text(encoding="utf-8"), ignore_metadata_errors=True).data
    except Exception:  # a card can be broken in any way, and is no reason to stop
        return None
    return str(data.license) if data.license else None


def look_up_terms(base: str, revision: str | None) -> tuple[str | None, str | None, dict[str, bytes]]:
    """Look up on what terms a base model stands: on this machine, in the store, or on the Hub.

    Args:
        base: A hub name, a folder or a URI.
        revision: The commit of a hub name.

    Returns:
        The license that its card names, the architecture that its configuration names, and its license and notice
        files without the card; nothing of a base that cannot be had.
    """
    try:
        with on_this_machine(join_name(base, revision), (*TERMS, _CONFIG)) as found:
            folder = Path(found)
            config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
            files = {name: path.read_bytes() for name, path in terms_of(folder).items() if name != CARD}
            return license_of(folder), config.get("model_type"), files
    except (OSError, ValueError, CtiforgeError):
        return None, None, {}


def _matching(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    return {path.name: path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}


def _check_config(folder: Path) -> None:
    from transformers import AutoConfig

    if (folder / "adapter_config.json").is_file():
        raise UsageError(f"{folder} holds an adapter, no base model: export it merged (ctiforge export) and add that")
    try:
        AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("model", str(folder), error)) from None
