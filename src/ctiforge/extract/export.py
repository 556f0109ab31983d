"""An Extract Agent as its exports must be: what is asked of it in training, and how it answers a test set."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ctiforge.errors import CtiforgeError, DataError, UsageError
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.endpoint import Endpoint, connect
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.answering.served import EndpointAgent
from ctiforge.extract.answering.windowed import plain_usage
from ctiforge.extract.evaluate import evaluate_on, inner_folder
from ctiforge.extract.prepared import note_of_model
from ctiforge.extract.prompts import prompt_of
from ctiforge.extract.prompts.answers import answer_schema
from ctiforge.extract.prompts.rendering import guide_row, render_answer, render_prompt
from ctiforge.extract.scored_articles import TestData
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Evaluation
from ctiforge.records.exported import Dtype, ExportCost, ExportedFile, ExportReport, FileType, ParityReport, Proof
from ctiforge.records.model_note import AgentNote, AgentUsage, Format
from ctiforge.release.adapter import write_adapter
from ctiforge.release.chat_template import chat_template
from ctiforge.release.export import Exported, SourceModel, write_gguf, write_merged
from ctiforge.release.facts import origin_facts
from ctiforge.release.gguf import ChatForm
from ctiforge.release.lmstudio import preset
from ctiforge.release.merge import VOCABULARY
from ctiforge.release.parity import Recorded, check_parity, compare_answers
from ctiforge.release.room import SMALL, check_room, peak_memory, room_for
from ctiforge.release.server import serving
from ctiforge.release.servers import modelfile
from ctiforge.release.tokens import RenderedPrompt, spaced_behind_special
from ctiforge.release.tools import LlamaCpp, find_llama_cpp
from ctiforge.release.weights import Weights, describe_weights
from ctiforge.store.artifacts import find_input
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.hub import is_pinned, join_name
from ctiforge.training.bases import TERMS, license_of
from ctiforge.training.encoding import (
    MODEL_FILES,
    count_tokens,
    encode_prompt,
    end_token_id,
    load_tokenizer,
    on_this_machine,
)
from ctiforge.training.memory import free_disk, free_memory
from ctiforge.training.models import base_of_adapter, base_to_load, load_causal_lm, pick_device
from ctiforge.training.special_tokens import break_special
from ctiforge.training.templates import use_template
from ctiforge.training.windows import cut_windows, split_pieces

SAMPLE = 8
"""Articles of a sample, spread over the test data."""


@dataclass(frozen=True)
class ExportRequest:
    """One export as asked for on the command line."""

    name: str
    """What the export is called."""
    model: str
    """A folder, artifact or hub name, or `demo`."""
    content: str
    """The hash of its files, or its commit."""
    format: str
    """`merged`, `gguf`, `lmstudio` or `adapter-gguf`."""
    types: tuple[FileType, ...] = ()
    """GGUF files to write; none of a merged model."""
    dtype: Dtype | None = None
    """The type of the merged weights; None: the checkpoint's own."""
    llama_cpp: Path | None = None
    """A built checkout of llama.cpp to use instead of the pinned one."""
    reference: str | None = None
    """`name@version` where the test data are a test set of the store."""
    margin: float = 0.02
    """How much lower a file's micro-F1 may be."""
    device: str = "auto"
    """Where the source answers the test data."""
    proof: Proof | None = None
    """How much of the test data is asked; None: all of it of a small model (`room.SMALL`), else a sample."""
    version: int | None = None
    """Its version in the registry; None: it is none of there."""
    license: str | None = None
    """Of its weights, as the registry has it; None: that of the base's card, where it names one."""


