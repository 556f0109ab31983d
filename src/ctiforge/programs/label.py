"""Serves the page on which a person labels articles, and says which articles are worth labeling next."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import StoreFlag

if TYPE_CHECKING:
    from ctiforge.labels.page.candidates import Origin
    from ctiforge.records.article import ArticleRecord


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_ARTICLES = "Articles: records of a harvest, a review file, or a folder with one."


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    source: Annotated[Path | None, typer.Option("--input", help=_ARTICLES)] = None,
    annotator: Annotated[str | None, typer.Option(help="Who labels: the name that the labels bear.")] = None,
    candidates: Annotated[
        list[Path] | None,
        typer.Option(help="What a model found: evaluation.json, or records; may be repeated."),
    ] = None,
    guide: Annotated[
        Path | None, typer.Option(help="What counts and what does not, in Markdown; default: the guide that ships.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
    store: StoreFlag = None,
) -> None:
    """Label articles on a page of this machine: accept, refuse, correct and add; every act is saved at once.

    The page opens in a browser at the address that is printed; nobody else can open it. Labels go to the registry in
    the store.
    """
    if context.invoked_subcommand:
        return
    import secrets

    from ctiforge.errors import UsageError
    from ctiforge.labels.page.app import make_app
    from ctiforge.labels.page.guide import read_guide
    from ctiforge.labels.page.reading import origin_of, read_articles, read_candidates
    from ctiforge.labels.page.serving import HOST, listen, make_server
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

    if source is None or annotator is None:
        raise UsageError("give --input with articles and --annotator with a name (or see: ctiforge label next --help)")
    # a name that the shell gave in another encoding has characters that no file takes
    name = annotator.encode("utf-8", "replace").decode().strip()
    if not name:
        raise UsageError("--annotator is empty: give the name of whoever labels")
    articles = read_articles(source)
    found = [read_candidates(path) for path in candidates or ()]
    read_guide(guide)
    opened = open_store(load_settings({"store": store}).settings.store)

    def origins(article: "ArticleRecord") -> "list[Origin]":
        return [origin_of(article, source.stem), *(origin for of in found for origin in of(article))]

    token = secrets.token_urlsafe(24)
    app = make_app(articles, opened, annotator=name, token=token, guide=guide, origins=origins)
    socket = listen(port)
    print(f"{len(articles)} articles to label, into {opened.uri}; Ctrl-C ends it")
    print(f"-> http://{HOST}:{socket.getsockname()[1]}/?token={token}", flush=True)
    # Ctrl-C is how it is meant to end
    with suppress(KeyboardInterrupt):
        make_server(app).run(sockets=[socket])


@app.command("next")
def next_(
    source: Annotated[Path, typer.Option("--input", help=_ARTICLES)],
    count: Annotated[int, typer.Option(min=1, help="Articles at most.")] = 20,
    candidates: Annotated[
        list[Path] | None,
        typer.Option(
            help="What a model found: evaluation.json (with how sure it was, where its answers lie beside it), or "
            "records; may be repeated."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A file for the articles (JSONL), which `ctiforge label --input` opens.")
    ] = None,
    seed: int = 0,
    store: StoreFlag = None,
) -> None:
    """Show which articles are worth a person's time, and why: the most worth first.

    Worth it are articles about which rules and models disagree, of which a model is not sure, with types of which few
    examples are labeled, and unlike those labeled. What is labeled or in a test set is never shown, nor what is nearly
    the same.
    """
    from tempfile import TemporaryDirectory

    from ctiforge.data.labels import read_labels
    from ctiforge.data.testsets import load_newest
    from ctiforge.labels.page.reading import read_articles, read_candidates
    from ctiforge.labels.pool import choose_from, make_pool, queue_line, read_confidences
    from ctiforge.progress import warn
    from ctiforge.records.review import check_new_review, write_review
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import find_store
    from ctiforge.tables import print_tables, table_of, wide_console

    if output:
        check_new_review(output)
    articles = read_articles(source)
    finds = [read_candidates(path) for path in candidates or ()]
    sure = [read_confidences(path) for path in candidates or ()]
    confidences = {id_: min(each.get(id_, 1.0) for each in sure) for id_ in set().union(*sure)}
    opened = find_store(load_settings({"store": store}).settings.store)
    labels = list(read_labels(opened)) if opened else []
    tests = [each for articles_ in load_newest(opened, but="") for each in articles_] if opened else []
    with TemporaryDirectory() as scratch:
        pool = make_pool(articles, labels, tests, Path(scratch))
    for reason, left_out in sorted(pool.left_out.items()):
        warn(f"left out: {reason}: {left_out}")
    for path, of in zip(candidates or (), finds, strict=True):
        if not any(of(article) for article in articles):
            warn(f"--candidates {path} says nothing of any of these articles: give what was found in them")
    chosen = choose_from(pool, count, finds=finds, confidences=confidences, seed=seed)
    if not chosen:
        print("nothing is left to label here: harvest more articles")
        return
    rows = [(article.id, article.title, f"{why.score:.2f}", "; ".join(why.reasons)) for article, why in chosen]
    print_tables([table_of(("article", "title", "score", "why"), rows, left=(0, 1, 3), look="bare")], wide_console())
    if output:
        write_review(output, [queue_line(article, why) for article, why in chosen])
        print(f"-> {output}: label it with ctiforge label --input {output} --annotator NAME")


if __name__ == "__main__":
    exit_on_error(app)
