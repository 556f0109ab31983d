"""The GPU that is measured: its clock, its memory and its business, in one place that tests can stand in for."""

from functools import partial

import torch

from benchmarks.gpu.machine import BusyTime, ask_nvidia_smi
from ctiforge.training.numerics import ComputeDevice
from ctiforge.training.resumable import free_gpu_memory

GIB = 2**30


class Gpu:
    """The first visible GPU."""

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", 0)

    @property
    def kind(self) -> ComputeDevice:
        return ComputeDevice.of(self.device)

    def describe(self) -> str:
        found = torch.cuda.get_device_properties(self.device)
        return (
            f"{found.name}, {found.total_memory / GIB:.0f} GiB, compute capability {found.major}.{found.minor}, "
            f"CUDA {torch.version.cuda}"
        )

    def free(self) -> int:
        """Give back what no tensor uses, and read how many bytes are free."""
        free_gpu_memory()
        return int(torch.cuda.mem_get_info(self.device)[0])

    def finish(self) -> None:
        """Wait until everything is computed that was asked for."""
        torch.cuda.synchronize(self.device)

    def begin_peak(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int:
        """Read the bytes that tensors took at most."""
        return int(torch.cuda.max_memory_allocated(self.device))

    def watch(self) -> BusyTime:
        return BusyTime(partial(ask_nvidia_smi, f"GPU-{torch.cuda.get_device_properties(self.device).uuid}"))
