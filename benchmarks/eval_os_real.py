"""Scores the keyword rule and trained OS-BERTs on the 30 real articles.

One careful reader's labels, nearly all of them Windows: a smoke test, never a benchmark.
"""

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
) -> None:
    """Print accuracy and macro-F1 of the rule and of each model on the real articles, with intervals."""
    file = real_articles()
    from rich.console import Console

    from ctiforge.evaluation.tables.classifiers import print_classifier_evaluation
    from ctiforge.osbert.evaluate import evaluate_os_bert, read_test_articles
    from ctiforge.store.artifacts import find_input

    console = Console(width=140)
    articles = read_test_articles(file, "real-articles@30")
    chosen = models or last_trained(store)
    if not chosen:
        print(f"no trained model in {store} (make train-os-bert makes one)")
    for model in chosen:
        evaluation = evaluate_os_bert(
            articles,
            Path(model),
            find_input(model).content[:12],
            baselines=None,
            base_folder=None,
            trained_on=None,
            device="auto",
        )
        print_classifier_evaluation(evaluation, console)


def last_trained(store: str) -> list[str]:
    """The folder of the newest model that a training left in a store on this machine."""
    found = Path(store).glob("artifacts/train_os_bert/*/*/model.safetensors")
    return [str(path.parent) for path in sorted(found, key=lambda path: path.stat().st_mtime)[-1:]]


if __name__ == "__main__":
    run_program(main)
