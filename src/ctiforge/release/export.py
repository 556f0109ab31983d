"""Exports one model: merged, then as GGUF files, each proven before anybody gets it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.errors import DataError
from ctiforge.records.base import File
from ctiforge.records.exported import Dtype, ExportedFile, FileType, MergeReport
from ctiforge.release.gguf import ChatForm, Contents, Conversion, convert, fallbacks, own_pretokenizer, read_contents
from ctiforge.release.lmstudio import file_name
from ctiforge.release.merge import compare_logits, copy_weights, keep_sentencepiece, merge_shards
from ctiforge.release.quantize import quantize
from ctiforge.release.room import SMALL
from ctiforge.release.server import serving
from ctiforge.release.tokens import Checked, RenderedPrompt, check_end, check_reading
from ctiforge.release.tools import LlamaCpp
from ctiforge.release.weights import Weights

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
    weights: Weights
    """What the weights of `base_folder` are."""
    base_folder: Path
    """The folder of full-precision weights: the base of an adapter, else the model itself."""
    adapter: Path | None
    """The folder of the adapter that is merged into them."""
    tokenizer: Any
    """The model's Hugging Face tokenizer."""
    vocabulary: bytes | None
    """The base's SentencePiece file where it has one."""
    base: str | None
    """The base with its commit; None where it is none of the Hub."""
    license: str | None
    """Of the weights; None where nobody names it."""
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
    facts: Mapping[str, str | int]
    """What a GGUF says of its origin, by the keys of its metadata."""

    def rewritten(self, dtype: Dtype) -> bool:
        """Tell whether the weights change when they are written.

        Args:
            dtype: The type that they are written in.

        Returns:
            True where an adapter is merged, or some weights are of another type.
        """
        return self.adapter is not None or not self.weights.uniform or dtype != self.weights.dtype


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


def write_merged(source: SourceModel, dtype: Dtype, folder: Path, *, links: bool) -> MergeReport:
    """Write a model's full-precision weights, adapter merged, with tokenizer and note.

    Args:
        source: The trained model.
        dtype: The type of the weights that are written.
        folder: The folder to write, in the layout of transformers.
        links: Whether weights that do not change are linked instead of copied.

    Returns:
        How far what was written is from its source. Up to `room.SMALL` weights logits are compared, beyond it a
        sample of the weights alone; neither where the weights are the checkpoint's own.

    Raises:
        DataError: They are further away than rounding explains (`merge.limit`).
        UsageError: The adapter is more than a plain LoRA.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source.tokenizer.save_pretrained(folder)
    keep_sentencepiece(source.vocabulary, folder)
    if source.note:
        source.note.write(folder)
    if not source.rewritten(dtype):
        copy_weights(source.base_folder, folder, links=links)
        return MergeReport(adapter=False, dtype=dtype)
    merged = merge_shards(source.base_folder, source.adapter, dtype, folder)
    difference = largest = None
    if source.weights.count <= SMALL:
        ids = [ids for _, ids in source.prompts[:_MERGE_PROMPTS]]
        difference, largest = compare_logits(
            lambda: source.load(source.location), lambda: source.load(str(folder)), ids, dtype
        )
    return MergeReport(
        adapter=source.adapter is not None,
        dtype=dtype,
        largest_difference=difference,
        largest_logit=largest,
        weights_compared=merged.compared,
        largest_weight_difference=merged.largest,
    )


def write_gguf(
    source: SourceModel,
    merged: Path,
    dtype: Dtype,
    types: Sequence[FileType],
    out: Path,
    scratch: Path,
    llama_cpp: LlamaCpp,
) -> tuple[list[Exported], int]:
    """Write one GGUF, `<name>-<TYPE>.gguf`, for each type, all rounded from one file of full precision.

    Where llama.cpp reads texts otherwise than training with the pre-tokenizer that its converter names, the one that
    `tokenizer.json` itself describes is tried.

    Args:
        source: The trained model.
        merged: Its folder as `write_merged` left it.
        dtype: The type of the weights there.
        types: How to round the weights.
        out: The folder for the files.
        scratch: A folder for the full file on the way, which is as large as the model.
        llama_cpp: The tools.

    Returns:
        The files in the order of the types, each read back and checked, and the bytes of the full one.

    Raises:
        DataError: llama.cpp reads a text or renders a prompt otherwise than training did.
        UsageError: llama.cpp has no form for such a model.
        CannotGoOnError: The disk is full, or llama.cpp cannot quantize or serve a file.
    """
    full = scratch / "full.gguf"
    wanted = Conversion(merged, source.form, source.name, dtype, source.facts)
    told = convert(wanted, full, scratch, llama_cpp)
    remark = f"pre-tokenizer {told}: named after tokenizer.json, since llama.cpp's converter does not know it"
    remarks = [remark] if told else []
    try:
        exported = [_write_one(source, full, dtype, types[0], out, remarks, llama_cpp)]
    except DataError:
        theirs, own = read_contents(full).pretokenizer, own_pretokenizer(merged)
        if own is None or own == theirs:
            raise
        convert(wanted, full, scratch, llama_cpp, instead=own)
        remarks = [f"pre-tokenizer {own}: named after tokenizer.json; with the converter's {theirs} texts differed"]
        exported = [_write_one(source, full, dtype, types[0], out, remarks, llama_cpp)]
    exported += [_write_one(source, full, dtype, each, out, remarks, llama_cpp) for each in types[1:]]
    size = full.stat().st_size
    full.unlink()
    return exported, size


def _write_one(
    source: SourceModel,
    full: Path,
    dtype: Dtype,
    file_type: FileType,
    out: Path,
    remarks: Sequence[str],
    llama_cpp: LlamaCpp,
) -> Exported:
    path = out / file_name(source.name, file_type)
    quantize(full, dtype, path, file_type, llama_cpp)
    contents = read_contents(path)
    check_end(contents, source.form)
    with serving(path, llama_cpp, context=source.context) as server:
        checked = check_reading(server, source.tokenizer, source.texts, source.prompts)
    warnings = (*remarks, *checked.warnings, fallbacks(contents, file_type))
    return Exported(file_type, path, contents, checked, tuple(each for each in warnings if each))
