"""The Python packages of an image as a CycloneDX document: what is installed, its license, and what needs what.

usage: python -m releasing.sbom IMAGE VERSION      to standard output; IMAGE must be on this machine's Docker engine
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LISTING = Path(__file__).parent / "installed.py"


class Package(NamedTuple):
    """A distribution as its own metadata describe it."""

    name: str
    version: str
    license: str | None
    classifiers: list[str]
    requires: list[str]


def main(arguments: list[str]) -> int:
    """Print an image's document; 1 where it cannot be looked into, 2 for another usage."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    image, version = arguments
    try:
        print(sbom(image.rpartition("/")[2].partition(":")[0].partition("@")[0], version, installed(image)))
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def installed(image: str) -> list[Package]:
    """List what is installed in an image, without network and without writing to it.

    Raises:
        RuntimeError: The image is not there, or has no Python.
    """
    command = ["docker", "run", "--rm", "--interactive", "--network", "none", "--read-only"]
    listing = LISTING.read_text(encoding="utf-8")
    done = subprocess.run(
        [*command, "--entrypoint", "python", image, "-"], input=listing, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{image} does not say what is installed in it: {done.stderr.strip()[-300:]}")
    return [Package(**json.loads(line)) for line in done.stdout.splitlines()]


def sbom(name: str, version: str, packages: list[Package]) -> str:
    """Describe an image's Python packages, as CycloneDX 1.6 in JSON.

    Args:
        name: The image's name, without registry and tag.
        version: Of the image.
        packages: What is installed; a name that is found twice counts once.
    """
    image = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=f"{name}:{version}")
    components: dict[str, Component] = {canonicalize_name(each.name): _component(each) for each in packages}
    bom = Bom(components=components.values())
    bom.metadata.component = image
    bom.register_dependency(image, components.values())
    for each in packages:
        needed = [components[other] for other in sorted(_needed(each) & set(components))]
        bom.register_dependency(components[canonicalize_name(each.name)], needed)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def _component(package: Package) -> Component:
    purl = PackageURL("pypi", name=canonicalize_name(package.name), version=package.version)
    return Component(
        name=package.name, version=package.version, purl=purl, bom_ref=str(purl), licenses=_licenses(package)
    )


def _licenses(package: Package) -> list[Any]:
    """An expression or a name where there is one; a whole license text is not taken for a name."""
    told = (package.license or "").strip()
    if told not in ("", "UNKNOWN") and "\n" not in told and len(told) <= 100:
        return [LicenseFactory().make_from_string(told)]
    return [DisjunctiveLicense(name=text.rpartition(" :: ")[2]) for text in package.classifiers]


def _needed(package: Package) -> set[str]:
    """The names that a package asks for on this platform; extras are asked for by somebody else."""
    asked = [Requirement(text) for text in package.requires]
    return {canonicalize_name(each.name) for each in asked if not each.marker or each.marker.evaluate({"extra": ""})}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
