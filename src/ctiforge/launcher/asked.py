"""What the launcher's verbs are asked with: the flags that they share, and which store those name."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.errors import UsageError
from ctiforge.visible import visible

if TYPE_CHECKING:
    from ctiforge.settings import Loaded
    from ctiforge.store.objects import ObjectStore

StoreFlag = Annotated[str | None, typer.Option("--store", help="Folder or s3://bucket/prefix of artifacts and runs.")]
BackendFlag = Annotated[
    str | None, typer.Option("--backend", help="Where stages run: local or kubernetes.", metavar="local|kubernetes")
]


def check_run(run_id: str | None) -> str | None:
    """Give back a run's id or its beginning; UsageError for a text that no run can have."""
    if run_id is not None and not re.fullmatch("[a-z0-9-]+", run_id):
        raise UsageError(
            f"{run_id!r} is no run's id, which has lower-case letters, digits and hyphens; see `ctiforge runs`"
        )
    return run_id


RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's id, or its beginning.", callback=check_run)
]


def say(text: str) -> None:
    """Print text for people, whatever strange characters it has."""
    typer.echo(visible(text))


def load(store: str | None, backend: str | None) -> "Loaded":
    """Load the settings, over them these flags."""
    from ctiforge.settings import load_settings

    return load_settings({"store": store, "backend": backend})


def open_named(loaded: "Loaded") -> "ObjectStore":
    """Give the store that is to be read; a folder that is not there is not made."""
    from ctiforge.store.objects import open_to_look

    return open_to_look(find_store_of(loaded), is_named=loaded.is_named("store"))


def open_to_check(loaded: "Loaded") -> "ObjectStore":
    """Give the store that is to be tried by writing into it; a missing folder is made."""
    from ctiforge.store.objects import open_store

    return open_store(find_store_of(loaded))


def find_store_of(loaded: "Loaded") -> str:
    """Give the URI of the settings' store or, in a cluster, of the chart's release."""
    if loaded.settings.backend == "local" or loaded.is_named("store"):
        return loaded.settings.store
    from ctiforge.launcher.kubernetes.release import find_release

    return find_release(loaded).settings.store
