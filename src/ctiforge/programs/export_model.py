"""Exports a trained model: merged, as GGUF, or for LM Studio; every file proven to answer as its source does."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, PlanFlag, RevisionFlag, StoreFlag, choose

if TYPE_CHECKING:
    from ctiforge.records.exported import ExportReport

FORMATS = ("merged", "gguf", "lmstudio", "adapter-gguf")
ARTICLES = 60
"""How many of the demo's articles every export reads and renders, besides the test set's."""


def main(
    model: Annotated[
        str, typer.Option(help="The trained model: folder, artifact, models:extract@champion; or demo, the small base.")
    ],
    revision: RevisionFlag = None,
    file_format: Annotated[
        str, typer.Option("--format", help="merged (safetensors), gguf, lmstudio, or adapter-gguf.")
    ] = "merged",
    output: Annotated[
        str | None, typer.Option(help="Folder; for lmstudio that of all its models, ~/.lmstudio/models by default.")
    ] = None,
    quantize: Annotated[
        str,
        typer.Option(
            "--quantize", "--quantise", help="GGUF files to write: f32, bf16, f16, q8_0, q6_k, q5_k_m, q4_k_m."
        ),
    ] = "q8_0",
    dtype: Annotated[
        str | None, typer.Option(help="Type of the merged weights: bf16, f16 or f32; default: the checkpoint's own.")
    ] = None,
    test_data: Annotated[
        str | None,
        typer.Option(help="A JSONL of labeled articles, or testset:NAME[@VERSION]: each file must answer it alike."),
    ] = None,
    proof: Annotated[
        str | None,
        typer.Option(
            help="How much of the test data each file is asked: sample (8 articles) or full; default: full up to a "
            "billion weights."
        ),
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
    from ctiforge.extract.harvest.choosing import SERVED
    from ctiforge.extract.models import REGEX, model_version, trained_name
    from ctiforge.progress import warn
    from ctiforge.records.exported import Dtype, ExportReport, Proof
    from ctiforge.release import lmstudio
    from ctiforge.release.quantize import parse_types
    from ctiforge.release.tables import print_export
    from ctiforge.release.tools import WHEELS, tools_version
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_registered
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import model_input

    if model == REGEX:
        raise UsageError(f"--model {REGEX}: the rules have nothing to export: give a trained model")
    choose("--format", file_format, FORMATS)
    chosen: Dtype | None = choose("--dtype", dtype, get_args(Dtype))
    asking: Proof | None = choose("--proof", proof, get_args(Proof))
    types = () if file_format in ("merged", "adapter-gguf") else parse_types(quantize)
    asked = model
    uri, record = find_registered(model, store)
    model = pin(uri, revision)
    inputs, named = model_input(model)
    name = trained_name(model, inputs)
    params: dict[str, Any] = named | {"format": file_format, "name": name, "dtype": dtype}
    if record:
        params |= {"version": record.version, "license": record.license}
    reference = None
    if types:
        params |= {"types": types, "margin": margin}
    if file_format != "merged":
        params["llama_cpp"] = tools_version(llama_cpp)
    if not types and (test_data or proof):
        asks = "--test-data" if test_data else "--proof"
        warn(f"{asks} is for GGUF files: what a server makes of this is measured by eval-extract --engine")
    if types and test_data:
        inputs["test_data"], reference = find_test_data(test_data, store)
        params["proof"] = proof
    models = Path(output or lmstudio.MODELS).expanduser()
    if file_format == "lmstudio":
        lmstudio.check_names(publisher, name)
        output = f"models/{name}-lmstudio"

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.demo.articles import DemoSizes, make_corpus
        from ctiforge.extract.export import ExportRequest, export_agent

        request = ExportRequest(
            name=name,
            model=model,
            content=model_version(model, inputs),
            format=file_format,
            types=types,
            dtype=chosen,
            llama_cpp=llama_cpp,
            reference=reference,
            margin=margin,
            device=device,
            proof=asking,
            version=record.version if record else None,
            license=record.license if record else None,
        )
        articles = make_corpus(1, DemoSizes(ARTICLES, 1, 1, 0, 0)).training
        return export_agent(request, dirs.inputs, articles, dirs.out, dirs.scratch).model_dump(mode="json")

    output = output or (None if store else f"models/{name}-{file_format}")
    result = run_stage(
        Stage("export_model", 4, packages=("torch", "transformers", "peft", *(WHEELS if types else ()))),
        params=params,
        inputs=inputs,
        output=output,
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if not result.summary:
        return
    report = ExportReport.parse(json.dumps(result.summary), ExportReport.NAME)
    if output and not output.startswith("s3://"):
        lmstudio.remove_stale(Path(output), written_names(report))
    served = f"{SERVED}/{record.name}@{record.version}" if record else report.name
    print_export(report, output or result.uri, served)
    if file_format == "lmstudio":
        folder = Path(str(output))
        for key in [lmstudio.place(folder / each.file, models, publisher, name, each.type) for each in report.files]:
            print(f"{models / key}: load it with\n  {lmstudio.load_line(key, report.context or 0)}")
        served = lmstudio.identifier(name, report.files[0].type)
        print(f"import {folder}/{name}.preset.json in LM Studio to try passages by hand")
        print("the application's agents have prompts of their own, which the model was not trained on: answer them by")
        print(f"  {lmstudio.serve_line(asked)}")
        print(f"and set for the application:\n  {lmstudio.SETTINGS}")
        print("then see that what is served answers as it should:")
        print(f"  {lmstudio.evaluation_line(served, asked, test_data)}")


def written_names(report: "ExportReport") -> set[str]:
    """Name what an export leaves besides the files of a merged model."""
    evaluated = [each.file_type for each in report.parity]
    return {
        f"{report.name}.preset.json",
        "evaluation-source.json",
        *(f"evaluation-{each}.json" for each in evaluated),
        *(each.file for each in report.files),
        *(f"{Path(each.file).stem}.Modelfile" for each in report.files),
    }


if __name__ == "__main__":
    run_program(main)
