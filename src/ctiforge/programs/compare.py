"""Compares evaluations of one test set, of either line."""

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
    # a run whose champion is the model that it made gives one evaluation in two roles
    if len(evaluations) > 1 and len(set(evaluations)) == 1:
        raise UsageError(f"{evaluations[0]} is given twice: compare it with another one")
    inputs = {f"evaluation_{number}": uri for number, uri in enumerate(evaluations)}

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.evaluation.side_by_side import write_comparison
        from ctiforge.records.classification import evaluation_file

        files = {uri: evaluation_file(dirs.inputs[name], uri) for name, uri in inputs.items()}
        texts = {uri: file.read_text(encoding="utf-8", errors="replace") for uri, file in files.items()}
        return write_comparison(texts, dirs.out)

    result = run_stage(
        Stage("compare", 2, packages=("numpy", "scipy")),
        params={},
        inputs=inputs,
        output=output or (None if store else "outputs/comparison"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.uri and not plan:
        print_result(result.uri)


def print_result(uri: str) -> None:
    """Print the tables of the comparison."""
    from tempfile import TemporaryDirectory

    from ctiforge.evaluation.side_by_side import print_comparison
    from ctiforge.records.comparison import Comparison, read_comparison
    from ctiforge.store.artifacts import fetch

    with TemporaryDirectory() as folder:
        text = fetch(f"{uri}/{Comparison.NAME}", Path(folder)).read_text(encoding="utf-8")
    print_comparison(read_comparison(text, uri))
    print(f"-> {uri}/comparison.md")


if __name__ == "__main__":
    run_program(main)
