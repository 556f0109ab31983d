import pytest
import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.training.faults import check_device, first_line, is_device_fault, is_out_of_memory

FAULTS = (
    "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported",
    "CUDA error: device-side assert triggered",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "CUDA driver error: unknown error",
    "HIP error: invalid device function",
    "Triton Error [CUDA]: device kernel image is invalid",
    "NCCL error in: ProcessGroupNCCL.cpp",
    "MPS backend error: command buffer exited",
    "no kernel image is available for execution on the device",
    "probability tensor contains either `inf`, `nan` or element < 0",
)
MEMORY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "CUDA error: out of memory",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "MPS backend out of memory (MPS allocated: 18 GB)",
    "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory",
)
NEITHER = (
    "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
    "The size of tensor a (5) must match the size of tensor b (7)",
    "kernel failed",
)


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_of_the_device_ends_the_work_and_says_what_to_do(text: str) -> None:
    with pytest.raises(CannotGoOnError, match=r"the device failed.*use another machine") as ended:
        check_device(RuntimeError(text))
    assert text.splitlines()[0] in str(ended.value)
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize("text", MEMORY)
def test_memory_that_ran_out_is_no_fault(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))
    check_device(RuntimeError(text))


@pytest.mark.parametrize("text", NEITHER)
def test_an_error_of_one_batch_is_neither(text: str) -> None:
    assert not is_device_fault(RuntimeError(text))
    assert not is_out_of_memory(RuntimeError(text))


def test_errors_are_told_by_their_class_too() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("anything"))
    assert is_out_of_memory(MemoryError())
    assert is_device_fault(torch.AcceleratorError("anything"))
    # what only quotes one is none
    assert not is_device_fault(ValueError("the article says: CUDA error: unknown"))


def test_an_error_is_named_in_one_line() -> None:
    assert first_line(ValueError(f"{'x' * 300}\nmore")) == f"ValueError: {'x' * 200}"
    assert first_line(KeyError()) == "KeyError"
