"""An Extract Agent as its exports must be: what is asked of it in training, and how it answers a test set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.endpoint import Endpoint, connect
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.answering.served import EndpointAgent
from ctiforge.extract.answering.windowed import plain_usage
from ctiforge.extract.evaluate import describe_test_set, evaluate_extractor, inner_folder
from ctiforge.extract.prepared import note_of_model
from ctiforge.extract.prompts import load_prompt
from ctiforge.extract.prompts.answers import answer_schema
from ctiforge.extract.prompts.rendering import guide_row, render_answer, render_prompt
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Evaluation, ModelInfo
from ctiforge.records.exported import ParityReport
from ctiforge.records.model_note import AgentUsage, Format
from ctiforge.release.chat_template import chat_template
from ctiforge.release.export import Exported, SourceModel
from ctiforge.release.gguf import ChatForm
from ctiforge.release.lmstudio import preset
from ctiforge.release.parity import Recorded, compare_answers
from ctiforge.release.server import serving
from ctiforge.release.tokens import RenderedPrompt, spaced_behind_special
from ctiforge.release.tools import LlamaCpp
from ctiforge.store.artifacts import find_input
from ctiforge.store.fingerprint import SHORT
from ctiforge.training.encoding import count_tokens, encode_prompt, end_token_id, load_tokenizer, resolve_model
from ctiforge.training.models import load_causal_lm, pick_device
from ctiforge.training.windows import cut_windows, split_pieces


@dataclass(frozen=True)
class TestData:
    """The labeled articles that source and exports answer."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    path: Path
    """The file that they were read from."""
    records: Sequence[ArticleRecord]
    """The articles with their truth."""
    reference: str | None
    """`name@version` where they are a test set of the store."""


def describe_source(
    name: str, model: str, folder: Path | None, articles: Sequence[ArticleRecord]
) -> tuple[SourceModel, AgentUsage]:
    """Describe a trained model: how it is asked, and what of its reading must stay as in training.

    Args:
        name: What the exported files are called.
        model: A hub name or `demo`; the folder goes before it.
        folder: The model's folder, or an artifact of train_extract; None for a hub name.
        articles: Labeled articles: their texts and answers must be read as the same tokens, their first windows
            rendered as the same prompts.

    Returns:
        The model as it is exported, and how it is asked.

    Raises:
        UsageError: The tokenizer cannot be loaded.
    """
    from transformers.utils import cached_file

    location = str(inner_folder(folder)) if folder else model
    tokenizer = load_tokenizer(location)
    note = note_of_model(Path(location))
    usage = note.usage if note else plain_usage("messages" if tokenizer.chat_template else "simple")
    base = resolve_model(note.base_model) if note else location
    vocabulary = cached_file(base, "tokenizer.model", _raise_exceptions_for_missing_entries=False)
    source = SourceModel(
        name=name,
        location=location,
        load=partial(load_causal_lm, device=torch.device("cpu"), dtype=torch.float32),
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
        context=usage.sizes.max_length,
    )
    return source, usage


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
    model = load_causal_lm(str(merged), pick_device(device), torch.float32).eval()
    halves = source.note is not None
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
    prompt = load_prompt(usage.prompt_version)
    instruction = f"{prompt.system}\n\n{prompt.user(usage.types, '')}".strip()
    return preset(name, instruction, answer_schema(usage.types), usage.sizes.max_length)


def _prompts(usage: AgentUsage, tokenizer: Any, texts: Sequence[str]) -> Iterator[RenderedPrompt]:
    """Render the first window of each text as a conversation, with the ids of the prompt that training makes of it."""
    prompt, sizes = load_prompt(usage.prompt_version), usage.sizes
    row_format: Format = "alpaca" if usage.text_format == "alpaca" else "messages"
    for text in texts:
        pieces = split_pieces(text, partial(count_tokens, tokenizer))
        cut = cut_windows(pieces, window_tokens=sizes.window_tokens, overlap_tokens=sizes.overlap_tokens)
        for window in cut[:1]:
            shown = text[window.start : window.end]
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
    evaluation = evaluate_extractor(
        recorded,
        test_data.records,
        model=ModelInfo(name=extractor.name, version=find_input(str(weights)).content[:SHORT]),
        test_set=describe_test_set(test_data.path, test_data.reference),
    )
    file.write_text(evaluation.to_json(), encoding="utf-8")
    return recorded, evaluation
