"""Fetches the file of a package, pinned by its hash, from the package index that pip knows."""

import subprocess
import sys
from pathlib import Path

from ctiforge.errors import CannotGoOnError


def download_package(name: str, version: str, sha256: str, kind: str, into: Path, todo: str) -> Path:
    """Fetch one file of a package, without what the package depends on.

    Args:
        name: The package's name.
        version: Its version.
        sha256: The hash of the file, in hex digits.
        kind: pip's flag for which file it is: `--only-binary=…` or `--no-binary=…`.
        into: An empty folder to put it in.
        todo: What a person should do where it cannot be fetched, with which the error ends.

    Returns:
        The file.

    Raises:
        CannotGoOnError: It cannot be fetched, or has another hash.
    """
    requirement = into / "requirement.txt"
    requirement.write_text(f"{name}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
    flags = ["--quiet", "--disable-pip-version-check", "--no-deps", kind, "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *flags, "--requirement", str(requirement), "--dest", str(into)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [path for path in into.iterdir() if path.name.endswith((".whl", ".tar.gz"))]
    if done.returncode or not found:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise CannotGoOnError(f"pip cannot fetch {name} {version}: {said[-1] if said else 'no reason given'}; {todo}")
    return found[0]
