"""Exports a trained model: merged, as GGUF, or for LM Studio; every file proven to answer as its source does."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.program import ExpectFlag, PlanFlag, StoreFlag, run_program

if TYPE_CHECKING:
    from ctiforge.data.records import ArticleRecord
    from ctiforge.evaluation.report import Evaluation
    from ctiforge.extract.extraction import Extractor
    from ctiforge.extract.prepared import Usage
    from ctiforge.release.export import Exported, SourceModel
    from ctiforge.release.parity import Parity, Recorded
    from ctiforge.release.quantise import FileType
    from ctiforge.release.tokens import Prompt
    from ctiforge.release.tools import LlamaCpp
    from ctiforge.store.stages import StageDirs

ARTICLES = 60
"""How many of the demo's articles every export reads and renders, besides the test set's."""


@dataclass(frozen=True)
class Request:
    """One export as asked for on the command line."""

    model: str
    name: str
    format: str
    types: "tuple[FileType, ...]"
    llama_cpp: Path | None
    test_set: str | None
    """`name@version` where the test data are a test set of the store."""
    margin: float
    device: str


def main(
    model: Annotated[str, typer.Option(help="The trained model: folder or artifact; or demo, the small base model.")],
    format: Annotated[str, typer.Option(help="merged (safetensors), gguf, or lmstudio.")] = "merged",
    output: Annotated[
        str | None, typer.Option(help="Folder; for lmstudio that of all its models, ~/.lmstudio/models by default.")
    ] = None,
    quantise: Annotated[str, typer.Option(help="GGUF files to write: f32, f16, q8_0, q4_k_m.")] = "q8_0",
    test_data: Annotated[
        str | None,
        typer.Option(help="A JSONL of labelled articles, or testset:NAME[@VERSION]: each file must answer it alike."),
    ] = None,
    margin: Annotated[float, typer.Option(min=0.0, help="How much lower a file's micro-F1 may be.")] = 0.02,
    publisher: Annotated[str, typer.Option(help="The folder above the model's in LM Studio.")] = "ctiforge",
    llama_cpp: Annotated[
        Path | None, typer.Option(help="A built checkout of llama.cpp to use instead of the pinned one.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda: where the source answers the test set.")] = "auto",
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Export a trained model; exit 5 where a file does not answer as its source does."""
    from ctiforge.data.testsets import find_test_data
    from ctiforge.errors import UsageError
    from ctiforge.release import lmstudio
    from ctiforge.release.quantise import parse_types
    from ctiforge.release.tools import WHEELS, tools_version
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import model_input

    if format not in ("merged", "gguf", "lmstudio"):
        raise UsageError(f"--format {format}: choose merged, gguf or lmstudio")
    types = () if format == "merged" else parse_types(quantise)
    inputs, params = model_input(model)
    name = find_name(model, inputs)
    params |= {"format": format, "name": name}
    reference = None
    if types:
        params |= {"types": types, "llama_cpp": tools_version(llama_cpp), "margin": margin}
    if types and test_data:
        inputs["test_data"], reference = find_test_data(test_data, store)
    if format == "lmstudio":
        output = lmstudio.model_folder(output or lmstudio.MODELS, publisher, name)

    def work(dirs: StageDirs) -> dict[str, Any]:
        # nothing of an earlier try is of use, and full-precision weights are large
        with TemporaryDirectory(dir=dirs.scratch) as scratch:
            request = Request(model, name, format, types, llama_cpp, reference, margin, device)
            return export(request, replace(dirs, scratch=Path(scratch)))

    result = run_stage(
        Stage("export_model", 1, packages=("torch", "transformers", "peft", *(WHEELS if types else ()))),
        params=params,
        inputs=inputs,
        output=output or (None if store else f"models/{name}-{format}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if not result.summary:
        return
    print_summary(result.summary, output or result.uri)
    if format == "lmstudio":
        print(f"import {output}/{name}.preset.json in LM Studio, and set for the application:")
        print(lmstudio.setting(publisher, name))


def find_name(model: str, inputs: dict[str, str]) -> str:
    """The name that the model was trained under, else that of its folder or on the hub."""
    from ctiforge.extract.prepared import FILE_NAME
    from ctiforge.store.artifacts import fetch_input, find_input

    found = find_input(inputs["model"]) if inputs else None
    described = [file for file in (FILE_NAME, f"model/{FILE_NAME}") if found and file in found.files]
    if not found or not described:
        return Path(model.rstrip("/")).name
    with TemporaryDirectory() as scratch:
        one = replace(found, files={described[0]: found.files[described[0]]})
        file = fetch_input(one, Path(scratch)) / described[0]
        return str(json.loads(file.read_text(encoding="utf-8"))["name"])


def export(request: Request, dirs: "StageDirs") -> dict[str, Any]:
    """Write the merged model, or its GGUF files, into the stage's folder; gives back what `export.json` holds."""
    from ctiforge.data.testsets import read_labelled_articles
    from ctiforge.release.export import write_gguf, write_merged
    from ctiforge.release.tools import find_llama_cpp

    tools = find_llama_cpp(request.llama_cpp) if request.types else None
    test_data = dirs.inputs.get("test_data")
    records = list(read_labelled_articles(test_data)) if test_data else []
    source, usage = describe(request, dirs.inputs.get("model"), records)
    merged = dirs.scratch / "merged" if tools else dirs.out
    summary: dict[str, Any] = {"name": source.name, "merge": asdict(write_merged(source, merged))}
    if tools:
        files = write_gguf(source, merged, request.types, dirs.out, dirs.scratch, tools)
        summary["files"] = [each.as_json() for each in files]
        if test_data:
            proven = prove(request, source, usage, merged, files, tools, partial(score, request, records, dirs))
            summary["parity"] = [asdict(each) for each in proven]
    if request.format == "lmstudio":
        write_json(dirs.out / f"{source.name}.preset.json", make_preset(source.name, usage))
    write_json(dirs.out / "export.json", summary)
    return summary


def describe(request: Request, folder: Path | None, records: "Sequence[ArticleRecord]") -> "tuple[SourceModel, Usage]":
    """The model, how it is asked, and what must stay the same: texts and prompts of the demo and the test set."""
    import torch
    from transformers.utils import cached_file

    from ctiforge.demo.articles import DemoSizes, make_corpus
    from ctiforge.extract.prepared import FILE_NAME, usage_of_model
    from ctiforge.extract.rendering import render_answer
    from ctiforge.extract.windowed import plain_usage
    from ctiforge.release.chat_template import chat_template
    from ctiforge.release.export import SourceModel
    from ctiforge.release.gguf import ChatForm
    from ctiforge.release.tokens import spaced_behind_special
    from ctiforge.training.encoding import encode_prompt, end_token_id, load_tokenizer, resolve_model
    from ctiforge.training.models import load_causal_lm

    inside = folder / "model" if folder and (folder / "model").is_dir() else folder
    location = str(inside or request.model)
    tokenizer = load_tokenizer(location)
    trained = usage_of_model(Path(location))
    usage = trained or plain_usage("messages" if tokenizer.chat_template else "simple")
    note = json.loads((Path(location) / FILE_NAME).read_text(encoding="utf-8")) if trained else None
    base = resolve_model(note["base_model"]) if note else location
    vocabulary = cached_file(base, "tokenizer.model", _raise_exceptions_for_missing_entries=False)
    known = [*make_corpus(1, DemoSizes(ARTICLES, 1, 1, 0, 0)).training, *records]
    source = SourceModel(
        name=request.name,
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
        prompts=list(make_prompts(usage, tokenizer, [each.content for each in known])),
        texts=[text for each in known for text in (each.content, render_answer(each.observables))],
        note=note,
        context=usage.sizes.max_length,
    )
    return source, usage


def make_prompts(usage: "Usage", tokenizer: Any, texts: Sequence[str]) -> "Iterator[Prompt]":
    """The first window of each text as a conversation, with the ids of the prompt that training makes of it."""
    from ctiforge.extract.prompts import load_prompt
    from ctiforge.extract.rendering import guide_row, render_prompt
    from ctiforge.training.encoding import count_tokens, encode_prompt
    from ctiforge.training.windows import cut_windows, split_pieces

    prompt, sizes = load_prompt(usage.prompt_version), usage.sizes
    row_format = "alpaca" if usage.text_format == "alpaca" else "messages"
    for text in texts:
        pieces = split_pieces(text, partial(count_tokens, tokenizer))
        cut = cut_windows(pieces, window_tokens=sizes.window_tokens, overlap_tokens=sizes.overlap_tokens)
        for window in cut[:1]:
            shown = text[window.start : window.end]
            rendered = render_prompt(usage.text_format, prompt, usage.types, shown, tokenizer)
            turns = conversation(guide_row(row_format, prompt, usage.types, shown, ""))
            yield turns, encode_prompt(tokenizer, rendered)


def conversation(row: dict[str, Any]) -> list[dict[str, str]]:
    """The turns before the answer; of Alpaca's parts the instruction is the system's."""
    if "messages" in row:
        turns: list[dict[str, str]] = row["messages"][:-1]
        return turns
    return [{"role": "system", "content": row["instruction"]}, {"role": "user", "content": row["input"]}]


def prove(
    request: Request,
    source: "SourceModel",
    usage: "Usage",
    merged: Path,
    files: "Sequence[Exported]",
    tools: "LlamaCpp",
    scored: "Callable[[Extractor, Path, str], tuple[Recorded, Evaluation]]",
) -> "list[Parity]":
    """Let source and files answer the test set. Raises ParityError, after all are told, where one answers otherwise."""
    import torch

    from ctiforge.extract.agent import ExtractAgent
    from ctiforge.extract.endpoint import Endpoint, connect
    from ctiforge.extract.served import EndpointAgent
    from ctiforge.release.parity import ParityError, compare_answers, judge
    from ctiforge.release.server import serving
    from ctiforge.training.models import load_causal_lm, pick_device

    model = load_causal_lm(str(merged), pick_device(request.device), torch.float32).eval()
    halves = source.note is not None
    # one window at a time, as the server takes them: a batch leaves the answers to its shorter prompts less room
    agent = ExtractAgent(model, source.tokenizer, usage, source.name, batch_size=1, halves=halves)
    before, evaluation = scored(agent, merged, "source")
    proven = []
    for file in files:
        with serving(file.path, tools, context=source.context, exact=file.file_type == "f32") as server:
            client = connect(Endpoint(server.endpoint, server.model, concurrency=1))
            served = EndpointAgent(client, usage, server.model, tokenizer=source.tokenizer, halves=halves)
            after, exported = scored(served, file.path, file.file_type)
        f1 = [each.metrics["micro_f1"].value for each in (evaluation, exported)]
        proven.append(compare_answers(file.file_type, before, after, source.tokenizer.all_special_tokens, *f1))
    reasons = [reason for each in proven if (reason := judge(each, request.margin))]
    if reasons:
        print_parity([asdict(each) for each in proven])
        raise ParityError(f"{source.name} is not exported: {'; '.join(reasons)}")
    return proven


def score(
    request: Request,
    records: "Sequence[ArticleRecord]",
    dirs: "StageDirs",
    extractor: "Extractor",
    path: Path,
    name: str,
) -> "tuple[Recorded, Evaluation]":
    """Evaluate an extractor on the test set; its evaluation is left under `name`, its answers are kept."""
    from ctiforge.evaluation.report import ModelInfo
    from ctiforge.extract.evaluate import describe_test_set, evaluate_extractor
    from ctiforge.release.parity import Recorded
    from ctiforge.store.artifacts import find_input

    recorded = Recorded(extractor)
    evaluation = evaluate_extractor(
        recorded,
        records,
        model=ModelInfo(name=extractor.name, version=find_input(str(path)).content[:12]),
        test_set=describe_test_set(dirs.inputs["test_data"], request.test_set),
    )
    (dirs.out / f"evaluation-{name}.json").write_text(evaluation.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return recorded, evaluation


def make_preset(name: str, usage: "Usage") -> dict[str, Any]:
    """LM Studio's preset: the prompt around a passage that a person pastes, and the answer's schema."""
    from ctiforge.extract.answers import answer_schema
    from ctiforge.extract.prompts import load_prompt
    from ctiforge.release.lmstudio import preset

    prompt = load_prompt(usage.prompt_version)
    instruction = f"{prompt.system}\n\n{prompt.user(usage.types, '')}".strip()
    return preset(name, instruction, answer_schema(usage.types), usage.sizes.max_length)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """As every report is written."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def print_summary(summary: dict[str, Any], uri: str | None) -> None:
    """What was merged, what each file holds, and how it compares with its source."""
    from ctiforge.release.merge import LARGEST
    from ctiforge.tables import print_table

    merge = summary["merge"]
    what = "adapter merged into its base" if merge["adapter"] else "no adapter, so nothing to merge"
    print(
        f"{summary['name']}: {what}; largest logit difference {merge['largest_difference']:.1e} "
        f"(at most {LARGEST:.0e}), largest logit {merge['largest_logit']:.1f}"
    )
    files = summary.get("files", [])
    if files:
        rows = [
            (
                each["file"],
                f"{each['bytes'] / 1e6:,.1f} MB",
                ", ".join(f"{n} {name}" for name, n in each["tensor_types"].items()),
                each["texts_read_alike"],
                each["prompts_rendered_alike"],
            )
            for each in files
        ]
        print_table(
            "files; texts read and prompts rendered by llama.cpp, all as in training",
            ("file", "size", "tensors", "texts", "prompts"),
            rows,
        )
    for warning in dict.fromkeys(warning for each in files for warning in each["warnings"]):
        print(f"warning: {warning}")
    if "parity" in summary:
        print_parity(summary["parity"])
    elif files:
        print("warning: no --test-data, so nobody has looked whether the files answer as their source does")
    print(f"-> {uri}")


def print_parity(parity: list[dict[str, Any]]) -> None:
    """Each file beside its source."""
    from ctiforge.tables import print_table

    def figure(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.3f}"

    rows = [
        (
            each["file_type"],
            figure(each["source_f1"]),
            figure(each["f1"]),
            f"{each['same_windows']} of {each['windows']}",
            f"{each['same_articles']} of {each['articles']}",
        )
        for each in parity
    ]
    print_table("against the source", ("file", "micro-F1, source", "exported", "same answers", "same articles"), rows)


if __name__ == "__main__":
    run_program(main)
