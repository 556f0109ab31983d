"""A LoRA as a GGUF of its own, which llama.cpp applies over a GGUF of its base."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import DataError, UsageError
from ctiforge.records.exported import Dtype, ExportedFile
from ctiforge.release.gguf import read_contents
from ctiforge.release.tools import LORA_SCRIPT, LlamaCpp

# a card beside them would name itself, and its base by a path
_FILES = ("adapter_config.json", "adapter_model.safetensors")


def write_adapter(
    adapter: Path, base: Path, dtype: Dtype, facts: Mapping[str, str | int], out: Path, llama_cpp: LlamaCpp
) -> ExportedFile:
    """Write a LoRA as `out`.

    Args:
        adapter: The adapter's folder.
        base: The folder of its base, of which only the configuration is read.
        dtype: The type to write.
        facts: Further keys of the file's metadata: name, license, base, version.
        out: The file.
        llama_cpp: The tools.

    Returns:
        What the file holds; nobody has looked how it answers.

    Raises:
        UsageError: llama.cpp's converter of adapters is missing, or has no form for this one.
        DataError: Weights of the adapter are not in the file.
    """
    from safetensors import safe_open

    script = llama_cpp.converter / LORA_SCRIPT
    if not script.is_file():
        raise UsageError(f"{llama_cpp.converter} has no {LORA_SCRIPT}: remove that folder, and it is fetched again")
    with TemporaryDirectory(dir=out.parent) as scratch:
        told, source = Path(scratch) / "told.json", Path(scratch) / "adapter"
        told.write_text(json.dumps({"script": str(script), "facts": dict(facts)}), encoding="utf-8")
        source.mkdir()
        for name in _FILES:
            (source / name).symlink_to((adapter / name).absolute())
        command = [sys.executable, "-m", "ctiforge.release.convert", str(llama_cpp.converter), str(told), str(source)]
        command += ["--base", str(base), "--outfile", str(out), "--outtype", dtype]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode or not out.is_file():
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
        raise UsageError(f"llama.cpp cannot convert this adapter: {last[:300]}")
    contents = read_contents(out)
    found = sum(contents.tensor_types.values())
    with safe_open(adapter / _FILES[1], framework="numpy") as file:
        expected = len(list(file.keys()))
    if found != expected:
        raise DataError(f"the adapter holds {expected} weights, and its GGUF {found}: export it merged instead")
    return ExportedFile(
        file=out.name,
        type=dtype,
        bytes=out.stat().st_size,
        architecture=contents.architecture,
        pretokenizer=contents.pretokenizer,
        tensor_types=contents.tensor_types,
        texts_read_alike=0,
        prompts_rendered_alike=0,
        warnings=(
            f"an adapter is served over a GGUF of its base (llama-server -m BASE.gguf --lora {out.name}): nobody has "
            "looked how the two answer together",
        ),
    )
