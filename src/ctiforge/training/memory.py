"""What a training run needs of this machine's memory and disk, and what is free."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch

from ctiforge.errors import CannotGoOnError

SCRATCH_LIMIT = "CTIFORGE_SCRATCH_LIMIT"
"""What the scratch volume may hold, as Kubernetes writes it (`20Gi`): an emptyDir does not know its own limit."""
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def tensor_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Count the bytes of all elements."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def free_memory() -> int | None:
    """Read how many bytes this process may still take of machine and container; None where nobody says (no Linux)."""
    if not _MEMINFO.exists():
        return None
    fields = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
    of_machine = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        cached = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):
        # no container, or one without a limit ("max")
        return of_machine
    return min(of_machine, limit - used + int(cached))


def check_disk(scratch: Path, store: Path | None, weights: int) -> None:
    """Raise CannotGoOnError when the disk cannot hold what training `weights` bytes of parameters writes.

    That is a checkpoint being written and one being read, each of weights, two moments of AdamW and
    the best weights, and the model that comes out; and where the store is a folder of the same
    disk, the two checkpoints that it keeps and the one that is to come.
    """
    same_disk = store is not None and store.stat().st_dev == scratch.stat().st_dev
    needed = weights * (4 * (5 if same_disk else 2) + 1)
    free = free_disk(scratch)
    if free < needed:
        raise CannotGoOnError(
            f"{scratch}: training writes up to {needed / 1e9:.1f} GB of checkpoints, and {free / 1e9:.1f} GB are free: "
            "free some space, enlarge the volume, or name another folder with CTIFORGE_SCRATCH"
        )


def free_disk(scratch: Path) -> int:
    """Read how much more may be written into a scratch folder.

    Args:
        scratch: The folder; it must exist.

    Returns:
        Bytes: those free on its disk, or left of the limit that CTIFORGE_SCRATCH_LIMIT names, if that is less.
    """
    free = shutil.disk_usage(scratch).free
    limit = os.environ.get(SCRATCH_LIMIT)
    if not limit:
        return free
    volume = next(folder for folder in (scratch, *scratch.parents) if folder.is_mount())
    return min(free, _bytes(limit) - sum(path.stat().st_size for path in volume.rglob("*") if path.is_file()))


def _bytes(quantity: str) -> int:
    unit = next((unit for unit in _UNITS if quantity.endswith(unit)), "")
    return int(float(quantity.removesuffix(unit)) * _UNITS.get(unit, 1))
