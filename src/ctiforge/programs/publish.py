"""Publishes a trained model on the Hugging Face Hub, with a card made from its evaluation and data."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error

if TYPE_CHECKING:
    from ctiforge.records.classification import ClassifierEvaluation
    from ctiforge.records.prepared import PrepareReport

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Publish a trained model on the Hugging Face Hub."""


@app.command("os-bert")
def os_bert(
    repo: Annotated[str, typer.Option(help="The repository: owner/name; created where there is none.")],
    version: Annotated[str, typer.Option(help="A semantic version above the newest one, which becomes the tag.")],
    model: Annotated[str, typer.Option(help="The trained model: folder or artifact.")],
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
    dry_run: Annotated[
        Path | None,
        typer.Option(help="Write what would be uploaded to this empty folder, and do nothing: no token, no network."),
    ] = None,
) -> None:
    """Upload safetensors, tokenizer and card as one tagged commit, then download and compare it.

    The token is HF_TOKEN, or that of the Hub's own login (hf auth login). The same command goes on after a stop.
    """
    from ctiforge.errors import UsageError
    from ctiforge.release.publish import HubTarget, check_target, lay_out
    from ctiforge.store.artifacts import fetch_input, find_input

    target = HubTarget(repo, version, license_name, private, allow_namesake)
    check_target(target)
    if evaluation is None:
        raise UsageError("nothing is published without an evaluation: run eval_os_bert, then give --evaluation")
    if dry_run and dry_run.exists() and (not dry_run.is_dir() or any(dry_run.iterdir())):
        raise UsageError(f"--dry-run {dry_run} is there and not an empty folder: name another one")
    with TemporaryDirectory() as scratch:
        found = find_input(model)
        evaluated, report = read_evaluation(evaluation, Path(scratch)), read_report(data, Path(scratch))
        fetched = fetch_input(found, Path(scratch) / "model")
        if found.is_file:
            raise UsageError(f"--model {model} is a file: give the model's folder or artifact")
        folder = Path(scratch) / "upload"
        card, left_out = lay_out(target, fetched, found.content, evaluated, report, folder)
        if left_out:
            print(f"left out: {', '.join(left_out)}")
        if dry_run:
            shutil.copytree(folder, dry_run, dirs_exist_ok=True)
            describe(target.repo, target.version, dry_run)
            return

        from ctiforge.release.hub import Hub
        from ctiforge.release.publish import publish

        publish(Hub(), target, card, folder, lambda line: print(line, flush=True))
    print(f"-> {repo} {version}")


def read_evaluation(uri: str, scratch: Path) -> "ClassifierEvaluation":
    """Read the evaluation of a file, or of a folder that holds `evaluation.json`."""
    from ctiforge.records.classification import ClassifierEvaluation

    file = find_file(uri, ClassifierEvaluation.NAME, scratch / "evaluation")
    return ClassifierEvaluation.parse(file.read_bytes(), uri)


def read_report(uri: str | None, scratch: Path) -> "PrepareReport | None":
    """Read the report of a file, or of a folder that holds `prepare.json`."""
    from ctiforge.records.prepared import PrepareReport

    return PrepareReport.load(find_file(uri, PrepareReport.NAME, scratch / "data")) if uri else None


def find_file(uri: str, name: str, scratch: Path) -> Path:
    """Give the file itself, or that of this name in the folder or artifact; nothing else of it is fetched."""
    from dataclasses import replace

    from ctiforge.errors import DataError
    from ctiforge.store.artifacts import fetch_input, find_input

    found = find_input(uri)
    if found.is_file:
        return fetch_input(found, scratch)
    if name not in found.files:
        raise DataError(f"{uri} holds no {name}: check that it is the right artifact")
    return fetch_input(replace(found, files={name: found.files[name]}), scratch) / name


def describe(repo: str, version: str, folder: Path) -> None:
    """Say what publishing would do."""
    from ctiforge.release.bundle import hashes

    for name, entry in hashes(folder).items():
        print(f"{entry.sha256[:12]}  {entry.size:>11,}  {name}")
    print(f"would commit these files of {folder} to {repo}, tag the commit {version}, and download it to compare")
    print("where an earlier version is published, the card's section on changes will compare with it")


if __name__ == "__main__":
    exit_on_error(app)
