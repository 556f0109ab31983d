"""What a GPU's own failure looks like, which everything after it shares, and what is only memory that ran out."""

import re

from ctiforge.errors import CannotGoOnError

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|\w+_STATUS_ALLOC_FAILED", re.IGNORECASE)
_FAULT = re.compile(
    r"\b(?:CUDA|HIP|XPU|NCCL|Triton|cuDNN|cuBLAS(?:Lt)?|cuFFT|MPS|Metal) (?:driver |backend |kernel |runtime )*"
    r"(?:error|fail\w*|fault)"
    r"|\b(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT|HIPBLAS|ROCBLAS|MIOPEN)_STATUS_\w+"
    r"|device-side assert|illegal memory access|unspecified launch failure|uncorrectable ECC|MTLCommandBuffer"
    r"|CUDA-capable device|no kernel image|hipError\w+|cudaError\w+"
    # what sampling says of weights or a device that no longer compute numbers
    r"|probability tensor contains either",
    re.IGNORECASE,
)


def check_device(error: Exception) -> None:
    """Refuse to go on after an error that says the device itself has failed, not one text on it.

    After such a fault every later answer of the process fails too, or is wrong. Memory that ran out is none.

    Args:
        error: What was raised while a model computed.

    Raises:
        CannotGoOnError: It is such a fault.
    """
    if not is_device_fault(error):
        return
    raise CannotGoOnError(
        f"the device failed, so that nothing it computes counts: {first_line(error)}. "
        "Look at it (nvidia-smi, the driver's log), or use another machine or --device cpu, and run the same again"
    ) from error


def no_numbers(who: str) -> CannotGoOnError:
    """Word the error of a model that computes inf or nan, in place of an answer that looks like any other.

    Args:
        who: What computes them.

    Returns:
        The error to raise.
    """
    return CannotGoOnError(
        f"{who} computes no numbers (its probabilities are inf or nan), so that nothing it answers counts: "
        "its weights are broken, or the device is; evaluate another checkpoint, or on another machine"
    )


def is_device_fault(error: Exception) -> bool:
    """Tell whether an error is a device's own.

    Args:
        error: What was raised while a model computed.

    Returns:
        True for faults of CUDA, ROCm, MPS and their libraries, and for probabilities that are no numbers; False for
        memory that ran out, which a smaller batch may mend, and for everything else.
    """
    if is_out_of_memory(error):
        return False
    # torch.AcceleratorError, by its name: rules fail without torch
    named = any(kind.__name__ == "AcceleratorError" for kind in type(error).__mro__)
    return named or (isinstance(error, RuntimeError) and _FAULT.search(str(error)) is not None)


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out, of the device or of the machine.

    Args:
        error: What was raised while a model computed.

    Returns:
        True for `torch.OutOfMemoryError` and `MemoryError`, and for what libraries raise in their place.
    """
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None


def first_line(error: Exception) -> str:
    """Name an error in one line.

    Args:
        error: Any error.

    Returns:
        Its class and at most 200 characters of its first line.
    """
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
