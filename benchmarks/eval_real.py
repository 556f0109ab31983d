"""Scores the floors and trained models on the 30 real articles (make eval-real)."""

from pathlib import Path
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from real_data import real_articles


def main(
    models: Annotated[
        list[str] | None, typer.Argument(help="Model folders; default: what the last training in --store left, if any.")
    ] = None,
    store: Annotated[str, typer.Option(help="Where the trained model is looked for.")] = ".ctiforge/store",
    output: Annotated[str, typer.Option(help="A folder for one evaluation per model and their comparison.")] = (
        "outputs/eval-real"
    ),
    batch_size: Annotated[int, typer.Option(min=1, help="Windows that are generated together.")] = 32,
) -> None:
    """Print the tables of each model on the real articles, and how each compares with the rule floor.

    The other floors, the demo's base as it is and held to the answer's schema, are asked as the last
    data in --store was cut.
    """
    articles = real_articles()
    from rich.console import Console

    from ctiforge.data.testsets import read_labelled_articles
    from ctiforge.evaluation.comparing.comparison import compare
    from ctiforge.evaluation.tables.comparison import markdown, print_comparison
    from ctiforge.evaluation.tables.evaluation import print_evaluation
    from ctiforge.extract import evaluate
    from ctiforge.extract.scored_articles import TestData
    from ctiforge.records.evaluation import ModelInfo

    console = Console(width=140)
    records = list(read_labelled_articles(articles))
    trained = models or newest(store, "train_extract/*/*/model")
    data = newest(store, "format_extract/*/*/format.json")
    floors = [("demo", False), ("demo", True)] if data else []
    evaluations = []
    for model, constrained in [("regex", False), *floors, *((each, False) for each in trained)]:
        folder = None if model in ("regex", "demo") else Path(model)
        extractor = evaluate.load_extractor(
            model,
            folder,
            prepared=Path(data[0]).parent if data else None,
            batch_size=batch_size,
            constrained=constrained,
        )
        evaluation = evaluate.evaluate_extractor(
            extractor,
            records,
            model=ModelInfo(name=extractor.name, version=str(folder or model)),
            test_set=TestData(articles, records, "real-articles@30").describe(),
        )
        print_evaluation(evaluation, console)
        file = Path(output) / f"{extractor.name.replace(', ', '-')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(evaluation.model_dump_json(indent=1) + "\n", encoding="utf-8")
        evaluations.append(evaluation)
    if len(evaluations) < 2:
        print(f"no trained model in {store}: only the rule floor was scored (make train-extract makes one)")
        return
    comparison = compare(evaluations)
    print_comparison(comparison, console)
    (Path(output) / "comparison.md").write_text(markdown(comparison), encoding="utf-8")


def newest(store: str, pattern: str) -> list[str]:
    """The newest of what a stage left in a store on this machine, if any."""
    found = Path(store).glob(f"artifacts/{pattern}")
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime)[-1:]]


if __name__ == "__main__":
    run_program(main)
