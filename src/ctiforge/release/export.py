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
    location: str
    """Folder or hub name."""
    load: Callable[[str], Any]
    """Loads a model in fp32 for inference, its adapter over its base."""
    tokenizer: Any
    vocabulary: str | None
    """The base's SentencePiece file where it has one."""
    form: ChatForm
    prompts: Sequence[RenderedPrompt]
    """Real prompts, as conversation and as the ids of training."""
    texts: Sequence[str]
    """Texts of the trade: articles, values, answers."""
    note: File | None
    """The content of `ctiforge.json`; None for a model that was not trained here."""
    context: int
    """Tokens of prompt and answer together."""


@dataclass(frozen=True)
class Exported:
    """One GGUF and what was found in it."""

    file_type: FileType
    path: Path
    contents: Contents
    checked: Checked
    warnings: tuple[str, ...]

    def as_record(self) -> ExportedFile:
        """Give what `export.json` says of it."""
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
    """Write full-precision weights, tokenizer and note; DataError where the logits are not those of the source."""
    ids = [ids for _, ids in source.prompts[:_MERGE_PROMPTS]]
    merged = merge(source.load(source.location), source.tokenizer, ids, lambda path: source.load(str(path)), folder)
    keep_sentencepiece(source.vocabulary, folder)
    if source.note:
        source.note.write(folder)
    return merged


def write_gguf(
    source: SourceModel, merged: Path, types: Sequence[FileType], out: Path, scratch: Path, llama_cpp: LlamaCpp
) -> list[Exported]:
    """Write `name-TYPE.gguf` into `out` for each type, all rounded from f32.

    Raises DataError where llama.cpp reads a text or renders a prompt otherwise than training did.
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
