"""What is held of a stage's output: discrete things by hash, floats by value; and what differs between two of these.

A picture is JSON. Beside a hash stands as much as a reader of a failure needs: how many rows, which field, which row.
"""

import gzip
import hashlib
import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ctiforge.records.artifact import Manifest

LEFT_OUT = {
    "seconds": "a clock",
    "tokens_per_s": "a clock",
    "checkpoints_blocked_s": "a clock",
    "eval_runtime": "a clock",
    "eval_samples_per_second": "a clock",
    "eval_steps_per_second": "a clock",
    "train_runtime": "a clock",
    "train_samples_per_second": "a clock",
    "train_steps_per_second": "a clock",
    "latency_s": "a clock",
    "seconds_per_article": "a clock",
    "at": "a clock",
    "registered_at": "a clock",
    "artifact": "the address of a folder of this run's own",
    "peak_memory": "the machine's",
    "git_commit": "the checkout's",
    "image": "the machine's",
    "model.version": "the release's number, or the hash of the fixture's files",
    "transformers_version": "the package's, which the fingerprint holds",
}
"""Keys, or paths of keys, that say nothing about the output, each with why."""

TOLERANCES = {
    # arithmetic over discrete things, but for the order in which a processor's vector units add; so are the figures of
    # a neural classifier, whose answers on the fixture are no ties: only the answers enter them
    "": 1e-9,
    # fp32 on processors with and without AVX2 and AVX-512 was off by 2e-6 at most; each step hands its rounding on
    "train_extract": 1e-3,
    "train_os_bert": 1e-3,
    # the largest logit of a merged model, one forward pass in fp32
    "export_model": 1e-4,
}
"""By stage, how far a float may be off: relative above 1, absolute below. "" stands for all others."""

_SHORT = 8
_FEW = 4
_LABELS = ("id", "article_id", "name", "label", "step", "figure")


def take(artifacts: list[tuple[Manifest, Path]], registry: Path) -> dict[str, Any]:
    """The picture of everything that a stage left.

    Args:
        artifacts: Each one's manifest and the folder with its files.
        registry: The store's folder of registered models, which need not exist.
    """
    manifest = artifacts[0][0]
    found = {
        "stage": manifest.stage,
        "version": manifest.version,
        # not compared: they explain a difference that is not the stage's doing
        "made_of": {
            "inputs": {name: each.content[:12] for name, each in sorted(manifest.inputs.items())},
            "packages": dict(sorted(manifest.packages.items())),
        },
        "artifacts": [of_folder(folder) for _, folder in artifacts],
    }
    return found | ({"registry": of_folder(registry)} if registry.is_dir() else {})


def of_folder(folder: Path) -> dict[str, Any]:
    """The picture of each file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): of_file(path) for path in files}


def of_file(path: Path) -> Any:
    """The picture of one file, by what it is."""
    match path.suffix:
        case ".json" if path.name != "tokenizer.json":
            return of_value(json.loads(path.read_text(encoding="utf-8")))
        case ".jsonl":
            return of_value([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
        case ".gz":
            # how it is compressed depends on the library
            return of_value([json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()])
        case ".txt" | ".md" | ".jinja":
            return of_value(path.read_text(encoding="utf-8").splitlines())
        case ".safetensors":
            return _of_weights(path)
        case ".png":
            # how it is drawn depends on fonts and on the library
            return "a PNG image" if path.read_bytes().startswith(b"\x89PNG") else "no PNG image"
        case ".skops":
            # zipped with its clock; what the classifier answers is held by the evaluation that reads one
            return "a classifier"
        case ".gguf":
            return _of_gguf(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def of_value(value: Any, path: tuple[str, ...] = ()) -> Any:
    """The picture of parsed JSON: short lists and all objects are kept, long lists become a table of hashes."""
    if isinstance(value, dict):
        return {key: of_value(each, (*path, key)) for key, each in value.items() if not _is_left_out((*path, key))}
    if isinstance(value, str) and len(value) > 100:
        return f"{value[:60]}… {_hash(value)}"
    if not isinstance(value, list):
        return value
    if len(value) <= _FEW:
        return [of_value(each, path) for each in value]
    return _table([_without(each, path) for each in value])


def differences(old: Any, new: Any, tolerance: float, path: str = "") -> Iterator[str]:
    """One line for each thing that differs between two pictures, where it is and what it was."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys(), key=lambda key: (key == "rows", key)):
            where = f"{path} · {key}" if path else key
            if key not in new:
                yield f"{where}: is gone"
            elif key not in old:
                yield f"{where}: is new"
            else:
                yield from differences(old[key], new[key], tolerance, where)
    elif isinstance(old, list) and isinstance(new, list):
        each = (
            line
            for number, (one, other) in enumerate(zip(old, new, strict=False))
            for line in differences(one, other, tolerance, f"{path} · {number}")
        )
        if len(old) != len(new):
            yield f"{path}: {len(old)} before, {len(new)} now"
            # what follows the first is only in another place
            each = islice(each, 1)
        yield from each
    elif isinstance(old, float) and isinstance(new, float):
        # NaN where it was NaN is no difference
        if not math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance) and not (old != old and new != new):
            yield f"{path}: {old} before, {new} now (may be off by {tolerance:.0e})"
    elif type(old) is not type(new) or old != new:
        yield f"{path}: {_brief(old)} before, {_brief(new)} now"


