"""The vocabulary of the Extract Agent: what an observable is, its canonical form, where it stands in a text."""

from ctiforge.observables.types import PLATFORMS, TYPES, Observable

__all__ = ["PLATFORMS", "TYPES", "Observable"]
