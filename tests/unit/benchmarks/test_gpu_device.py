"""What is asked of torch about a GPU, on a machine that has none: torch's answers are made up."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.gpu import device as device_module
from benchmarks.gpu.device import GIB, Gpu


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Each question with its device; the GPU is an H200."""
    answers = {
        "get_device_properties": SimpleNamespace(
            name="NVIDIA H200", total_memory=140 * GIB, major=9, minor=0, uuid="5b1f"
        ),
        "get_device_capability": (9, 0),
        "mem_get_info": (100 * GIB, 140 * GIB),
        "max_memory_allocated": 3 * GIB,
        "synchronize": None,
        "reset_peak_memory_stats": None,
    }
    seen: list[tuple[str, Any]] = []
    for name, answer in answers.items():

        def answered(device: Any, name: str = name, answer: Any = answer) -> Any:
            seen.append((name, device))
            return answer

        # as the originals: a name that torch lacks is an error here
        monkeypatch.setattr(torch.cuda, name, answered, raising=True)
    return seen


def test_a_gpu_is_described_and_measured(asked: list[tuple[str, Any]]) -> None:
    gpu = Gpu()
    assert gpu.describe().startswith("NVIDIA H200, 140 GiB, compute capability 9.0, CUDA ")
    assert (gpu.free(), gpu.peak()) == (100 * GIB, 3 * GIB)
    assert gpu.kind.best is torch.bfloat16
    gpu.finish()
    gpu.begin_peak()
    assert [name for name, _ in asked][-2:] == ["synchronize", "reset_peak_memory_stats"]
    assert {device for _, device in asked} == {torch.device("cuda", 0)}


@pytest.mark.usefixtures("asked")
def test_its_business_is_asked_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "ask_nvidia_smi", lambda uuid: "70" if uuid == "GPU-5b1f" else "")
    assert Gpu().watch().end() == 0.7
