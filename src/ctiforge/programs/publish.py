"""Publishes trained models and labeled articles on the Hugging Face Hub, with cards made from what is known of them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.flags import StoreFlag

if TYPE_CHECKING:
    from ctiforge.records.training import Training
    from ctiforge.release.hub import RepoKind
    from ctiforge.release.publication import Publication
    from ctiforge.release.publish import HubTarget
    from ctiforge.release.terms import BaseTerms

TEST_SET = "testset:"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

RepoFlag = Annotated[str, typer.Option("--repo", help="The repository: owner/name; created where there is none.")]
VersionFlag = Annotated[
    str, typer.Option("--version", help="A semantic version above the newest one, which becomes the tag.")
]
LicenseFlag = Annotated[
    str | None,
    typer.Option(
        "--license", "--licence", help="Of the weights, as the Hub names it; default: the registry's, or the base's."
    ),
]
AuthorFlag = Annotated[
    str | None,
    typer.Option(
        "--author", help="Who is cited; without it, and without the setting, the card says nothing of a citation."
    ),
]
PublicFlag = Annotated[
    bool, typer.Option("--public", help="For everybody to see; without it a new repository is private.")
]
NamesakeFlag = Annotated[
    bool,
    typer.Option(
        "--allow-namesake",
        help="Create a repository although another owner's has that name; without it the name is refused, and "
        "free ones are named.",
    ),
]
TestSetRepoFlag = Annotated[
    str | None,
    typer.Option(
        "--test-set-repo",
        help="Where the Hub holds the test set (publish dataset): owner/name; default: nowhere, and the card says so.",
    ),
]
UploadNothingFlag = Annotated[
    Path | None,
    typer.Option(
        "--dry-run", help="Write what would be uploaded to this empty folder, and upload nothing: no token is needed."
    ),
]


@app.callback()
def main() -> None:
    """Publish a trained model or a dataset on the Hugging Face Hub."""


@app.command("os-bert")
def os_bert(
    repo: RepoFlag,
    version: VersionFlag,
    model: Annotated[str, typer.Option(help="The trained model: folder, artifact, or models:os-bert@champion.")],
    evaluation: Annotated[
        str | None, typer.Option(help="Its evaluation (eval_os_bert): evaluation.json or artifact; needed.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="What it was trained on (prepare_os): prepare.json or artifact, for the card.")
    ] = None,
    license_name: LicenseFlag = None,
    author: AuthorFlag = None,
    public: PublicFlag = False,
    allow_namesake: NamesakeFlag = False,
    test_set_repo: TestSetRepoFlag = None,
    store: StoreFlag = None,
    dry_run: UploadNothingFlag = None,
) -> None:
    """Upload safetensors, tokenizer and card as one tagged commit, then download and compare it.

    The token is HF_TOKEN, or that of the Hub's own login (hf auth login). The same command goes on after a stop.
    """
    from ctiforge.release.publish import HubTarget, prepare_upload
    from ctiforge.store.named_models import find_registered

    _refuse_own(model)
    uri, record = find_registered(model, store)
    license_name = license_name or (record.license if record else None)
    target = HubTarget(repo, version, license_name, public, cited(author), allow_namesake, test_set_repo)
    with _checked(target, evaluation, "eval_os_bert", dry_run) as (evaluated, scratch):
        found = prepare_upload(target, uri, evaluated, data, scratch, look_up_base)
        _upload(target, *found, dry_run)


@app.command("extract")
def extract(
    repo: RepoFlag,
    version: VersionFlag,
    model: Annotated[str, typer.Option(help="The trained model: folder, artifact, or models:extract@champion.")],
    evaluation: Annotated[
        str | None, typer.Option(help="Its evaluation (eval_extract): evaluation.json or artifact; needed.")
    ] = None,
    license_name: LicenseFlag = None,
    author: AuthorFlag = None,
    public: PublicFlag = False,
    allow_namesake: NamesakeFlag = False,
    test_set_repo: TestSetRepoFlag = None,
    store: StoreFlag = None,
    dry_run: UploadNothingFlag = None,
) -> None:
    """Upload an Extract Agent with its card, as os-bert does; an adapter as it is, to load over its base.

    The card says how the model is asked: asked otherwise, it answers worse.
    """
    from ctiforge.errors import UsageError
    from ctiforge.extract.evaluate import inner_folder
    from ctiforge.extract.prompts import prompt_of
    from ctiforge.records.evaluation import Evaluation
    from ctiforge.records.model_note import AgentNote
    from ctiforge.release.agent_upload import AskedWith, lay_out_agent
    from ctiforge.release.publish import HubTarget
    from ctiforge.store.artifacts import fetch_input, fetch_named, find_input
    from ctiforge.store.named_models import find_registered

    _refuse_own(model)
    uri, record = find_registered(model, store)
    license_name = license_name or (record.license if record else None)
    target = HubTarget(repo, version, license_name, public, cited(author), allow_namesake, test_set_repo)
    with _checked(target, evaluation, "eval_extract", dry_run) as (evaluated, scratch):
        found = find_input(uri)
        file = fetch_named(evaluated, Evaluation.NAME, scratch / "evaluation")
        report = Evaluation.parse(file.read_bytes(), evaluated)
        fetched = fetch_input(found, scratch / "model")
        if found.is_file:
            raise UsageError(f"--model {model} is a file: give the model's folder or artifact")
        weights = inner_folder(fetched)
        usage = AgentNote.load(weights / AgentNote.NAME).usage
        prompt = prompt_of(usage)
        asked = AskedWith(prompt.system, prompt.user(usage.types, "TEXT"))
        folder = scratch / "upload"
        card, left_out = lay_out_agent(target, weights, found.content, report, asked, folder, look_up_base)
        _upload(target, card, folder, left_out, dry_run)


@app.command("dataset")
def dataset(
    repo: RepoFlag,
    version: VersionFlag,
    data: Annotated[
        str, typer.Option(help="The output of harvest_extract or format_extract, folder or artifact; or testset:NAME.")
    ],
    with_texts: Annotated[
        bool,
        typer.Option("--with-texts", help="Pass the articles' texts on as well, which --license must allow for all."),
    ] = False,
    license_name: Annotated[
        str | None,
        typer.Option(
            "--license", "--licence", help="Of the labels, and of the texts where they are in it, as the Hub names it."
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="A host whose articles, with those of hosts below it, are not published (repeat the flag)."),
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="What the articles are written in, like en (repeat the flag).")
    ] = None,
    author: AuthorFlag = None,
    public: PublicFlag = False,
    allow_namesake: NamesakeFlag = False,
    store: StoreFlag = None,
    dry_run: UploadNothingFlag = None,
) -> None:
    """Upload labeled articles as a dataset, each with its address, the hash of its text, and its items as short quotes.

    Their texts stay here unless --with-texts is said. An article without an address that everybody can open is left
    out, with its items. Names of labelers are left out; quotes and texts are not changed.
    """
    from ctiforge.data.testsets import load_testset
    from ctiforge.release.dataset_card import DatasetOrigin
    from ctiforge.release.dataset_upload import (
        DatasetOptions,
        check_options,
        describe_dataset,
        lay_out_dataset,
        read_dataset,
    )
    from ctiforge.release.publish import HubTarget, check_target
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_to_look

    target = HubTarget(repo, version, license_name, public, cited(author), allow_namesake)
    options = DatasetOptions(with_texts, tuple(host.lower() for host in leave_out or ()), tuple(language or ()))
    check_target(target)
    check_options(target, options)
    check_dry_run(dry_run)
    with TemporaryDirectory() as name:
        scratch = Path(name)
        if data.startswith(TEST_SET):
            kept = open_to_look(load_settings({"store": store}).settings.store, is_named=store is not None)
            test_set, records = load_testset(kept, data.removeprefix(TEST_SET))
            origin, splits = DatasetOrigin(test_set.sha256, test_set=test_set), {"test": iter(records)}
        else:
            origin, splits = read_dataset(data, scratch)
        folder = scratch / "upload"
        card = lay_out_dataset(target, origin, splits, options, folder)
        _say("\n".join(describe_dataset(card)))
        _upload(target, card, folder, [], dry_run, "dataset")


def look_up_base(training: "Training") -> "BaseTerms":
    """Say on what terms the base of a training stands."""
    from ctiforge.release.terms import BaseTerms
    from ctiforge.training.bases import look_up_terms

    return BaseTerms(training.base_model, *look_up_terms(training.base_model, training.base_revision))


def cited(author: str | None) -> str | None:
    """Name who is cited: by the flag, else by the setting."""
    from ctiforge.settings import load_settings

    return load_settings({"author": author}).settings.author


def check_dry_run(folder: Path | None) -> None:
    """Refuse a folder that already holds something."""
    from ctiforge.errors import UsageError

    if folder and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--dry-run {folder} is there and not an empty folder: name another one")


def _refuse_own(model: str) -> None:
    """Refuse what comes with ctiforge, which is found nowhere as a trained model is."""
    from ctiforge.errors import UsageError
    from ctiforge.release.publish import is_demo
    from ctiforge.store.hub import OWN_NAMES

    if model in OWN_NAMES:
        what = "the demo's model proves the machinery" if is_demo(model) else "the rules have no weights"
        raise UsageError(f"--model {model} is refused: {what}; give a model that you trained: its folder or artifact")


@contextmanager
def _checked(
    target: "HubTarget", evaluation: str | None, program: str, dry_run: Path | None
) -> Iterator[tuple[str, Path]]:
    """Refuse what cannot be before anything is fetched; gives where the evaluation lies, and a scratch folder."""
    from ctiforge.errors import UsageError
    from ctiforge.release.publish import check_target

    check_target(target)
    if evaluation is None:
        raise UsageError(f"nothing is published without an evaluation: run {program}, then give --evaluation")
    check_dry_run(dry_run)
    with TemporaryDirectory() as scratch:
        yield evaluation, Path(scratch)


def _upload(
    target: "HubTarget",
    card: "Publication",
    folder: Path,
    left_out: list[str],
    dry_run: Path | None,
    kind: "RepoKind" = "model",
) -> None:
    from ctiforge.release.publish import describe_upload, publish

    if left_out:
        _say(f"left out: {', '.join(left_out)}")
    if dry_run:
        shutil.copytree(folder, dry_run, dirs_exist_ok=True)
        _say("\n".join(describe_upload(target, dry_run)))
        return

    from ctiforge.release.hub import Hub

    publish(Hub(kind=kind), target, card, folder, _say)
    _say(f"-> {target.repo} {target.version}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    exit_on_error(app)
