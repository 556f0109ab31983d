"""Publishing a model: lay its files out with a card, upload them as one tagged commit, and see that they arrived."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ctiforge.errors import DataError, UsageError
from ctiforge.progress import warn
from ctiforge.records.classification import ClassifierEvaluation, without_articles
from ctiforge.records.prepared import PrepareReport
from ctiforge.records.training import Training
from ctiforge.release.bundle import CARD, check_model, copy_model, hashes
from ctiforge.release.card import Card
from ctiforge.release.publication import Publication, Published
from ctiforge.release.terms import BaseTerms, check_name, choose_license, doubt_license, write_terms
from ctiforge.release.versions import Version, known_versions, parse_version
from ctiforge.store.artifacts import fetch_input, fetch_named, find_input
from ctiforge.store.fingerprint import content_hash

if TYPE_CHECKING:
    from ctiforge.release.hub import Hub

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)

Say = Callable[[str], None]
TermsOf = Callable[[Training], BaseTerms]


def is_demo(name: str) -> bool:
    """Tell whether a base model or a test set is the demo's, by its name.

    Args:
        name: The name: `demo`, `demo-os`.

    Returns:
        True for one of the demo.
    """
    return name == "demo" or name.startswith("demo-")


def unknown_terms(training: Training) -> BaseTerms:
    """Know nothing of a base's terms but its name."""
    return BaseTerms(training.base_model)


@dataclass(frozen=True)
class HubTarget:
    """Where to publish, and under which version."""

    repo: str
    """`owner/name`."""
    version: str
    """The version, which is the tag: `1.2.0`."""
    license: str | None = None
    """The Hub's short name of a license, `apache-2.0`; None: the base's."""
    public: bool = False
    """Whether a new repository is visible to everybody, instead of its owner alone."""
    author: str | None = None
    """Who is cited; None: the card says nothing of a citation."""
    allow_namesake: bool = False
    """Whether a new repository may have the name of somebody else's."""
    test_set_repo: str | None = None
    """Where the Hub holds the test set of a model, `owner/name`; None: nowhere."""


def check_target(target: HubTarget) -> None:
    """Refuse a repository, version or license that cannot be one.

    Args:
        target: Where to publish, and where its test set is.

    Raises:
        UsageError: One of them cannot be; the text says what it looks like.
    """
    parse_version(target.version)
    for flag, repo in (("--repo", target.repo), ("--test-set-repo", target.test_set_repo)):
        if repo and (not _REPO.fullmatch(repo) or "--" in repo or ".." in repo):
            raise UsageError(f"{flag} {repo} names no repository: give owner/name, such as my-team/os-bert")
    if target.license and not _LICENSE.fullmatch(target.license):
        raise UsageError(
            f"--license {target.license} is no license of the Hub: give its short name, such as apache-2.0"
        )


def prepare_upload(
    target: HubTarget, model: str, evaluation: str, data: str | None, scratch: Path, terms: TermsOf
) -> tuple[Card, Path, list[str]]:
    """Fetch a model with what its card tells, and lay out what is published of it.

    Args:
        target: Where it is to go.
        model: The trained model: a folder or artifact.
        evaluation: Its `evaluation.json`, or what holds one.
        data: The `prepare.json` of what it was trained on, or what holds one.
        scratch: A folder for it all.
        terms: Says on what terms the base of a training stands.

    Returns:
        The card, the folder that is to be uploaded, and the names of the model's files that are left out.

    Raises:
        UsageError: The evaluation is of other weights, or the model is a file.
        DataError: The model cannot be published, or something is not what it should be.
    """
    found = find_input(model)
    evaluated = ClassifierEvaluation.parse(
        fetch_named(evaluation, ClassifierEvaluation.NAME, scratch / "evaluation").read_bytes(), evaluation
    )
    report = PrepareReport.load(fetch_named(data, PrepareReport.NAME, scratch / "data")) if data else None
    fetched = fetch_input(found, scratch / "model")
    if found.is_file:
        raise UsageError(f"--model {model} is a file: give the model's folder or artifact")
    folder = scratch / "upload"
    card, left_out = lay_out(target, fetched, found.content, evaluated, report, folder, terms)
    return card, folder, left_out


