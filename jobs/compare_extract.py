"""Compares evaluations of one test set: the first is the baseline, each further one is set against it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.program import ExpectFlag, PlanFlag, StoreFlag, run_program


def main(
    evaluations: Annotated[list[str], typer.Argument(help="evaluation.json files or artifacts, baseline first.")],
    output: Annotated[
        str | None, typer.Option(help="A folder for comparison.json and comparison.md; default: outputs/comparison.")
    ] = None,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Compare evaluations: before against after, with paired intervals and a verdict in words."""
    from ctiforge.errors import UsageError
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    if len(evaluations) < 2:
        raise UsageError("a comparison needs two evaluations or more: the baseline first, then what to compare with it")
    inputs = {f"evaluation_{number}": uri for number, uri in enumerate(evaluations)}

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.evaluation.comparison import compare
        from ctiforge.evaluation.comparison_tables import markdown, plain_text

        comparison = compare([read(dirs.inputs[name], uri) for name, uri in inputs.items()])
        (dirs.out / "comparison.json").write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (dirs.out / "comparison.md").write_text(markdown(comparison), encoding="utf-8")
        (dirs.out / "comparison.txt").write_text(plain_text(comparison), encoding="utf-8")
        return {
            contender.model.name: {change.label: change.verdict for change in contender.changes}
            for contender in comparison.contenders
        }

    result = run_stage(
        Stage("compare_extract", 2, packages=("numpy",)),
        params={},
        inputs=inputs,
        output=output or (None if store else "outputs/comparison"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.uri and not plan:
        print_result(result.uri)


def read(path: Path, uri: str) -> Any:
    """The evaluation of a file, or of a folder that holds `evaluation.json`."""
    from ctiforge.errors import DataError
    from ctiforge.evaluation.report import read_evaluation

    file = path / "evaluation.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{uri} holds no evaluation.json: give the output of eval_extract")
    return read_evaluation(file.read_text(encoding="utf-8", errors="replace"), uri)


def print_result(uri: str) -> None:
    """Print the tables of the comparison."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from ctiforge.evaluation.comparison import Comparison
    from ctiforge.evaluation.comparison_tables import print_comparison
    from ctiforge.store.artifacts import fetch

    with TemporaryDirectory() as folder:
        text = fetch(f"{uri}/comparison.json", Path(folder)).read_text(encoding="utf-8")
    console = Console()
    print_comparison(Comparison.model_validate_json(text), console if console.is_terminal else Console(width=140))
    print(f"-> {uri}/comparison.md")


if __name__ == "__main__":
    run_program(main)
