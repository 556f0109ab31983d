"""The embedded defaults: a PostgreSQL on this machine with the demo corpora, and their test sets in the store."""

import json
from typing import Annotated

import typer

from ctiforge.pod.entry import exit_on_error

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
FolderFlag = Annotated[str, typer.Option(help="Where the server keeps its data.")]
DEFAULT_FOLDER = ".ctiforge/postgres"


@app.command()
def up(
    store: Annotated[
        str, typer.Option(help="The store that the demo test sets are registered in.")
    ] = ".ctiforge/store",
    folder: FolderFlag = DEFAULT_FOLDER,
) -> None:
    """Start the server, fill it where it is empty, and print one JSON line: database_url, test_set, os_test_set."""
    from dataclasses import asdict
    from pathlib import Path

    from ctiforge.demo.setup import start_demo
    from ctiforge.osbert.labeling.keywords import find_evidence

    demo = start_demo(Path(folder), store, find_evidence)
    print(json.dumps(asdict(demo)), flush=True)


@app.command()
def load(
    store: Annotated[
        str, typer.Option(help="The store that the demo test sets are registered in.")
    ] = ".ctiforge/store",
) -> None:
    """Load the demo corpora into the database that DATABASE_URL names; one with other articles is refused.

    Prints test_set and os_test_set as one JSON line; the URL may hold a password and is not repeated.
    """
    import os

    from ctiforge.demo.setup import load_demo_into
    from ctiforge.errors import UsageError
    from ctiforge.osbert.labeling.keywords import find_evidence

    url = os.environ.get("DATABASE_URL")
    if not url:
        raise UsageError("say which database: set DATABASE_URL")
    demo = load_demo_into(url, store, find_evidence)
    print(json.dumps({"test_set": demo.test_set, "os_test_set": demo.os_test_set}), flush=True)


@app.command()
def down(folder: FolderFlag = DEFAULT_FOLDER) -> None:
    """Stop the server; its data stay."""
    from pathlib import Path

    from ctiforge.demo.postgres import stop_postgres

    stop_postgres(Path(folder))


if __name__ == "__main__":
    exit_on_error(app)
