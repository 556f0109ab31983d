"""The Hugging Face Hub, as publishing needs it: each call told in one line when it fails, tried again when it may pass.

huggingface_hub tries some calls again and others not, waits as long as a server asks, and has no
time-outs: so all of that is done here, the same for every call.
"""

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read at the import below; with Xet a lost reply makes two commits

import httpx2
import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from ctiforge.errors import UsageError
from ctiforge.release.hub_troubles import CONFLICTS, PASSING, UnansweredError, find_trouble

DELAYS_S = (1.0, 2.0, 4.0, 8.0)
"""Between tries, where the Hub does not say how long to wait."""
LONGEST_WAIT_S = 60.0
TIMEOUT = httpx2.Timeout(60, connect=15, read=120)

RepoKind = Literal["model", "dataset"]
"""What a repository holds."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Remote:
    """A repository that exists."""

    head: str
    """Its newest commit."""
    private: bool


class Hub:
    """The calls that publishing makes, with the token of HF_TOKEN or of the Hub's own login.

    All of them are about repositories of one kind: two of different kinds may have one name.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep, kind: RepoKind = "model") -> None:
        constants.HF_HUB_DISABLE_XET = True  # where something else imported huggingface_hub before us
        huggingface_hub.logging.set_verbosity(logging.ERROR)  # its warnings quote signed URLs
        if constants.HF_HUB_OFFLINE:
            raise UsageError("HF_HUB_OFFLINE is set: unset it to publish")
        if not sys.stderr.isatty():
            disable_progress_bars()
        huggingface_hub.set_client_factory(_Client)
        self._api = HfApi(library_name="ctiforge")
        self._sleep = sleep
        self._kind = kind

    def check_may_write(self, repo: str) -> None:
        """Check that the token may write to a repository, as far as the Hub tells before a write.

        Args:
            repo: `owner/name`.

        Raises:
            UsageError: The token is missing or wrong, its user is no member of the owner, or either may only read.
            HubError: The Hub does not answer.
        """
        who = self._call("logging in", self._api.whoami)
        owner = repo.partition("/")[0]
        roles = {str(org["name"]): org.get("roleInOrg") for org in who.get("orgs") or []}
        if owner != who["name"] and owner not in roles:
            raise UsageError(
                f"{who['name']} is no member of {owner} (it is in: {', '.join(roles) or 'no organization'})"
            )
        token = (who.get("auth") or {}).get("accessToken") or {}
        if token.get("role") == "read" or roles.get(owner) == "read":
            raise UsageError(f"{who['name']} may only read {owner}: use a token and a role that may write")

    def find(self, repo: str) -> Remote | None:
        """Look up a repository.

        Args:
            repo: `owner/name`.

        Returns:
            The repository, None where there is none, or none that the token may see.

        Raises:
            HubError: The Hub does not answer.
        """

        def ask() -> Remote | None:
            try:
                info = self._api.repo_info(repo, repo_type=self._kind)
            except RepositoryNotFoundError:
                return None
            return Remote(str(info.sha), bool(info.private))

        return self._call(f"looking for {repo}", ask)

    def namesakes(self, repo: str) -> list[str]:
        """Search for repositories of other owners with the same name, whatever its case and separators.

        Args:
            repo: `owner/name`.

        Returns:
            Their `owner/name`, sorted, among the first 100 that the Hub finds.

        Raises:
            HubError: The Hub does not answer.
        """
        owner, _, name = repo.partition("/")
        search = self._api.list_models if self._kind == "model" else self._api.list_datasets
        found = self._call(f"searching for {name}", lambda: [each.id for each in search(search=name, limit=100)])
        same = [each for each in found if _letters(each.rpartition("/")[2]) == _letters(name)]
        return sorted(each for each in same if each.partition("/")[0] != owner)

    def create(self, repo: str, private: bool) -> None:
        """Create a repository; one that has come to be meanwhile is as good.

        Args:
            repo: `owner/name`.
            private: Whether only the owner may see it.

        Raises:
            UsageError: The token has no right to do so.
            HubError: The Hub does not answer.
        """
        self._call(
            f"creating {repo}",
            lambda: bool(self._api.create_repo(repo, private=private, repo_type=self._kind)),
            done=lambda: True if self.find(repo) else None,
        )

    def tags(self, repo: str) -> dict[str, str]:
        """List the tags of a repository.

        Args:
            repo: `owner/name`.

        Returns:
            Tag → the id of the commit that it stands on.

        Raises:
            HubError: The Hub does not answer.
        """
        refs = self._call(f"reading the tags of {repo}", lambda: self._api.list_repo_refs(repo, repo_type=self._kind))
        return {tag.name: tag.target_commit for tag in refs.tags}

    def files(self, repo: str, revision: str) -> dict[str, str]:
        """List the files of a revision.

        Args:
            repo: `owner/name`.
            revision: A commit, a tag or a branch.

        Returns:
            File → its digest: SHA-256 of large ones, git's SHA-1 of the others (`digests` computes both for a folder).

        Raises:
            HubError: The Hub does not answer.
        """
        tree = self._call(
            f"listing {repo}",
            lambda: list(self._api.list_repo_tree(repo, revision=revision, recursive=True, repo_type=self._kind)),
        )
        return {
            each.path: each.lfs.sha256 if each.lfs else each.blob_id
            for each in tree
            if isinstance(each, huggingface_hub.hf_api.RepoFile)
        }

    def commit(self, repo: str, folder: Path, remove: Sequence[str], parent: str, title: str) -> str:
        """Upload a folder's files and remove others in one commit.

        Args:
            repo: `owner/name`.
            folder: The folder whose files, without subfolders, are uploaded.
            remove: Names of files of the repository to remove.
            parent: The commit to build on: it must still be the newest.
            title: The commit's title, which must be this content's own: by it a commit is known whose reply was lost.

        Returns:
            The commit's id.

        Raises:
            UsageError: The token has no right to do so.
            DataError: The Hub refuses the card.
            HubError: Somebody else committed meanwhile, or the Hub does not answer.
        """
        additions = [CommitOperationAdd(path.name, path) for path in sorted(folder.iterdir())]
        removals = [CommitOperationDelete(name) for name in remove]
        self._call(
            f"uploading to {repo}",
            lambda: self._api.preupload_lfs_files(repo, additions=additions, repo_type=self._kind),
        )
        return self._call(
            f"committing to {repo}",
            lambda: (
                self._api.create_commit(
                    repo,
                    [*additions, *removals],
                    commit_message=title,
                    parent_commit=parent,
                    repo_type=self._kind,
                ).oid
            ),
            done=lambda: self._landed(repo, parent, title),
        )

    def tag(self, repo: str, tag: str, commit: str, message: str) -> None:
        """Tag a commit; a tag that stands there already is as good.

        Args:
            repo: `owner/name`.
            tag: The tag's name.
            commit: The commit's id.
            message: The tag's message.

        Raises:
            UsageError: The tag stands on another commit, or the token has no right to tag.
            HubError: The Hub does not answer.
        """
        self._call(
            f"tagging {repo}",
            lambda: (
                self._api.create_tag(repo, tag=tag, revision=commit, tag_message=message, repo_type=self._kind) or True
            ),
            # a tag that is there at all: where it stands is looked at below
            done=lambda: True if tag in self.tags(repo) else None,
        )
        stands_on = self.tags(repo).get(tag)
        if stands_on != commit:
            raise UsageError(f"{repo}: {tag} is a tag on commit {stands_on}, not on {commit}: take a higher version")

    def download(self, repo: str, revision: str, name: str, into: Path) -> Path:
        """Download one file of a revision, from the Hub itself and from no cache; its content is not checked here.

        Args:
            repo: `owner/name`.
            revision: A commit, a tag or a branch.
            name: The file's name.
            into: The folder to download to.

        Returns:
            The file on this machine.

        Raises:
            HubError: The Hub does not answer.
        """
        return Path(
            self._call(
                f"downloading {name} of {repo}",
                lambda: self._api.hf_hub_download(
                    repo,
                    name,
                    revision=revision,
                    repo_type=self._kind,
                    local_dir=into,
                    cache_dir=into / ".hub",
                    force_download=True,
                ),
            )
        )

    def _landed(self, repo: str, parent: str, title: str) -> str | None:
        """Find the newest commit, when it is ours although no reply said so."""
        commits = self._call(
            f"reading the commits of {repo}", lambda: self._api.list_repo_commits(repo, repo_type=self._kind)
        )
        ids = [each.commit_id for each in commits]
        return ids[0] if len(ids) > 1 and ids[1] == parent and commits[0].title == title else None

    def _call(self, what: str, request: Callable[[], _T], done: Callable[[], _T | None] = lambda: None) -> _T:
        """Call, and again while the trouble may pass; before each further try `done` says whether it was done."""
        for delay in (*DELAYS_S, None):
            try:
                return request()
            except Exception as error:
                found = find_trouble(error)
                if not found:
                    raise
                trouble = found
            if (trouble.passing or trouble.status in CONFLICTS) and (result := done()) is not None:
                return result
            wait = trouble.wait_s if trouble.wait_s is not None else delay
            if not trouble.passing or delay is None or wait is None or wait > LONGEST_WAIT_S:
                break
            self._sleep(wait)
        raise trouble.kind(f"{what}: {trouble.message}")


class _Client(httpx2.Client):
    """Has time-outs even where huggingface_hub asks for none, and leaves every further try to `Hub`."""

    def __init__(self) -> None:
        super().__init__(follow_redirects=True, timeout=TIMEOUT)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if None in request.extensions["timeout"].values():
            request.extensions["timeout"] = TIMEOUT.as_dict()
        try:
            response = super().send(request, **options)
        except httpx2.TransportError as error:
            raise UnansweredError from error
        if response.status_code in PASSING:
            response.close()
            raise HfHubHTTPError("busy", response=response)
        return response


def digests(folder: Path) -> dict[str, tuple[str, str]]:
    """Compute (SHA-256, git's SHA-1) of each file: one of the two is what `Hub.files` lists."""
    found = {}
    for path in sorted(folder.iterdir()):
        sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                sha256.update(chunk)
                sha1.update(chunk)
        found[path.name] = sha256.hexdigest(), sha1.hexdigest()
    return found


def _letters(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())
