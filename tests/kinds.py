"""Every file that `ctiforge.records` has a model of."""

import importlib
import pkgutil
from collections.abc import Iterator

from ctiforge import records
from ctiforge.records.base import File


def kinds() -> list[type[File]]:
    """The models, by name."""
    for module in pkgutil.iter_modules(records.__path__):
        importlib.import_module(f"ctiforge.records.{module.name}")
    found = {kind for kind in _below(File) if kind.__module__.startswith("ctiforge.records.")}
    return sorted(found, key=lambda kind: kind.__name__)


def _below(kind: type[File]) -> Iterator[type[File]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
