"""Serves the page on which a person labels articles."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import StoreFlag

if TYPE_CHECKING:
    from ctiforge.labels.page.candidates import Origin
    from ctiforge.records.article import ArticleRecord


def main(
    source: Annotated[
        Path, typer.Option("--input", help="Articles: records of a harvest, a review file, or a folder with one.")
    ],
    annotator: Annotated[str, typer.Option(help="Who labels: the name that the labels bear.")],
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
    import secrets

    from ctiforge.errors import UsageError
    from ctiforge.labels.page.app import make_app
    from ctiforge.labels.page.guide import read_guide
    from ctiforge.labels.page.reading import origin_of, read_articles, read_candidates
    from ctiforge.labels.page.serving import HOST, listen, make_server
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

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


if __name__ == "__main__":
    run_program(main)
