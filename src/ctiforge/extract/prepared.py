"""What preparation fixed and a model must be used with: format, prompt, types and window sizes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.extract.examples import WindowSizes
from ctiforge.extract.rendering import Format

FILE_NAME = "ctiforge.json"
"""Beside a trained model's weights: everything that inference must repeat."""


@dataclass(frozen=True)
class Usage:
    """How a model is asked: the same in training, evaluation, inference and export."""

    text_format: Format
    prompt_version: str
    types: tuple[str, ...]
    sizes: WindowSizes

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def usage_of_model(folder: Path) -> Usage | None:
    """How a trained model's folder says it is to be asked; None where it does not say."""
    file = folder / FILE_NAME
    if not file.is_file():
        return None
    raw = json.loads(file.read_text(encoding="utf-8"))["usage"]
    return Usage(raw["text_format"], raw["prompt_version"], tuple(raw["types"]), WindowSizes(**raw["sizes"]))


def usage_of_data(folder: Path) -> Usage:
    """How the examples of a format artifact were cut; UsageError where the folder is no such artifact."""
    raw = read_description(folder)
    return Usage(raw["format"], raw["prompt_version"], tuple(raw["types"]), WindowSizes(**raw["sizes"]))


def read_description(folder: Path) -> dict[str, Any]:
    """The content of `format.json`; UsageError where the folder has none."""
    file = folder / "format.json"
    if not file.is_file():
        raise UsageError(f"{folder} holds no format.json: give the output folder of format_extract")
    description: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return description
