"""What of a machine decides whether its GPU can be measured: the GPU, packages and their versions."""

import platform
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NEEDED = ("torch", "transformers", "accelerate", "peft", "pydantic")
"""Distributions without which nothing can be measured."""
FOR_QLORA = "bitsandbytes"
NAMED = (*NEEDED, FOR_QLORA, "tokenizers", "numpy")
"""Those whose versions change what is measured."""
PINS = Path(__file__).parents[2] / "src/ctiforge/constraints.txt"


def missing(needed: Iterable[str] = NEEDED, installed: Callable[[str], str | None] | None = None) -> str | None:
    """Say which distributions are missing and how to get them; None: none is."""
    lacking = [name for name in needed if not (installed or _installed)(name)]
    return f"missing: {', '.join(lacking)}: pip install {' '.join(lacking)}" if lacking else None


def why_no_gpu() -> str | None:
    """Say in a line why no GPU can be used; None: one can."""
    from ctiforge.errors import UsageError
    from ctiforge.training.models import pick_device

    try:
        pick_device("cuda")
    except UsageError as error:
        return f"no GPU, nothing to try: {str(error).removeprefix('--device cuda: ')}"
    return None


def versions(installed: Callable[[str], str | None] | None = None, pins: Mapping[str, str] | None = None) -> str:
    """Say the versions that there are, beside the pinned ones where they differ."""
    pinned = read_pins(PINS.read_text(encoding="utf-8")) if pins is None else pins
    told = [f"Python {platform.python_version()}"]
    for name in NAMED:
        found, pin = (installed or _installed)(name), pinned.get(name)
        differs = found and pin and found.partition("+")[0] != pin
        told.append(f"{name} {found or 'is not installed'}" + (f" (pinned: {pin})" if differs else ""))
    return ", ".join(told)


def read_pins(text: str) -> dict[str, str]:
    """Read `name==version` lines."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


class BusyTime:
    """Reads from nvidia-smi, five times a second, what share of the time a GPU computes."""

    def __init__(self, uuid: str) -> None:
        query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200")
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                ["nvidia-smi", f"--id={uuid}", *query], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            # the table has no figure there
            return

    def end(self) -> float | None:
        """Stop reading; gives the mean, 0 to 1, None where nobody says."""
        if not self._process:
            return None
        self._process.terminate()
        return mean_busy(self._process.communicate()[0])


def mean_busy(lines: str) -> float | None:
    """Average nvidia-smi's percentages, one a line; what is no number (`[N/A]`) does not count."""
    found = [int(line) for line in lines.split("\n") if line.strip().isdigit()]
    return sum(found) / len(found) / 100 if found else None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
