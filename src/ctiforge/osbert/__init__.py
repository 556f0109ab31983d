"""OS-BERT: which operating system an article is about; prepare, train, evaluate, detect."""

from importlib import import_module
from typing import Any

__all__ = ["OSDetectionService"]


def __getattr__(name: str) -> Any:
    # only who uses the service waits for torch
    if name == "OSDetectionService":
        return import_module("ctiforge.osbert.service").OSDetectionService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
