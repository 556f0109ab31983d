"""What of a machine decides whether its GPU can be measured: the GPU, packages and their versions."""

import platform
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Event, Thread

NEEDED = ("torch", "transformers", "accelerate", "peft", "pydantic")
"""Distributions without which nothing can be measured."""
FOR_QLORA = "bitsandbytes"
NAMED = (*NEEDED, FOR_QLORA, "tokenizers", "numpy")
"""Those whose versions change what is measured."""
LOOK_S = 0.2
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
    """Asks beside the work, several times a second, what share of the time a GPU computes."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._said: list[str] = []
        self._is_over = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> float | None:
        """Stop asking; gives the mean, 0 to 1, None where nobody says."""
        self._is_over.set()
        self._thread.join()
        return mean_busy(self._said)

    def _look(self) -> None:
        self._said.append(self._ask())
        while not self._is_over.wait(LOOK_S):
            self._said.append(self._ask())


def ask_nvidia_smi(uuid: str) -> str:
    """Ask for the percentage of the last moments; empty where there is no such program."""
    query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
    try:
        return subprocess.run(["nvidia-smi", f"--id={uuid}", *query], capture_output=True, text=True).stdout
    except OSError:
        return ""


def mean_busy(said: Iterable[str]) -> float | None:
    """Average nvidia-smi's percentages; what is no number (`[N/A]`) does not count."""
    found = [int(each) for each in said if each.strip().isdigit()]
    return sum(found) / len(found) / 100 if found else None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
