"""Exports a trained model: merged, as GGUF, or for LM Studio; every file proven to answer as its source does."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, PlanFlag, RevisionFlag, StoreFlag

ARTICLES = 60
"""How many of the demo's articles every export reads and renders, besides the test set's."""


def main(
    model: Annotated[
        str, typer.Option(help="The trained model: folder, artifact, models:extract@champion; or demo, the small base.")
    ],
    revision: RevisionFlag = None,
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
    from ctiforge.extract.models import trained_name
    from ctiforge.release import lmstudio
    from ctiforge.release.quantize import parse_types
    from ctiforge.release.tables import print_export
    from ctiforge.release.tools import WHEELS, tools_version
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import model_input

    if file_format not in ("merged", "gguf", "lmstudio"):
        raise UsageError(f"--format {file_format}: choose merged, gguf or lmstudio")
    types = () if file_format == "merged" else parse_types(quantize)
    model = pin(find_model_uri(model, store), revision)
    inputs, named = model_input(model)
    name = trained_name(model, inputs)
    params: dict[str, Any] = named | {"format": file_format, "name": name}
    reference = None
    if types:
        params |= {"types": types, "llama_cpp": tools_version(llama_cpp), "margin": margin}
    if types and test_data:
        inputs["test_data"], reference = find_test_data(test_data, store)
    if file_format == "lmstudio":
        output = lmstudio.model_folder(output or lmstudio.MODELS, publisher, name)

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.demo.articles import DemoSizes, make_corpus
        from ctiforge.extract.export import ExportRequest, export_agent

        request = ExportRequest(name, model, file_format, types, llama_cpp, reference, margin, device)
        articles = make_corpus(1, DemoSizes(ARTICLES, 1, 1, 0, 0)).training
        return export_agent(request, dirs.inputs, articles, dirs.out, dirs.scratch).model_dump(mode="json")

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
    print_export(result.summary, output or result.uri)
    if file_format == "lmstudio":
        print(f"import {output}/{name}.preset.json in LM Studio, and set for the application:")
        print(lmstudio.setting(publisher, name))


if __name__ == "__main__":
    run_program(main)
