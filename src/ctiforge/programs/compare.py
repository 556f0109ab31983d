"""Compares evaluations of one test set, of either line."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, PlanFlag, StoreFlag


def main(
    evaluations: Annotated[list[str], typer.Argument(help="evaluation.json files or artifacts.")],
    output: Annotated[
        str | None, typer.Option(help="A folder for comparison.json and comparison.md; default: outputs/comparison.")
    ] = None,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Compare evaluations, with paired intervals and a verdict in words.

    Of the Extract Agent: the first is the baseline, each further one is set against it. Of OS-BERT:
    everything that was evaluated in one table, the last model against all of it.
    """
    from ctiforge.errors import UsageError
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    if not evaluations:
        raise UsageError("give evaluations: evaluation.json files or artifacts, the newest last")
    inputs = {f"evaluation_{number}": uri for number, uri in enumerate(evaluations)}

    def work(dirs: StageDirs) -> dict[str, Any]:
        texts = {uri: read(dirs.inputs[name], uri) for name, uri in inputs.items()}
        kinds = {kind_of(text) for text in texts.values()}
        if len(kinds) > 1:
            raise UsageError("these evaluations are of different lines: compare those of one")
        return compare_os(texts, dirs.out) if kinds == {"classification"} else compare_extract(texts, dirs.out)

    result = run_stage(
        Stage("compare", 1, packages=("numpy",)),
        params={},
        inputs=inputs,
        output=output or (None if store else "outputs/comparison"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.uri and not plan:
        print_result(result.uri)


def read(path: Path, uri: str) -> str:
    """The evaluation of a file, or of a folder that holds `evaluation.json`."""
    from ctiforge.errors import DataError

    file = path / "evaluation.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{uri} holds no evaluation.json: give the output of an evaluation")
    return file.read_text(encoding="utf-8", errors="replace")


def kind_of(text: str) -> str | None:
    """What the evaluation says it is; None where it says nothing, as those of the Extract Agent."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found.get("kind") if isinstance(found, dict) else None


def compare_extract(texts: dict[str, str], out: Path) -> dict[str, Any]:
    """Before against after, a table each."""
    from ctiforge.evaluation.comparison import compare
    from ctiforge.evaluation.comparison_tables import markdown, plain_text
    from ctiforge.evaluation.report import read_evaluation

    comparison = compare([read_evaluation(text, uri) for uri, text in texts.items()])
    write(out, comparison.model_dump_json(indent=1), markdown(comparison), plain_text(comparison))
    return {
        contender.model.name: {change.label: change.verdict for change in contender.changes}
        for contender in comparison.contenders
    }


def compare_os(texts: dict[str, str], out: Path) -> dict[str, Any]:
    """Everything in one table."""
    from ctiforge.evaluation.classification import read_classifier_evaluation
    from ctiforge.evaluation.classifier_comparison import compare_classifiers
    from ctiforge.evaluation.classifier_tables import markdown, plain_text

    comparison = compare_classifiers([read_classifier_evaluation(text, uri) for uri, text in texts.items()])
    write(out, comparison.model_dump_json(indent=1), markdown(comparison), plain_text(comparison))
    return {
        compared.row.name: {name: difference.verdict for name, difference in compared.differences.items()}
        for compared in comparison.rows
    }


def write(out: Path, data: str, as_markdown: str, as_text: str) -> None:
    """The comparison as data, as Markdown and as a terminal shows it."""
    for name, text in (("json", f"{data}\n"), ("md", as_markdown), ("txt", as_text)):
        (out / f"comparison.{name}").write_text(text, encoding="utf-8")


def print_result(uri: str) -> None:
    """Print the tables of the comparison."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from ctiforge.evaluation import classifier_tables, comparison_tables
    from ctiforge.evaluation.classifier_comparison import ClassifierComparison
    from ctiforge.evaluation.comparison import Comparison
    from ctiforge.store.artifacts import fetch

    with TemporaryDirectory() as folder:
        text = fetch(f"{uri}/comparison.json", Path(folder)).read_text(encoding="utf-8")
    console = Console()
    if kind_of(text) == "classification":
        wide = console if console.is_terminal else Console(width=180)
        classifier_tables.print_classifier_comparison(ClassifierComparison.model_validate_json(text), wide)
    else:
        wide = console if console.is_terminal else Console(width=140)
        comparison_tables.print_comparison(Comparison.model_validate_json(text), wide)
    print(f"-> {uri}/comparison.md")


if __name__ == "__main__":
    run_program(main)
