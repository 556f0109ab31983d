"""The files of one published version, laid out in a folder: those of the model that are safe to load, nothing else."""

import json
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctiforge.errors import DataError
from ctiforge.records.artifact import FileEntry
from ctiforge.records.classification import ClassifierEvaluation
from ctiforge.records.model_note import AgentNote, OsBertNote
from ctiforge.records.training import LOG_NAME, Training
from ctiforge.release.names import public_labelers, public_name
from ctiforge.store.objects import hash_file
from ctiforge.store.whole_weights import find_fault

CARD = "README.md"

_ADAPTER = "adapter_config.json"
_MODEL_FILE = re.compile(
    r"config\.json|generation_config\.json|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|adapter_config\.json|adapter_model\.safetensors|chat_template\.jinja"
    r"|tokenizer\.(json|model)|tokenizer_config\.json|vocab\.(txt|json)|merges\.txt|special_tokens_map\.json"
    r"|added_tokens\.json"
    rf"|{re.escape(OsBertNote.NAME)}|{re.escape(Training.NAME)}|{re.escape(LOG_NAME)}|training_curve\.png"
)
_UNSAFE = re.compile(r".*\.(bin|pt|pth|pkl|pickle|joblib|ckpt|h5|msgpack|onnx)")


def copy_model(model: Path, into: Path) -> list[str]:
    """Copy the model's files that are published; return the names of those left out, pickles among them.

    Of a base model that is named by its path, only the last part is published; of people who labeled, no name.
    """
    into.mkdir(parents=True, exist_ok=True)
    left_out = []
    for path in sorted(model.iterdir()):
        if path.is_file() and _MODEL_FILE.fullmatch(path.name):
            shutil.copyfile(path, into / path.name)
        else:
            left_out.append(f"{path.name}/" if path.is_dir() else path.name)
    for name in (OsBertNote.NAME, Training.NAME):
        _without_private_names(into / name)
    _without_private_names(into / _ADAPTER, "base_model_name_or_path")
    return left_out


def check_agent(folder: Path) -> AgentNote:
    """Raise DataError unless the folder holds an Extract Agent's weights, whole, with tokenizer and note."""
    note = AgentNote.load(folder / AgentNote.NAME)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise DataError("the model's folder holds no tokenizer (tokenizer.json): train the model again")
    if not (folder / _ADAPTER).is_file():
        _read_config(folder / "config.json")
    _check_weights(folder)
    return note


def is_adapter(folder: Path) -> bool:
    """Tell whether a model's folder holds a LoRA over its base."""
    return (folder / _ADAPTER).is_file()


def check_model(folder: Path, evaluated: ClassifierEvaluation) -> OsBertNote:
    """Raise DataError unless transformers can load the folder as the classifier that was evaluated."""
    note = OsBertNote.load(folder / OsBertNote.NAME)
    config = _read_config(folder / "config.json")
    if not str((config.get("architectures") or [""])[0]).endswith("ForSequenceClassification"):
        raise DataError("config.json names no ...ForSequenceClassification: this is no classifier; train OS-BERT first")
    labels = list((config.get("id2label") or {}).values())
    for source, theirs in ((OsBertNote.NAME, note.labels), ("the evaluation", evaluated.labels)):
        if labels != list(theirs):
            raise DataError(f"config.json has labels {', '.join(labels) or 'none'}, {source} has {', '.join(theirs)}")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise DataError("the model's folder holds no tokenizer (tokenizer.json or vocab.txt): train OS-BERT again")
    _check_weights(folder)
    return note


def outdated(there: Collection[str], folder: Path) -> list[str]:
    """List files of the repository that this version replaces by nothing: a model's, and weights that are not safe."""
    return sorted(
        name
        for name in there
        if (_MODEL_FILE.fullmatch(name) or _UNSAFE.fullmatch(name)) and not (folder / name).exists()
    )


def hashes(folder: Path) -> dict[str, FileEntry]:
    """Hash every file of a folder, without its subfolders.

    Args:
        folder: The folder.

    Returns:
        File name → size in bytes and SHA-256, sorted by name.
    """
    return {path.name: hash_file(path) for path in sorted(folder.iterdir()) if path.is_file()}


def _without_private_names(path: Path, base: str = "base_model") -> None:
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # what is wrong here is told when it is read
        content = json.loads(path.read_text(encoding="utf-8"))
        content[base] = public_name(content[base])
        if isinstance(content.get("labeler"), str):
            content["labeler"] = public_labelers(content["labeler"])
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise DataError(f"{path.name} is missing in the model's folder, or no JSON: give the output of the training")
    return config


def _check_weights(folder: Path) -> None:
    if fault := find_fault(folder):
        raise DataError(fault)
