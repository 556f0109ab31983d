"""What each way of reading finds on 40 windows of real articles, and what it costs (make prove-ways, after a run)."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from eval_real import newest
from real_data import real_articles

WINDOWS = 40


def main(
    store: Annotated[str, typer.Option(help="Where the last training is looked for.")] = ".ctiforge/store",
    teacher: Annotated[str | None, typer.Option(help="A model's folder that stands in the teacher's place.")] = None,
    window: Annotated[int, typer.Option(min=200, help="Characters of a window.")] = 1200,
) -> None:
    """Let every way read the same windows: rules, base, base to schema, base with examples, a teacher, trained."""
    articles = real_articles()
    from rich.console import Console

    from ctiforge.data.testsets import read_labelled_articles
    from ctiforge.extract import evaluate
    from ctiforge.extract.answering.examples_shown import read_passages
    from ctiforge.extract.shown_count import show_examples
    from ctiforge.records.evaluation import ModelInfo, TestSetInfo
    from ctiforge.reporting.contest import Contest, Side, side_of
    from ctiforge.reporting.worth_section import sentences, worth_table
    from ctiforge.tables import print_tables

    trained, data = newest(store, "train_extract/*/*/model"), newest(store, "format_extract/*/*/format.json")
    if not trained or not data:
        print(f"no trained model in {store}: make train-extract makes one")
        return
    records = cut(list(read_labelled_articles(articles)), window)
    prepared = Path(data[0]).parent
    digest = hashlib.sha256("".join(each.content for each in records).encode()).hexdigest()
    info = TestSetInfo(name="real-windows", version="1", content_hash=digest, articles=len(records))

    def ask(role: str, extractor: Any) -> Side:
        print(f"… {role}", flush=True)
        model = ModelInfo(name=extractor.name, version=role)
        return Side(role, evaluate.evaluate_extractor(extractor, records, model=model, test_set=info), {})

    def load(model: str, folder: str | None = None, **how: Any) -> Any:
        return evaluate.load_extractor(model, Path(folder) if folder else None, prepared=prepared, **how)

    shown = load("demo")
    tried = show_examples(shown, read_passages(prepared), read_passages(prepared, "validation"), "auto")
    print(f"examples chosen on validation: {shown.shown.count} ({tried})")
    ways = [
        ask("regex floor", load("regex")),
        ask("base model", load("demo")),
        ask("base model, constrained", load("demo", constrained=True)),
        ask("base model, with examples", shown),
        *([ask("teacher", load(teacher, teacher))] if teacher else []),
    ]
    new = ask("new model", load(trained[0], trained[0]))
    rivals = tuple(side_of(each.role, each.evaluation, new.evaluation) for each in ways)
    contest = Contest(new, rivals, None, rivals[0])
    print_tables([worth_table(contest)], Console(width=150))
    for said in sentences(contest):
        print(said)


def cut(records: Sequence[Any], window: int) -> list[Any]:
    """Cut windows that hold labeled items, and as many without as they fall, spread over the articles.

    Args:
        records: Articles with labels.
        window: Characters of a window.

    Returns:
        `WINDOWS` records, each with the items that stand in it.
    """
    from ctiforge.observables.locate import Locator

    found = []
    for record in records:
        for start in range(0, len(record.content), window):
            text = record.content[start : start + window]
            locator = Locator(text)
            items = tuple(each for each in record.observables if locator.stands(each.type, each.value))
            content_hash = hashlib.sha256(text.encode()).hexdigest()
            names = {"id": f"{record.id}-{start}", "content_hash": content_hash}
            found.append(record.model_copy(update={**names, "content": text, "observables": items}))
    with_items = [each for each in found if each.observables]
    without = [each for each in found if not each.observables]
    wanted = min(len(with_items), WINDOWS * 3 // 4)
    return _spread(with_items, wanted) + _spread(without, WINDOWS - wanted)


def _spread(records: Sequence[Any], count: int) -> list[Any]:
    return [records[index * len(records) // count] for index in range(count)]


if __name__ == "__main__":
    run_program(main)
