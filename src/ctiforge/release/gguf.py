"""A folder of transformers as a GGUF: laid out for llama.cpp's converter, converted, and read back."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.records.exported import Dtype, FileType
from ctiforge.release.pretokenizers import find_pretokenizer
from ctiforge.release.tools import LlamaCpp

# What each file type should be made of; anything else in it is llama.cpp's fallback.
_EXPECTED = {
    "f32": {"F32"},
    "f16": {"F16", "F32"},
    "bf16": {"BF16", "F32"},
    "q8_0": {"Q8_0", "F32"},
    "q6_k": {"Q6_K", "F32"},
    "q5_k_m": {"Q5_K", "Q6_K", "F32"},
    "q4_k_m": {"Q4_K", "Q6_K", "F32"},
}


@dataclass(frozen=True)
class ChatForm:
    """What a server has to know to ask a model as training did."""

    template: str
    """Jinja over `messages`."""
    opened: bool
    """Whether every prompt is opened by the begin token."""
    end: int
    """The id of the token that ends an answer."""
    spaced: bool | None = None
    """Whether a word right behind a special token gets SentencePiece's space; None without SentencePiece."""


@dataclass(frozen=True)
class Contents:
    """What a GGUF says of itself."""

    architecture: str
    pretokenizer: str
    ends: tuple[int, ...]
    """Ids that end an answer: end of sequence, end of turn."""
    template: str
    tensor_types: dict[str, int]
    """How many tensors are of each type."""


@dataclass(frozen=True)
class Conversion:
    """What a GGUF is made of, and how."""

    model: Path
    """The folder of the full-precision model."""
    form: ChatForm
    """How it is asked."""
    name: str
    """What the file calls itself."""
    dtype: Dtype
    """The type of its weights."""
    facts: Mapping[str, str | int]
    """Further keys of its metadata: license, base, version."""


def convert(
    wanted: Conversion, out: Path, scratch: Path, llama_cpp: LlamaCpp, instead: str | None = None
) -> str | None:
    """Write the full-precision model of a folder as the GGUF `out`.

    The pre-tokenizer is the converter's own, or `instead`. Returns its name where the converter does not know the
    tokenizer and it was told by ours. Raises UsageError for a model that llama.cpp has no form for.
    """
    source = _lay_out(wanted.model, wanted.form, scratch / "source")
    pretokenizer = instead or own_pretokenizer(wanted.model)
    eos = _read(source / "config.json").get("eos_token_id")
    told = scratch / "told.json"
    end = None if wanted.form.end == eos else wanted.form.end
    words = {"pretokenizer": pretokenizer, "instead": instead is not None, "end": end, "facts": dict(wanted.facts)}
    told.write_text(json.dumps(words), encoding="utf-8")
    command = [sys.executable, "-m", "ctiforge.release.convert", str(llama_cpp.converter), str(told), str(source)]
    command += ["--outfile", str(out), "--outtype", wanted.dtype, "--model-name", wanted.name]
    # it would ask the hub about a local folder
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    if done.returncode or not out.is_file():
        raise _explain(done.stderr, pretokenizer)
    return pretokenizer if "pre-tokenizer was not recognized" in done.stderr else None


def own_pretokenizer(model: Path) -> str | None:
    """Find llama.cpp's name for how the tokenizer of a folder splits text; None where it has none."""
    return find_pretokenizer(_read(model / "tokenizer.json"))


def read_contents(gguf: Path) -> Contents:
    """Read the metadata and tensor types that matter here."""
    from gguf import GGUFReader

    reader = GGUFReader(gguf)

    def value(key: str) -> Any:
        field = reader.get_field(key)
        return field.contents() if field else None

    ends = (value("tokenizer.ggml.eos_token_id"), value("tokenizer.ggml.eot_token_id"))
    return Contents(
        architecture=str(value("general.architecture")),
        pretokenizer=str(value("tokenizer.ggml.pre") or value("tokenizer.ggml.model")),
        ends=tuple(int(each) for each in ends if each is not None),
        template=str(value("tokenizer.chat_template") or ""),
        tensor_types=dict(Counter(tensor.tensor_type.name for tensor in reader.tensors).most_common()),
    )


def fallbacks(contents: Contents, file_type: FileType) -> str | None:
    """Word a warning where tensors are of another type than the file's name says."""
    others = {name: n for name, n in contents.tensor_types.items() if name not in _EXPECTED[file_type]}
    if not others:
        return None
    listed = ", ".join(f"{n} {name}" for name, n in others.items())
    return (
        f"{file_type}: {listed} of {sum(contents.tensor_types.values())} tensors are of another type, "
        "since their rows are no multiple of 256"
    )


def _lay_out(model: Path, form: ChatForm, into: Path) -> Path:
    """Lay out the model's files by link, its tokenizer's with the chat form that the GGUF shall hold."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for file in model.iterdir():
        # a card is that of the base
        if file.is_file() and file.name not in ("tokenizer_config.json", "chat_template.jinja", "README.md"):
            (into / file.name).symlink_to(file.absolute())
    settings = _read(model / "tokenizer_config.json")
    settings.pop("chat_template", None)
    settings |= {"add_bos_token": form.opened, "add_eos_token": False}
    if form.spaced is not None:
        settings["add_prefix_space"] = form.spaced
    (into / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (into / "chat_template.jinja").write_text(form.template, encoding="utf-8")
    return into


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _explain(said: str, pretokenizer: str | None) -> Exception:
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason given")
    if "No space left on device" in said:
        return CannotGoOnError("the disk is full while the GGUF is written: free some space and run it again")
    if "pre-tokenizer was not recognized" in said and not pretokenizer:
        return UsageError(
            "llama.cpp has no name for how this tokenizer splits text (pre_tokenizer of tokenizer.json), and another "
            "one would give wrong tokens: serve the merged model instead (--format merged)"
        )
    return UsageError(f"llama.cpp cannot convert this model: {last[:300]}")
