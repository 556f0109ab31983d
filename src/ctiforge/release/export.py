"""Exports one model: merged, then as GGUF files, each proven before anybody gets it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.records.base import File
from ctiforge.records.exported import ExportedFile, FileType, MergeReport
from ctiforge.release.gguf import ChatForm, Contents, convert, fallbacks, read_contents
from ctiforge.release.lmstudio import file_name
from ctiforge.release.merge import keep_sentencepiece, merge
from ctiforge.release.quantize import quantize
from ctiforge.release.server import serving
from ctiforge.release.tokens import Checked, RenderedPrompt, check_end, check_reading
from ctiforge.release.tools import LlamaCpp

_MERGE_PROMPTS = 8


@dataclass(frozen=True)
class SourceModel:
    """A trained model, and what must be the same after export."""

    name: str
    """What the exported files are called."""
    location: str
    """Folder or hub name."""
    load: Callable[[str], Any]
    """Loads a model in fp32 for inference, its adapter over its base."""
    tokenizer: Any
    """The model's Hugging Face tokenizer."""
    vocabulary: bytes | None
    """The base's SentencePiece file where it has one."""
    base: str | None
    """The base with its commit; None where it is none of the Hub."""
    form: ChatForm
    """What a server has to know to ask it as training did."""
    prompts: Sequence[RenderedPrompt]
    """Real prompts, as conversation and as the ids of training."""
    texts: Sequence[str]
    """Texts of the trade: articles, values, answers."""
    note: File | None
    """The content of `ctiforge.json`; None for a model that was not trained here."""
    context: int
    """Count the tokens of prompt and answer together."""


@dataclass(frozen=True)
class Exported:
    """One GGUF and what was found in it."""

    file_type: FileType
    """How its weights are rounded."""
    path: Path
    """The GGUF."""
    contents: Contents
    """What the file says of itself."""
    checked: Checked
    """How many texts and prompts it was seen to read as training does."""
    warnings: tuple[str, ...]
    """What a person should know of it, a line each."""

    def as_record(self) -> ExportedFile:
        """Summarize it for `export.json`."""
        return ExportedFile(
            file=self.path.name,
            type=self.file_type,
            bytes=self.path.stat().st_size,
            architecture=self.contents.architecture,
            pretokenizer=self.contents.pretokenizer,
            tensor_types=self.contents.tensor_types,
            texts_read_alike=self.checked.texts,
            prompts_rendered_alike=self.checked.prompts,
            warnings=self.warnings,
        )


def write_merged(source: SourceModel, folder: Path) -> MergeReport:
    """Write a model's full-precision weights, adapter merged, with tokenizer and note.

    Args:
        source: The trained model.
        folder: The folder to write, in the layout of transformers.

    Returns:
        How far the logits of what was written are from those of the source.

    Raises:
        DataError: They are further away than rounding explains (`merge.limit`).
    """
    ids = [ids for _, ids in source.prompts[:_MERGE_PROMPTS]]
    merged = merge(source.load(source.location), source.tokenizer, ids, lambda path: source.load(str(path)), folder)
    keep_sentencepiece(source.vocabulary, folder)
    if source.note:
        source.note.write(folder)
    return merged


def write_gguf(
    source: SourceModel, merged: Path, types: Sequence[FileType], out: Path, scratch: Path, llama_cpp: LlamaCpp
) -> list[Exported]:
    """Write one GGUF, `<name>-<TYPE>.gguf`, for each type, all rounded from f32.

    Args:
        source: The trained model.
        merged: Its folder as `write_merged` left it.
        types: How to round the weights.
        out: The folder for the files.
        scratch: A folder for the f32 file on the way; it is as large as the model in f32.
        llama_cpp: The tools.

    Returns:
        The files in the order of the types, each read back and checked.

    Raises:
        DataError: llama.cpp reads a text or renders a prompt otherwise than training did.
        UsageError: llama.cpp has no form for such a model.
        CannotGoOnError: The disk is full, or llama.cpp cannot quantize or serve a file.
    """
    full = scratch / "full.gguf"
    told = convert(merged, source.form, source.name, full, scratch, llama_cpp)
    remark = f"pre-tokenizer {told}: named after tokenizer.json, since llama.cpp's converter does not know it"
    exported = []
    for file_type in types:
        path = out / file_name(source.name, file_type)
        quantize(full, path, file_type, llama_cpp)
        contents = read_contents(path)
        check_end(contents, source.form)
        with serving(path, llama_cpp, context=source.context) as server:
            checked = check_reading(server, source.tokenizer, source.texts, source.prompts)
        warnings = [*([remark] if told else []), *checked.warnings, fallbacks(contents, file_type)]
        exported.append(Exported(file_type, path, contents, checked, tuple(each for each in warnings if each)))
    full.unlink()
    return exported
