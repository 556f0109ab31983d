"""What an export needs of memory and disk, computed from the sizes of its files before anything is written."""

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ctiforge.errors import CannotGoOnError
from ctiforge.records.exported import Dtype, FileType
from ctiforge.release.weights import BYTES, Weights

SMALL = 1_000_000_000
"""Weights up to which a model is loaded in fp32 to compare logits, and answers a whole test set."""

# bits a weight of a GGUF, with what its scales take
_BITS: dict[FileType, float] = {
    "f32": 32, "bf16": 16, "f16": 16, "q8_0": 8.5, "q6_k": 6.6, "q5_k_m": 5.8, "q4_k_m": 5.0,
}  # fmt: skip
# the interpreter with torch and transformers; the converter loads them once more, in a process of its own
_PROCESS = 900_000_000


@dataclass(frozen=True)
class Room:
    """Bytes that an export takes at most."""

    memory: int
    """In the largest of its processes, files that it maps included."""
    scratch: int
    """In the scratch folder."""
    out: int
    """Of what it leaves."""


def room_for(
    weights: Weights, dtype: Dtype, types: Sequence[FileType], *, rewritten: bool, compared: bool, answered: bool
) -> Room:
    """Compute what an export needs.

    Args:
        weights: The checkpoint's weights.
        dtype: The type that they are written in.
        types: The GGUF files; none: the merged model is what comes out.
        rewritten: Whether the weights change: an adapter is merged, or their type is another.
        compared: Whether the logits of both are compared in fp32.
        answered: Whether the source answers a test set.

    Returns:
        Bytes, rounded up by what the processes themselves take.
    """
    own, new = BYTES[weights.dtype], BYTES[dtype]
    merging = (own + new) * weights.largest_shard + 12 * weights.largest_tensor if rewritten else 0
    comparing = (own + 4) * weights.count if compared else 0
    files = [int(weights.count * _BITS[each] / 8) for each in types]
    converting = new * weights.largest_shard + 12 * weights.largest_tensor if types else 0
    quantizing = max((new * weights.count + size for size in files), default=0)
    answering = (4 if weights.count <= SMALL else new) * weights.count if answered else 0
    merged = new * weights.count if rewritten else 0
    full = new * weights.count
    return Room(
        memory=_PROCESS + max(merging, comparing, converting, quantizing, answering),
        scratch=merged + full if types else 0,
        out=sum(files) if types else full,
    )


def check_room(name: str, needed: Room, memory: int | None, disk: int) -> str:
    """Refuse an export that has no room.

    Args:
        name: What is exported.
        needed: What it needs.
        memory: Bytes that are free; None where nobody can say.
        disk: Bytes that are free where it works.

    Returns:
        What it will take, in a line.

    Raises:
        CannotGoOnError: There is less memory or disk than it needs.
    """
    on_disk = needed.scratch + needed.out
    said = (
        f"{name}: at most {needed.memory / 1e9:.1f} GB of memory, {needed.scratch / 1e9:.1f} GB of scratch, "
        f"{needed.out / 1e9:.1f} GB of files"
    )
    if memory is not None and memory < needed.memory:
        raise CannotGoOnError(f"{said}; {memory / 1e9:.1f} GB of memory are free: use a machine with more")
    if disk < on_disk:
        raise CannotGoOnError(
            f"{said}; {disk / 1e9:.1f} GB of disk are free: free some space, or name another folder with "
            "CTIFORGE_SCRATCH"
        )
    return said


def peak_memory() -> int:
    """Read the most bytes that this process, or any that it started, has held at once.

    Returns:
        Bytes, files that were mapped included.
    """
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most if sys.platform == "darwin" else most * 1024