def export_agent(
    request: ExportRequest, inputs: Mapping[str, Path], articles: Sequence[ArticleRecord], out: Path, scratch: Path
) -> ExportReport:
    """Write the merged model, or its GGUF files, and `export.json` into `out`.

    Args:
        request: What is exported, and how.
        inputs: `model` where it is a folder, and `test_data` where each file must answer labeled articles alike.
        articles: Texts that must be read and rendered as in training, besides those of the test data.
        out: An empty folder.
        scratch: A folder for what is only needed on the way, which is removed.

    Returns:
        What `export.json` holds.

    Raises:
        CannotGoOnError: Memory or disk do not suffice.
        DataError: Weights, tokens or prompts are not those of the source, or its adapter is of another base.
        GateError: A file answers otherwise than its source, after all are told.
        UsageError: llama.cpp's tools are not installed, or the model is no adapter where one is to be exported.
    """
    started = time.monotonic()
    alone = request.format == "adapter-gguf"
    tools = find_llama_cpp(request.llama_cpp, adapters=alone) if request.types or alone else None
    path = inputs.get("test_data")
    test_data = TestData.read(path, request.reference) if path else None
    known = [*articles, *(test_data.records if test_data else ())]
    # nothing of an earlier try is of use, and full-precision weights are large
    with (
        described(request, inputs.get("model"), known) as (source, usage),
        TemporaryDirectory(dir=scratch) as folder,
    ):
        dtype = request.dtype or source.weights.dtype
        if alone and source.adapter is None:
            raise UsageError(f"{source.name} is no adapter but whole weights: export it with --format gguf")
        needed = room_for(
            source.weights,
            dtype,
            request.types,
            rewritten=source.rewritten(dtype) and not alone,
            compared=not alone and source.rewritten(dtype) and source.weights.count <= SMALL,
            answered=test_data is not None,
        )
        print(check_room(source.name, needed, free_memory(), free_disk(scratch)), flush=True)
        merged = Path(folder) / "merged" if tools else out
        files: list[Exported] = []
        adapters: list[ExportedFile] = []
        proven: list[ParityReport] = []
        written = 0
        merge = None if alone else write_merged(source, dtype, merged, links=tools is not None)
        if tools and alone and source.adapter:
            path = out / f"{source.name}-adapter-{dtype.upper()}.gguf"
            facts = {"general.name": source.name, **source.facts}
            adapters = [write_adapter(source.adapter, source.base_folder, dtype, facts, path, tools)]
        elif tools:
            files, written = write_gguf(source, merged, dtype, request.types, out, Path(folder), tools)
            written += sum(each.stat().st_size for each in merged.iterdir() if not each.is_symlink())
            if test_data:
                asked = _asked(test_data, request.proof, source.weights, Path(folder))
                proven = prove(source, usage, merged, files, tools, asked, out, request.device)
                check_parity(source.name, proven, request.margin)
    report = ExportReport(
        name=source.name,
        merge=merge,
        base=source.base,
        license=source.license,
        content=request.content,
        context=source.context,
        cost=ExportCost(
            memory_expected=needed.memory,
            peak_memory=peak_memory(),
            scratch_expected=needed.scratch,
            scratch=written,
            seconds=round(time.monotonic() - started, 1),
        ),
        files=(*adapters, *(each.as_record() for each in files)),
        parity=tuple(proven),
    )
    for each in files:
        text = modelfile(each.path.name, source.form, source.tokenizer, source.context)
        each.path.with_suffix(".Modelfile").write_text(text, encoding="utf-8")
    if request.format == "lmstudio":
        preset_file = json.dumps(make_preset(source.name, usage), indent=1, ensure_ascii=False)
        (out / f"{source.name}.preset.json").write_text(f"{preset_file}\n", encoding="utf-8")
    report.write(out)
    return report


