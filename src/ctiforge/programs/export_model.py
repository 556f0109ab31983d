"""Exports a trained model: merged, as GGUF, or for LM Studio; every file proven to answer as its source does."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, PlanFlag, StoreFlag

if TYPE_CHECKING:
    from ctiforge.records.exported import FileType, ParityReport
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
    file_format: Annotated[str, typer.Option("--format", help="merged (safetensors), gguf, or lmstudio.")] = "merged",
    output: Annotated[
        str | None, typer.Option(help="Folder; for lmstudio that of all its models, ~/.lmstudio/models by default.")
    ] = None,
    quantize: Annotated[
        str, typer.Option("--quantize", "--quantise", help="GGUF files to write: f32, f16, q8_0, q4_k_m.")
    ] = "q8_0",
    test_data: Annotated[
        str | None,
        typer.Option(help="A JSONL of labeled articles, or testset:NAME[@VERSION]: each file must answer it alike."),
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
    from ctiforge.release.quantize import parse_types
    from ctiforge.release.tools import WHEELS, tools_version
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import model_input

    if file_format not in ("merged", "gguf", "lmstudio"):
        raise UsageError(f"--format {file_format}: choose merged, gguf or lmstudio")
    types = () if file_format == "merged" else parse_types(quantize)
    inputs, named = model_input(model)
    name = find_name(model, inputs)
    params: dict[str, Any] = named | {"format": file_format, "name": name}
    reference = None
    if types:
        params |= {"types": types, "llama_cpp": tools_version(llama_cpp), "margin": margin}
    if types and test_data:
        inputs["test_data"], reference = find_test_data(test_data, store)
    if file_format == "lmstudio":
        output = lmstudio.model_folder(output or lmstudio.MODELS, publisher, name)

    def work(dirs: StageDirs) -> dict[str, Any]:
        # nothing of an earlier try is of use, and full-precision weights are large
        with TemporaryDirectory(dir=dirs.scratch) as scratch:
            request = Request(model, name, file_format, types, llama_cpp, reference, margin, device)
            return export(request, replace(dirs, scratch=Path(scratch)))

    result = run_stage(
        Stage("export_model", 2, packages=("torch", "transformers", "peft", *(WHEELS if types else ()))),
        params=params,
        inputs=inputs,
        output=output or (None if store else f"models/{name}-{file_format}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if not result.summary:
        return
    print_summary(result.summary, output or result.uri)
    if file_format == "lmstudio":
        print(f"import {output}/{name}.preset.json in LM Studio, and set for the application:")
        print(lmstudio.setting(publisher, name))


def find_name(model: str, inputs: dict[str, str]) -> str:
    """Give the name that the model was trained under, else that of its folder or on the hub."""
    from ctiforge.records.model_note import AgentNote
    from ctiforge.store.artifacts import fetch_input, find_input

    found = find_input(inputs["model"]) if inputs else None
    described = [file for file in (AgentNote.NAME, f"model/{AgentNote.NAME}") if found and file in found.files]
    if not found or not described:
        return Path(model.rstrip("/")).name
    with TemporaryDirectory() as scratch:
        one = replace(found, files={described[0]: found.files[described[0]]})
        return AgentNote.load(fetch_input(one, Path(scratch)) / described[0]).name


def export(request: Request, dirs: "StageDirs") -> dict[str, Any]:
    """Write the merged model, or its GGUF files, into the stage's folder; gives back what `export.json` holds."""
    from ctiforge.data.testsets import read_labelled_articles
    from ctiforge.demo.articles import DemoSizes, make_corpus
    from ctiforge.extract.export import TestData, describe_source, make_preset, prove
    from ctiforge.records.exported import ExportReport
    from ctiforge.release.export import write_gguf, write_merged
    from ctiforge.release.tools import find_llama_cpp

    tools = find_llama_cpp(request.llama_cpp) if request.types else None
    path = dirs.inputs.get("test_data")
    test_data = TestData(path, list(read_labelled_articles(path)), request.test_set) if path else None
    known = [*make_corpus(1, DemoSizes(ARTICLES, 1, 1, 0, 0)).training, *(test_data.records if test_data else ())]
    source, usage = describe_source(request.name, request.model, dirs.inputs.get("model"), known)
    merged = dirs.scratch / "merged" if tools else dirs.out
    merge = write_merged(source, merged)
    files, proven = [], []
    if tools:
        files = write_gguf(source, merged, request.types, dirs.out, dirs.scratch, tools)
        if test_data:
            proven = prove(source, usage, merged, files, tools, test_data, dirs.out, request.device)
            check(source.name, proven, request.margin)
    report = ExportReport(
        name=source.name,
        merge=merge,
        files=tuple(each.as_record() for each in files),
        parity=tuple(proven),
    )
    if request.format == "lmstudio":
        write_json(dirs.out / f"{source.name}.preset.json", make_preset(source.name, usage))
    report.write(dirs.out)
    return report.model_dump(mode="json")


def check(name: str, proven: "list[ParityReport]", margin: float) -> None:
    """Raise GateError, after all are told, where a file answers otherwise than its source."""
    from ctiforge.errors import GateError
    from ctiforge.release.parity import judge

    reasons = [reason for each in proven if (reason := judge(each, margin))]
    if reasons:
        print_parity([each.model_dump() for each in proven])
        raise GateError(f"{name} is not exported: {'; '.join(reasons)}")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """As every report is written."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def print_summary(summary: dict[str, Any], uri: str | None) -> None:
    """Print what was merged, what each file holds, and how it compares with its source."""
    from ctiforge.release.merge import limit
    from ctiforge.tables import print_table

    merge = summary["merge"]
    what = "adapter merged into its base" if merge["adapter"] else "no adapter, so nothing to merge"
    print(
        f"{summary['name']}: {what}; largest logit difference {merge['largest_difference']:.1e} "
        f"(at most {limit(merge['largest_logit']):.0e}), largest logit {merge['largest_logit']:.1f}"
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
    if summary.get("parity"):
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
