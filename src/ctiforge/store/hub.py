"""Base models of the Hub, pinned: a name stands for one commit of it, written `org/name@commit`."""

import re
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ctiforge.errors import UsageError
from ctiforge.progress import warn

OWN_NAMES = ("demo", "regex")
"""Words of ours that stand where a name of the Hub could."""
MAIN = "main"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BESIDE = ("*/*", "consolidated*")
"""What of a repository no model is loaded from: folders, and weights in their maker's own layout."""
_TIMEOUT_S = 20.0


def split_name(model: str) -> tuple[str, str | None]:
    """Split what names a model into the name and the revision after its `@`.

    Args:
        model: A hub name with or without a revision; or a folder, a URI or a word of ours.

    Returns:
        The name and the revision, None where there is none; anything but a hub name stays whole.
    """
    name, at, revision = model.rpartition("@")
    if at and revision and _NAME.fullmatch(name) and not Path(model).exists():
        return name, revision
    return model, None


def join_name(name: str, revision: str | None) -> str:
    """Write the revision of a model, where it has one, behind its name: what `split_name` takes apart.

    Args:
        name: A hub name, or anything else that names a model.
        revision: A branch, tag or commit; None: none is known, or there are none.

    Returns:
        `name@revision`, or the name.
    """
    return f"{name}@{revision}" if revision else name


def is_hub_name(model: str) -> bool:
    """Tell whether a model is one of the Hub: its name is one, and no folder of this machine has it.

    Args:
        model: What names a model.

    Returns:
        False for a folder, a URI, and words of ours like `demo`.
    """
    name, revision = split_name(model)
    if revision:
        return True
    return name not in OWN_NAMES and _NAME.fullmatch(name) is not None and not Path(name).is_dir()


def is_pinned(model: str) -> bool:
    """Tell whether a hub name says its commit.

    Args:
        model: What names a model.

    Returns:
        True for `org/name@` and 40 hex digits.
    """
    return _COMMIT.fullmatch(split_name(model)[1] or "") is not None


def with_revision(model: str, revision: str | None) -> str:
    """Write the revision behind the name of a model.

    Args:
        model: What names a model.
        revision: A branch, tag or commit of it; None: as the name says.

    Returns:
        `name@revision`, or the name as it was.

    Raises:
        UsageError: The model is none of the Hub, or its name says another revision.
    """
    if revision is None:
        return model
    name, own = split_name(model)
    if not is_hub_name(model):
        raise UsageError(f"--revision {revision}: {model} is no model of the Hub, and has no revisions: leave it out")
    if own and own != revision:
        raise UsageError(f"--revision {revision}: {model} names another one: give one of the two")
    return join_name(name, revision)


def pin(model: str, revision: str | None = None) -> str:
    """Resolve a hub name to the commit that it stands for now; what is no hub name stays as it is.

    A name that says its commit needs no network. Offline, or where the Hub does not answer, the commit is that of
    this machine's cache.

    Args:
        model: What names a model: a hub name, `name@revision`, a folder, a URI or a word of ours.
        revision: A branch, tag or commit; None: as the name says, else `main`.

    Returns:
        `name@commit`, or the model as it was named.

    Raises:
        UsageError: The Hub knows no such model or revision, or cannot be asked and the cache does not have it.
    """
    named = with_revision(model, revision)
    if not is_hub_name(named) or is_pinned(named):
        return named
    name, wanted = split_name(named)
    return f"{name}@{_resolve(name, wanted or MAIN)}"


def download(model: str, files: Collection[str]) -> Path:
    """Bring the files of a pinned model to this machine's cache.

    Args:
        model: `name@commit`.
        files: Patterns, as a shell's, of the files that are wanted.

    Returns:
        The folder of that commit; where the Hub cannot be asked, with what the cache has of it.

    Raises:
        OSError: It is not there, and cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    name, commit = split_name(model)
    return Path(snapshot_download(name, revision=commit, allow_patterns=list(files), ignore_patterns=list(_BESIDE)))


def _resolve(name: str, revision: str) -> str:
    try:
        from huggingface_hub import HfApi, constants
        from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
    except ModuleNotFoundError:
        raise UsageError(f"{name}: the client of the Hub is missing: pip install 'ctiforge[cpu]'") from None

    if constants.HF_HUB_OFFLINE:
        return _cached(name, revision) or _refuse(name, revision, "the Hub is not asked (HF_HUB_OFFLINE)")
    try:
        found = HfApi().model_info(name, revision=revision, timeout=_TIMEOUT_S).sha
    except RevisionNotFoundError:
        raise UsageError(f"{name} has no revision {revision} on the Hub: give a branch, tag or commit of it") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UsageError(
            f"{name}: there is no such folder, and on the Hub no such model, or none that HF_TOKEN may read: "
            "check the name"
        ) from None
    except Exception as error:  # whatever its HTTP client raises, the cache may know
        return _without_hub(name, revision, error)
    if not found:
        _refuse(name, revision, "the Hub names no commit of it")
    with suppress(OSError):
        # as its client does: what is loaded by its commit is found again by its name when the Hub is away
        ref = _ref(name, revision)
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(found, encoding="utf-8")
    return found


def _without_hub(name: str, revision: str, error: Exception) -> str:
    lines = str(error).strip().splitlines()
    reason = f"the Hub does not answer ({(lines[0] if lines else type(error).__name__)[:160]})"
    commit = _cached(name, revision) or _refuse(name, revision, reason)
    warn(f"{name}: {reason}; taken is the commit in this machine's cache, {commit}")
    return commit


def _cached(name: str, revision: str) -> str | None:
    """Find the commit that a branch or tag had when this machine last loaded it."""
    ref = _ref(name, revision)
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else ""
    return commit if _COMMIT.fullmatch(commit) else None


def _ref(name: str, revision: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model") / "refs" / revision


def _refuse(name: str, revision: str, reason: str) -> NoReturn:
    raise UsageError(
        f"{name}: which commit {revision} is cannot be told: there is no such folder, {reason}, and this machine's "
        f"cache does not know it; name the commit (--revision), or use a base in the store (ctiforge model add {name})"
    )
