"""Looks at training data for what would spoil a training, before hours of GPU time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import BaseModelFlag, ExpectFlag, PlanFlag, RevisionFlag, StoreFlag, TestSetsFlag

if TYPE_CHECKING:
    from ctiforge.records.data_check import DataFinding


def main(
    records: Annotated[str | None, typer.Option(help="Records of harvest_extract: a file, folder or artifact.")] = None,
    data: Annotated[str | None, typer.Option(help="Examples of format_extract: a folder or artifact.")] = None,
    model: BaseModelFlag = "demo",
    revision: RevisionFlag = None,
    test_set: TestSetsFlag = None,
    output: Annotated[str | None, typer.Option(help="A folder for check.json.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Errors are told and recorded, and stop nothing.")] = False,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Check the Extract Agent's data: examples by type, negatives, skew, copies, lengths, template, leaks.

    Each finding says what to do. Errors end with exit code 3; warnings are recorded. OS-BERT's preparation
    checks its own.
    """
    from ctiforge.data.testsets import test_set_inputs
    from ctiforge.errors import DataError, UsageError
    from ctiforge.records.data_check import DataCheck
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import TOKENIZER_FILES, model_input

    if not records and not data:
        raise UsageError("give --records (of harvest_extract), --data (of format_extract), or both")
    model = pin(find_model_uri(model, store), revision) if data else model
    model_inputs, model_params = model_input(model) if data else ({}, {})
    parts = {name: uri for name, uri in (("records", records), ("data", data)) if uri}

    def work(dirs: StageDirs) -> dict[str, Any]:
        findings = find(dirs.inputs, model)
        print_findings(findings)
        errors = [each for each in findings if each.level == "error"]
        if errors and not force:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise DataError(f"{errors[0].text}{more}: {errors[0].remedy}; --force goes on all the same")
        DataCheck(checked=tuple(sorted(parts)), findings=tuple(findings)).write(dirs.out)
        return {"errors": len(errors), "warnings": len(findings) - len(errors)}

    result = run_stage(
        Stage("check_data", 2, packages=("transformers", "tokenizers", "rensa")),
        params={"force": force} | model_params,
        inputs={**parts, **model_inputs, **(test_set_inputs(store, test_set) if records else {})},
        output=output or (None if store else "outputs/data-check"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
        files={"model": TOKENIZER_FILES},
    )
    if result.uri and not plan:
        print(f"-> {result.uri}/check.json")


def find(inputs: dict[str, Path], model: str) -> "list[DataFinding]":
    """Every finding about the inputs that are there."""
    from ctiforge.data.leaks import find_leaks
    from ctiforge.extract.dataset import check
    from ctiforge.extract.prepared import read_format_report
    from ctiforge.extract.prompts.template_check import check_template
    from ctiforge.records.article import RECORDS_NAME, read_records
    from ctiforge.records.base import read_lines
    from ctiforge.records.formatted import TRAINED_ON, ExampleRow
    from ctiforge.records.harvest import HarvestReport
    from ctiforge.training.encoding import load_tokenizer
    from ctiforge.training.templates import use_template

    findings: list[DataFinding] = []
    contents: dict[str, str] = {}
    if path := inputs.get("records"):
        articles = read_records(path)
        contents = {article.id: article.content for article in articles}
        findings += check.check_records(articles)
        report = path / HarvestReport.NAME
        if report.is_file():
            findings += check.check_harvest(HarvestReport.load(report))
        file = path / RECORDS_NAME if path.is_dir() else path
        # of what is harvested, only what examples are cut from is trained on
        if (folder := inputs.get("data")) and (folder / TRAINED_ON).is_file():
            file = folder / TRAINED_ON
        test_sets = [path for name, path in inputs.items() if name.startswith("test_set")]
        tests = [article for test_set in test_sets for article in read_records(test_set)]
        leaks = find_leaks(tests, file) if tests else []
        findings += check.leak_findings((leak.test_id, leak.training_id, leak.how) for leak in leaks)
    if folder := inputs.get("data"):
        description = read_format_report(folder)
        rows = list(read_lines(folder / "train.jsonl", ExampleRow))
        findings += check.check_prepared(description, rows)
        row = next((each for each in rows if each.observables), rows[0])
        text = contents.get(row.article_id)
        window = text[row.start : row.end] if text is not None else None
        tokenizer = use_template(load_tokenizer(str(inputs.get("model", model))), description.template)
        findings += check_template(description, row, window, model, tokenizer)
    return findings


def print_findings(findings: "list[DataFinding]") -> None:
    """One finding a paragraph: what, and what to do."""
    from ctiforge.visible import visible

    for each in findings:
        print(visible(f"{each.level}: {each.check}: {each.text}\n  to do: {each.remedy}"))
    if not findings:
        print("nothing found that would spoil a training")


if __name__ == "__main__":
    run_program(main)