def _is_left_out(path: tuple[str, ...]) -> bool:
    return path[-1] in LEFT_OUT or ".".join(path[-2:]) in LEFT_OUT


def _without(value: Any, path: tuple[str, ...]) -> Any:
    """The value without what is left out."""
    if isinstance(value, dict):
        return {key: _without(each, (*path, key)) for key, each in value.items() if not _is_left_out((*path, key))}
    return [_without(each, path) for each in value] if isinstance(value, list) else value


def _table(rows: list[Any]) -> dict[str, Any]:
    """How many rows, a hash of each field and of each row, and their floats."""
    table: dict[str, Any] = {"count": len(rows)}
    if all(isinstance(row, dict) for row in rows):
        fields = sorted({field for row in rows for field in row})
        table["fields"] = {field: _hash([_discrete(row.get(field, "absent")) for row in rows]) for field in fields}
    table["rows"] = [f"{_label(row)}{_hash(_discrete(row))}" for row in rows]
    floats = [dict(_floats(row)) for row in rows]
    return table | ({"floats": floats} if any(floats) else {})


def _label(row: Any) -> str:
    found = next((row[name] for name in _LABELS if name in row), None) if isinstance(row, dict) else None
    return "" if found is None else f"{str(found)[:40]} "


def _discrete(value: Any) -> Any:
    """The value with a mark in the place of each float."""
    if isinstance(value, dict):
        return {key: _discrete(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_discrete(each) for each in value]
    return "a float" if isinstance(value, float) else value


def _floats(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield from _floats(each, f"{path}.{key}" if path else str(key))


def _of_weights(path: Path) -> dict[str, Any]:
    """Names, types and shapes by hash; of the numbers the norm of each tensor, which training moves."""
    import torch
    from safetensors.torch import load_file

    tensors = sorted(load_file(path).items())
    # attention does not change with its keys' bias, so that it is moved by rounding alone, and Adam enlarges that
    moved = [(name, each) for name, each in tensors if not name.endswith(".key.bias")]
    shapes = [f"{name} {str(each.dtype).removeprefix('torch.')} {list(each.shape)}" for name, each in tensors]
    norms = {name: float(torch.linalg.vector_norm(each.double())) for name, each in moved}
    return {"tensors": len(tensors), "shapes": _hash(shapes), "norms": norms}


def _of_gguf(path: Path) -> dict[str, Any]:
    """Its fields and tensors; of the numbers those in full precision, which are copied, not computed."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    tensors = [
        {
            "name": each.name,
            "type": each.tensor_type.name,
            "shape": [int(size) for size in each.shape],
            "numbers": hashlib.sha256(each.data.tobytes()).hexdigest() if each.tensor_type.name == "F32" else None,
        }
        for each in reader.tensors
    ]
    return {"fields": {name: _hash(_plain(value)) for name, value in fields.items()}, "tensors": _table(tensors)}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list) else str(value)


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:100]}…"
