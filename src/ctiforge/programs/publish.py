"""Publishes a trained model on the Hugging Face Hub, with a card made from its evaluation and data."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import StoreFlag

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Publish a trained model on the Hugging Face Hub."""


@app.command("os-bert")
def os_bert(
    repo: Annotated[str, typer.Option(help="The repository: owner/name; created where there is none.")],
    version: Annotated[str, typer.Option(help="A semantic version above the newest one, which becomes the tag.")],
    model: Annotated[str, typer.Option(help="The trained model: folder, artifact, or models:os-bert@champion.")],
    evaluation: Annotated[
        str | None, typer.Option(help="Its evaluation (eval_os_bert): evaluation.json or artifact; needed.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="What it was trained on (prepare_os): prepare.json or artifact, for the card.")
    ] = None,
    license_name: Annotated[
        str, typer.Option("--license", "--licence", help="Of the weights, as the Hub names it.")
    ] = "apache-2.0",
    private: Annotated[bool, typer.Option("--private", help="Create a new repository as a private one.")] = False,
    allow_namesake: Annotated[
        bool,
        typer.Option(
            "--allow-namesake",
            help="Create a repository although another owner's model has that name; without it the name is "
            "refused, and free ones are named.",
        ),
    ] = False,
    store: StoreFlag = None,
    dry_run: Annotated[
        Path | None,
        typer.Option(help="Write what would be uploaded to this empty folder, and do nothing: no token, no network."),
    ] = None,
) -> None:
    """Upload safetensors, tokenizer and card as one tagged commit, then download and compare it.

    The token is HF_TOKEN, or that of the Hub's own login (hf auth login). The same command goes on after a stop.
    """
    from ctiforge.errors import UsageError
    from ctiforge.release.publish import HubTarget, check_target, describe_upload, prepare_upload, publish
    from ctiforge.store.named_models import find_model_uri

    target = HubTarget(repo, version, license_name, private, allow_namesake)
    check_target(target)
    if evaluation is None:
        raise UsageError("nothing is published without an evaluation: run eval_os_bert, then give --evaluation")
    if dry_run and dry_run.exists() and (not dry_run.is_dir() or any(dry_run.iterdir())):
        raise UsageError(f"--dry-run {dry_run} is there and not an empty folder: name another one")
    with TemporaryDirectory() as scratch:
        card, folder, left_out = prepare_upload(target, find_model_uri(model, store), evaluation, data, Path(scratch))
        if left_out:
            print(f"left out: {', '.join(left_out)}")
        if dry_run:
            shutil.copytree(folder, dry_run, dirs_exist_ok=True)
            print("\n".join(describe_upload(target, dry_run)))
            return

        from ctiforge.release.hub import Hub

        publish(Hub(), target, card, folder, lambda line: print(line, flush=True))
    print(f"-> {repo} {version}")


if __name__ == "__main__":
    exit_on_error(app)
