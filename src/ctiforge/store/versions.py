"""The versions of packages that enter a fingerprint: those of this machine, or those that images are built with."""

import os
from functools import cache
from importlib import metadata
from importlib.resources import files

from ctiforge.store.fingerprint import public_version

VERSIONS_VARIABLE = "CTIFORGE_VERSIONS"
"""`image` where a plan is for an image, not for this machine."""


def package_version(name: str) -> str:
    """Look up the public version of a distribution.

    Args:
        name: The distribution's name, like `torch`.

    Returns:
        The installed version, else the one that images are built with, else "absent"; with
        CTIFORGE_VERSIONS=image the one of images goes first.
    """
    pinned = pinned_versions().get(_canonical(name))
    if pinned and os.environ.get(VERSIONS_VARIABLE) == "image":
        return pinned
    try:
        return public_version(metadata.version(name))
    except metadata.PackageNotFoundError:
        return pinned or "absent"


@cache
def pinned_versions() -> dict[str, str]:
    """Read the version of every distribution that images are built with, from the package's `constraints.txt`."""
    return read_pins(files("ctiforge").joinpath("constraints.txt").read_text(encoding="utf-8"))


def read_pins(text: str) -> dict[str, str]:
    """Read the lines `name==version` of a constraints file into each distribution's public version."""
    lines = (line.partition("#")[0].partition(";")[0].strip() for line in text.splitlines())
    pins = (line.split("==") for line in lines if line.count("==") == 1)
    return {_canonical(name.strip()): public_version(version.strip()) for name, version in pins}


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