def describe_upload(target: HubTarget, folder: Path) -> list[str]:
    """Say what publishing a folder would do.

    Args:
        target: Where it would go.
        folder: What would be uploaded.

    Returns:
        A line for each file, with hash and size in bytes, and what follows.
    """
    return [
        *(f"{entry.sha256[:12]}  {entry.size:>11,}  {name}" for name, entry in hashes(folder).items()),
        f"would commit these files of {folder} to {target.repo}, tag the commit {target.version}, "
        "and download it to compare",
        "where an earlier version is published, the card's section on changes will compare with it",
    ]


def lay_out(
    target: HubTarget,
    model: Path,
    model_content: str,
    evaluated: ClassifierEvaluation,
    data: PrepareReport | None,
    into: Path,
    terms: TermsOf = unknown_terms,
) -> tuple[Card, list[str]]:
    """Write every file that is published into a folder, with the card of a first version.

    Args:
        target: Where to publish, for the card.
        model: The folder of the trained model.
        model_content: The content hash of that folder (`Input.content`).
        evaluated: The model's evaluation.
        data: The report on its training data, None where it is not given.
        into: An empty folder.
        terms: Says on what terms the base of a training stands.

    Returns:
        The card, and the names of the model's files that are left out.

    Raises:
        UsageError: The evaluation is of other weights, the model is the demo's, nobody names its license, or the
            repository's name is not what the license wants.
        DataError: The model cannot be published: it is no classifier, lacks a file, or its labels differ.
    """
    check_evaluated(evaluated.model.version, model_content, "eval_os_bert")
    left_out = copy_model(model, into)
    note = check_model(into, evaluated)
    training, license_name = settle(target, model, evaluated.test_set.name, terms, into)
    without_articles(evaluated).write(into)
    card = Card(
        target.repo,
        target.version,
        license_name,
        note,
        training,
        evaluated,
        data,
        author=target.author,
        test_set_repo=target.test_set_repo,
    )
    write_card(card, into)
    return card, left_out


def write_card(card: Publication, folder: Path) -> None:
    """Write the card, once it is seen to hold the figures that it was made of."""
    text = card.render()
    card.check(text)
    (folder / CARD).write_text(text, encoding="utf-8")


def check_evaluated(version: str, content: str, program: str) -> None:
    """Raise UsageError unless an evaluation is of these very weights."""
    if version != content[:12]:
        raise UsageError(
            f"the evaluation is of weights {version}, the model has {content[:12]}: evaluate this model first "
            f"({program})"
        )


def settle(target: HubTarget, model: Path, test_set: str, terms: TermsOf, folder: Path) -> tuple[Training, str]:
    """Read how a model was trained, and settle its license, whose files go into the folder that is published.

    Args:
        target: Where to publish.
        model: The folder of the trained model.
        test_set: The name of the test set that it was evaluated on.
        terms: Says on what terms the base of a training stands.
        folder: The folder that is published.

    Returns:
        The training, and the license as the Hub names it.

    Raises:
        UsageError: It is a model of the demo, which knows templates: its figures say nothing of real articles. Or
            nobody names its license, or the repository's name is not what the license wants.
        DataError: The model does not say how it was trained.
    """
    training = Training.load(model / Training.NAME)
    if is_demo(training.base_model) or is_demo(test_set):
        raise UsageError(
            f"{training.name} is of the demo (its base model or its test set): it proves the machinery and is not "
            "published; train and evaluate on articles of your own"
        )
    base = terms(training)
    license_name = choose_license(target.license, base)
    if doubt := doubt_license(license_name, base):
        warn(doubt)
    check_name(target.repo, license_name)
    write_terms(license_name, base, folder)
    return training, license_name


