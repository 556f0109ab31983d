"""A GPU that is none: a CPU that computes in what a GPU would, so that every branch of the benchmark is taken here."""

from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks.gpu.shapes import Shape
from ctiforge.records.model_note import AgentUsage, WindowSizes
from ctiforge.training.numerics import ComputeDevice

TINY = Shape("tiny", 64, 160, 2, 4, 2, vocab_size=2_048, max_position_embeddings=1_024)
SIZES: tuple[dict[str, Any], dict[str, Any]] = (
    {"length": 32},
    {"usage": AgentUsage("messages", "short-v1", ("cmdline",), WindowSizes(140, 60, 0)), "together": 2},
)


@dataclass
class Pretended:
    """Stands in for `benchmarks.gpu.device.Gpu`."""

    room: int = 2**33
    busy: list[float | None] = field(default_factory=lambda: [0.5])
    device = torch.device("cpu")
    kind = ComputeDevice("cuda", 9)

    def describe(self) -> str:
        return "a pretended GPU"

    def free(self) -> int:
        return self.room

    def finish(self) -> None:
        pass

    def begin_peak(self) -> None:
        pass

    def peak(self) -> int:
        return 2**30

    def watch(self) -> "Pretended":
        return self

    def end(self) -> float | None:
        return self.busy[0]