@contextmanager
def described(
    request: ExportRequest, folder: Path | None, articles: Sequence[ArticleRecord]
) -> Iterator[tuple[SourceModel, AgentUsage]]:
    """Describe a trained model: how it is asked, and what of its reading must stay as in training.

    Args:
        request: What is exported, and how.
        folder: The model's folder, or an artifact of train_extract; None for a hub name.
        articles: Labeled articles: their texts and answers must be read as the same tokens, their first windows
            rendered as the same prompts.

    Yields:
        The model as it is exported, and how it is asked; its base's files are there for as long as the block lasts.

    Raises:
        UsageError: The tokenizer cannot be loaded, or the weights are no safetensors of full precision.
        DataError: The model's note and its adapter name different bases.
    """
    location = str(inner_folder(folder)) if folder else request.model
    tokenizer = load_tokenizer(location)
    note = note_of_model(Path(location))
    usage = note.usage if note else plain_usage("messages" if tokenizer.chat_template else "simple")
    use_template(tokenizer, usage.template)
    base = base_of(note, Path(location)) or location
    vocabulary = _vocabulary_of(base)
    below = base_to_load(Path(location))
    with on_this_machine(below or location, (*MODEL_FILES, *TERMS)) as base_folder:
        license_name = request.license or license_of(Path(base_folder))
        yield (
            SourceModel(
                name=request.name,
                location=location,
                load=partial(load_causal_lm, device=torch.device("cpu"), dtype=torch.float32),
                weights=describe_weights(Path(base_folder)),
                base_folder=Path(base_folder),
                adapter=Path(location) if below else None,
                tokenizer=tokenizer,
                vocabulary=vocabulary,
                form=ChatForm(
                    template=chat_template(usage.text_format, tokenizer),
                    opened=bool(encode_prompt(tokenizer, "")),
                    end=end_token_id(tokenizer),
                    spaced=spaced_behind_special(tokenizer) if vocabulary else None,
                ),
                prompts=list(_prompts(usage, tokenizer, [each.content for each in articles])),
                texts=[text for each in articles for text in (each.content, render_answer(each.observables))],
                note=note,
                base=base if is_pinned(base) else None,
                license=license_name,
                context=usage.sizes.max_length,
                facts=origin_facts(base if base != location else None, license_name, request.content, request.version),
            ),
            usage,
        )


def base_of(note: AgentNote | None, folder: Path) -> str | None:
    """Name the base that a model was trained from, with its commit.

    Args:
        note: What the model's folder says of it.
        folder: That folder.

    Returns:
        A hub name with its commit, a folder or a URI; None where nothing says it.

    Raises:
        DataError: The note and the adapter name different ones: merged, it would be another model.
    """
    noted = join_name(note.base_model, note.base_revision) if note else None
    below = base_of_adapter(folder)
    if below and noted and is_pinned(noted) and below != noted:
        raise DataError(
            f"{folder}: {AgentNote.NAME} says that it was trained from {noted}, its adapter names {below}: "
            "give the model as train_extract left it"
        )
    return below or noted


def prove(
    source: SourceModel,
    usage: AgentUsage,
    merged: Path,
    files: Sequence[Exported],
    tools: LlamaCpp,
    test_data: TestData,
    out: Path,
    device: str,
) -> list[ParityReport]:
    """Let the source and its exported files answer the test data, and compare their answers.

    Args:
        source: The trained model.
        usage: How it is asked.
        merged: The folder of its merged weights.
        files: The exported files.
        tools: llama.cpp's tools, which serve the files.
        test_data: The labeled articles.
        out: The folder for every evaluation, `evaluation-source.json` and `evaluation-<type>.json`.
        device: Where the source runs: `auto`, `cpu` or `cuda`.

    Returns:
        A report for each file, in their order.

    Raises:
        CannotGoOnError: llama.cpp cannot serve a file, or nothing could be answered.
        DataError: No article has a labeled type.
    """
    dtype = torch.float32 if source.weights.count <= SMALL else torch.bfloat16
    model = load_causal_lm(str(merged), pick_device(device), dtype).eval()
    halves = source.note is not None
    # weights are compared, and the threshold is not among them: an answer near it would tell them apart for nothing
    usage = replace(usage, item_bias=None)
    agent = ExtractAgent(model, source.tokenizer, usage, source.name, halves=halves)
    before, evaluation = _score(agent, merged, test_data, out / "evaluation-source.json")
    proven = []
    for file in files:
        with serving(file.path, tools, context=source.context, exact=file.file_type == "f32") as server:
            client = connect(Endpoint(server.endpoint, server.model, concurrency=1))
            served = EndpointAgent(client, usage, server.model, tokenizer=source.tokenizer, halves=halves)
            after, exported = _score(served, file.path, test_data, out / f"evaluation-{file.file_type}.json")
        f1 = [each.metrics["micro_f1"].value for each in (evaluation, exported)]
        proven.append(compare_answers(file.file_type, before, after, source.tokenizer.all_special_tokens, *f1))
    return proven


