"""Makes, imports and lists test sets: articles that a person has checked, immutable once imported.

A test set holds observables, the operating systems that articles are about, or both.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import StoreFlag

if TYPE_CHECKING:
    from ctiforge.records.testset import TestSet

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def create(
    output: Annotated[Path, typer.Option(help="The review file to write (JSONL).")] = Path("review.jsonl"),
    source: Annotated[
        Path | None,
        typer.Option("--input", help="Records of a harvest; default: the database that DATABASE_URL names."),
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Articles to review.")] = 50,
    seed: int = 0,
) -> None:
    """Sample articles by length, type and platform into a file to review: correct it, name the annotator, import it."""
    from ctiforge.extract.testset_review import write_sample
    from ctiforge.records.article import OS_LABELS

    written = write_sample(source, output, size, seed)
    print(
        f"{written} articles in {output}: correct observables and labelled_types, or empty both and set os_label "
        f"({', '.join(OS_LABELS)}), or do both; fill in annotator, then: ctiforge testset import {output} --name NAME"
    )


@app.command()
def draw(
    name: Annotated[str, typer.Option(help="The test set's name.")],
    size: Annotated[int, typer.Option(min=1, help="Articles at most.")] = 50,
    seed: int = 0,
    store: StoreFlag = None,
) -> None:
    """Draw a test set from the registry of labels (ctiforge labels): labeled articles that no test set has yet.

    Those labeled for evaluation come first, those labeled for training never; what people contradict each other about
    is left out. Neither the articles nor their near duplicates are trained on from then on.
    """
    from tempfile import TemporaryDirectory

    from ctiforge.data.labels import read_labels
    from ctiforge.data.testsets import import_testset, load_newest
    from ctiforge.labels.drawing import draw_test_articles
    from ctiforge.progress import warn
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

    opened = open_store(load_settings({"store": store}).settings.store)
    known = [article for articles in load_newest(opened, but=name) for article in articles]
    with TemporaryDirectory() as scratch:
        drawn = draw_test_articles(read_labels(opened), size, seed, known, Path(scratch))
    for reason, count in sorted(drawn.left_out.items()):
        warn(f"left out: {reason}: {count}")
    test_set = import_testset(opened, name, drawn.articles, note="drawn from the registry of labels")
    print(f"{test_set.reference} in {opened.uri}: {test_set.articles} articles, labeled: {_types(test_set)}")


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(help="The reviewed JSONL, or the application's config/eval_articles_data (or a part of it)."),
    ],
    name: Annotated[str, typer.Option(help="The test set's name.")],
    annotator: Annotated[str | None, typer.Option(help="Who checked the articles that name nobody.")] = None,
    store: StoreFlag = None,
) -> None:
    """Keep a reviewed file as the next, immutable version of a test set."""
    from ctiforge.data.evaluation_data import is_evaluation_data, read_evaluation_data
    from ctiforge.data.testsets import find_unplaced, import_testset, read_labelled_articles
    from ctiforge.progress import warn
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

    opened = open_store(load_settings({"store": store}).settings.store)
    if is_evaluation_data(file):
        data = read_evaluation_data(file)
        articles = data.articles
        for reason, count in sorted(data.left_out.items()):
            warn(f"left out: {reason}: {count}")
    else:
        articles = list(read_labelled_articles(file))
    test_set = import_testset(opened, name, articles, annotator)
    if unplaced := find_unplaced(articles):
        shown = "; ".join(f"{id_}: {each.type} {each.value[:60]!r}" for id_, each in unplaced[:3])
        more = "; …" if len(unplaced) > 3 else ""
        warn(f"{len(unplaced)} observables stand nowhere in their article, and count all the same: {shown}{more}")
    print(f"{test_set.reference} in {opened.uri}: {test_set.articles} articles, labeled: {_types(test_set)}")


@app.command()
def plan(
    name: Annotated[str | None, typer.Argument(help="The test set: `name` (its newest version) or `name@2`.")] = None,
    gain: Annotated[float, typer.Option(help="How much better a model is in truth, in the primary figure.")] = 0.05,
    line: Annotated[str, typer.Option(help="extract or os-bert.")] = "extract",
    evaluation: Annotated[
        list[str] | None,
        typer.Option(
            help="An evaluation of the model that stands; a second one, of the next recipe's model, makes the plan "
            "exact (repeat the flag). Default: the champion's."
        ),
    ] = None,
    store: StoreFlag = None,
) -> None:
    """Say how likely the gate promotes a better model on a test set, and how many articles it takes."""
    from ctiforge.data.testsets import get_testset
    from ctiforge.errors import UsageError
    from ctiforge.promotion.planning import plan_tables, plan_test_set
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_to_look
    from ctiforge.tables import print_tables, wide_console

    if name is None and not evaluation:
        raise UsageError("name a test set, or give an evaluation with --evaluation")
    loaded = load_settings({"store": store})
    opened = open_to_look(loaded.settings.store, is_named=loaded.is_named("store"))
    found = plan_test_set(line, get_testset(opened, name) if name else None, gain, evaluation or (), opened)
    print_tables(plan_tables(found, gain), wide_console())


@app.command("list")
def list_(store: StoreFlag = None) -> None:
    """List every version of every test set."""
    from rich.console import Console

    from ctiforge.data.testsets import list_testsets
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import find_store
    from ctiforge.tables import print_tables, table_of

    titles = ("test set", "articles", "labeled", "annotator")
    rows = []
    opened = find_store(load_settings({"store": store}).settings.store)
    for each in list_testsets(opened) if opened else ():
        rows.append((each.reference, each.articles, _types(each), each.annotator))
    if not rows:
        print("there are no test sets yet: make one with `ctiforge testset create` and `import`")
        return
    print_tables([table_of(titles, rows, left=range(len(titles)), look="bare")], Console())


def _types(test_set: "TestSet") -> str:
    return ", ".join(f"{type_} {count}" for type_, count in test_set.labelled_types.items())


if __name__ == "__main__":
    exit_on_error(app)