def publish(hub: "Hub", target: HubTarget, card: Publication, folder: Path, say: Say) -> str:
    """Publish the folder that `lay_out` wrote as one tagged commit, download it again and compare.

    Goes on where an earlier call was stopped; a version that is there with the same content is only verified.

    Args:
        hub: The Hub.
        target: Where to publish, and under which version.
        card: The card that `lay_out` gave.
        folder: The folder that it wrote; the card in it is written anew with the version before.
        say: Is told each step, in one line.

    Returns:
        The id of the commit, tagged and verified.

    Raises:
        UsageError: The version is there with other content or is not higher than the newest, the repository's name is
            somebody else's, it is public and nobody said so, or the token may not write.
        DataError: The repository was created and cannot be found, or the Hub refuses the card.
        HubError: The Hub does not answer, or what was downloaded again differs.
    """
    repo = target.repo
    hub.check_may_write(repo)
    remote = hub.find(repo)
    tags = hub.tags(repo) if remote else {}
    known = known_versions(tags)
    _check_version(target, known)
    card = card.after(_previous(hub, target, card, known))
    write_card(card, folder)
    if standing := known.get(parse_version(target.version)):
        _check_same(hub, target, tags[standing], folder)
        say(f"{repo} has {standing} already, with this very content")
        _verify(hub, target, tags[standing], card, folder, say)
        return tags[standing]
    if remote is None:
        _check_name(hub, target, say)
        hub.create(repo, not target.public)
        say(f"created {repo} ({'public' if target.public else 'private'})")
        remote = hub.find(repo)
        if remote is None:
            raise DataError(f"{repo} was created and cannot be found: run the same command again")
    elif not target.public and not remote.private:
        raise UsageError(f"{repo} is public: say --public to publish to everybody, or make it private on the Hub first")
    elif target.public and remote.private:
        say(f"{repo} stays private: make it public on the Hub, since --public is only for a new one")
    remove = card.outdated(hub.files(repo, remote.head), folder)
    title = f"{card.title} ({content_hash(hashes(folder))[:12]})"
    commit = hub.commit(repo, folder, remove, remote.head, title)
    say(
        f"uploaded {len(hashes(folder))} files in commit {commit}"
        + (f", removed {', '.join(remove)}" if remove else "")
    )
    hub.tag(repo, target.version, commit, card.source)
    say(f"tagged {target.version}")
    _verify(hub, target, commit, card, folder, say)
    return commit


def _check_version(target: HubTarget, known: Mapping[Version, str]) -> None:
    version, newest = parse_version(target.version), max(known, default=None)
    if newest and version < newest and version not in known:
        raise UsageError(f"--version {version} is not higher than {newest}, the newest of {target.repo}")


def _previous(hub: "Hub", target: HubTarget, card: Publication, known: Mapping[Version, str]) -> Published | None:
    earlier = [version for version in known if version < parse_version(target.version)]
    if not earlier:
        return None
    tag = known[max(earlier)]
    if CARD not in hub.files(target.repo, tag):
        return Published(tag)
    with TemporaryDirectory() as scratch:
        text = hub.download(target.repo, tag, CARD, Path(scratch)).read_text(encoding="utf-8", errors="replace")
    return card.read(text, tag)


def _check_name(hub: "Hub", target: HubTarget, say: Say) -> None:
    owner, _, name = target.repo.partition("/")
    taken = hub.namesakes(target.repo)
    if not taken:
        return
    who = ", ".join(taken[:3]) + (f" and {len(taken) - 3} more" if len(taken) > 3 else "")
    if target.allow_namesake:
        say(f"note: there is {who} as well")
        return
    offered = (f"{name}-cti", f"cti-{name}", f"{owner}-{name}")
    free = [each for each in offered if not hub.namesakes(f"{owner}/{each}")]
    others = f"take another name ({', '.join(free)})" if free else "take another name"
    raise UsageError(f"the name {name} is taken by {who}: {others}, or keep it with --allow-namesake")


def _check_same(hub: "Hub", target: HubTarget, commit: str, folder: Path) -> None:
    from ctiforge.release.hub import digests

    there, here = hub.files(target.repo, commit), digests(folder)
    differing = sorted(name for name, both in here.items() if there.get(name) not in both)
    if differing:
        raise UsageError(
            f"{target.repo}: {target.version} is a tag on commit {commit[:12]} with other content "
            f"({', '.join(differing)}): take a higher version"
        )


def _verify(hub: "Hub", target: HubTarget, commit: str, card: Publication, folder: Path, say: Say) -> None:
    """Download everything again and compare: a file that was damaged on the way has the right size and no error."""
    from ctiforge.release.hub_troubles import HubError
    from ctiforge.store.objects import hash_file

    expected = hashes(folder)
    with TemporaryDirectory() as scratch:
        for name, entry in expected.items():
            if hash_file(hub.download(target.repo, commit, name, Path(scratch))) != entry:
                raise HubError(
                    f"{name} of {target.repo} {target.version} is not what was uploaded when it is downloaded again: "
                    "run the same command to look again; if it stays so, delete the tag and publish anew"
                )
        card.check((Path(scratch) / CARD).read_text(encoding="utf-8"))
    say(f"verified: {len(expected)} files downloaded again, equal by sha256, and the card read again")