def make_preset(name: str, usage: AgentUsage) -> dict[str, Any]:
    """Make LM Studio's preset: the prompt around a passage that a person pastes, and the answer's schema.

    Args:
        name: The preset's name.
        usage: How the model is asked.

    Returns:
        The preset, as JSON can hold it.
    """
    prompt = prompt_of(usage)
    instruction = f"{prompt.system}\n\n{prompt.user(usage.types, '')}".strip()
    return preset(name, instruction, answer_schema(usage.types))


def _asked(test_data: TestData, proof: Proof | None, weights: Weights, folder: Path) -> TestData:
    """Choose the articles that are asked: all, or some that are spread over the test data, in a file of their own."""
    whole = proof == "full" if proof else weights.count <= SMALL
    if whole or len(test_data.records) <= SAMPLE:
        return test_data
    path = folder / f"{SAMPLE}-of-{len(test_data.records)}.jsonl"
    chosen = test_data.sampled(SAMPLE).records
    path.write_text("".join(f"{each.model_dump_json()}\n" for each in chosen), encoding="utf-8")
    return TestData.read(path)


def _vocabulary_of(base: str) -> bytes | None:
    """Read the SentencePiece vocabulary of a base; None where it has none, or can no longer be had."""
    try:
        with on_this_machine(base, (VOCABULARY,)) as folder:
            return (Path(folder) / VOCABULARY).read_bytes()
    except (OSError, CtiforgeError):
        # an adapter's base is loaded all the same, and says it then; other models have it beside them or do without
        return None


def _prompts(usage: AgentUsage, tokenizer: Any, texts: Sequence[str]) -> Iterator[RenderedPrompt]:
    """Render the first window of each text as a conversation, with the ids of the prompt that training makes of it."""
    prompt, sizes = prompt_of(usage), usage.sizes
    row_format: Format = "alpaca" if usage.text_format == "alpaca" else "messages"
    for text in texts:
        pieces = split_pieces(text, partial(count_tokens, tokenizer))
        cut = cut_windows(pieces, window_tokens=sizes.window_tokens, overlap_tokens=sizes.overlap_tokens)
        for window in cut[:1]:
            shown = break_special(tokenizer, text[window.start : window.end])
            rendered = render_prompt(usage.text_format, prompt, usage.types, shown, tokenizer)
            turns = _conversation(guide_row(row_format, prompt, usage.types, shown, ""))
            yield turns, encode_prompt(tokenizer, rendered)


def _conversation(row: dict[str, Any]) -> list[dict[str, str]]:
    """Take the turns before the answer; of Alpaca's parts the instruction is the system's."""
    if "messages" in row:
        turns: list[dict[str, str]] = row["messages"][:-1]
        return turns
    return [{"role": "system", "content": row["instruction"]}, {"role": "user", "content": row["input"]}]


def _score(extractor: Extractor, weights: Path, test_data: TestData, file: Path) -> tuple[Recorded, Evaluation]:
    """Evaluate an extractor; the evaluation is left in the file, its answers are kept."""
    recorded = Recorded(extractor)
    evaluation = evaluate_on(test_data, recorded, find_input(str(weights)).content[:SHORT])
    file.write_text(evaluation.to_json(), encoding="utf-8")
    return recorded, evaluation
