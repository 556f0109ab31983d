"""On what terms a trained model may be published: its base's license, and what some of these ask of name and files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.release.licenses import HUB_LICENSES
from ctiforge.release.names import public_name

LLAMA, GEMMA = "llama", "gemma"
"""How the Hub's names of the licenses begin that bind whatever is made of a base."""
LLAMA_NAME = "Llama-"
"""What the name of a model that is made of Llama 3 or later must begin with (section 1.b.i of its license)."""

_META_NAME = re.compile(r"^meta-llama/.*llama-(?P<version>\d(?:\.\d)?)", re.IGNORECASE)
_SAYS_NOTHING = frozenset({"", "other", "unknown"})
# who takes weights under these may have to keep their terms
_HOLDS_ON = (
    "cc-by-nc",
    "cc-by-nd",
    "cc-by-sa",
    "gpl",
    "agpl",
    "lgpl",
    "openrail",
    "bigscience",
    "bigcode",
    "creativeml",
)
_NOTICE = "NOTICE"
_META = (
    "{name} is licensed under the {name} Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.\n"
    "Built with Llama.\n"
)
_GOOGLE = "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n"


@dataclass(frozen=True)
class BaseTerms:
    """What is known of a base model's terms."""

    name: str
    """The base, as the training names it."""
    license: str | None = None
    """As its card names it."""
    model_type: str | None = None
    """As its configuration names the architecture."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Its license and notice files."""

    @property
    def binding(self) -> str | None:
        """Name the license that whatever is made of the base must keep; None where there is none."""
        if self.named:
            return self.named if self.named.startswith((LLAMA, GEMMA)) else None
        if (self.model_type or "").startswith(GEMMA):
            return GEMMA
        meta = _META_NAME.search(self.name)
        return f"{LLAMA}{meta['version']}" if meta else None

    @property
    def named(self) -> str | None:
        """Name the license as the Hub spells it; None where the card names none, or one that says nothing."""
        spelled = (self.license or "").strip().casefold()
        return None if spelled in _SAYS_NOTHING else spelled


def choose_license(given: str | None, base: BaseTerms) -> str:
    """Choose the license of a trained model.

    Args:
        given: What was asked for, as the Hub names it; None: the base's.
        base: The terms of its base.

    Returns:
        The license.

    Raises:
        UsageError: Nobody names one, or another is asked for than the base's binds to.
    """
    named = given or base.named or base.binding
    if given and given not in HUB_LICENSES:
        raise UsageError(
            f"--license {given} is none that the Hub knows: give its short name, such as apache-2.0, or other "
            "(https://hf.co/docs/hub/repositories-licenses)"
        )
    if not named:
        raise UsageError(
            f"nobody names the license of its base, {public_name(base.name)}: look it up, and give that of these "
            "weights with --license"
        )
    if base.binding and named != base.binding:
        raise UsageError(
            f"--license {named}: its base, {public_name(base.name)}, is under {base.binding}, which holds for what is "
            "made of it: leave --license out"
        )
    return named


def doubt_license(license_name: str, base: BaseTerms) -> str | None:
    """Say what speaks against a license that the base's does not plainly forbid; None where nothing does."""
    if base.named and base.named != license_name and base.named.startswith(_HOLDS_ON):
        return (
            f"--license {license_name}: its base, {public_name(base.name)}, is under {base.named}, whose terms may "
            "hold for what is made of it: read them"
        )
    return None


def check_name(repo: str, license_name: str) -> None:
    """Refuse a repository's name that the license does not allow.

    Args:
        repo: `owner/name`.
        license_name: The license of what is published.

    Raises:
        UsageError: It is made of Llama 3 or later, and its name does not begin so.
    """
    name = repo.rpartition("/")[2]
    if license_name.startswith(LLAMA) and license_name != "llama2" and not name.startswith(LLAMA_NAME):
        raise UsageError(
            f"--repo {repo}: its base's license, {license_name}, wants a name that begins with {LLAMA_NAME}: "
            f"{repo.partition('/')[0]}/{LLAMA_NAME}{name}"
        )


def write_terms(license_name: str, base: BaseTerms, folder: Path) -> None:
    """Put the files that the terms ask for beside a model: the base's own, and the notice that its license words.

    Args:
        license_name: The license of what is published.
        base: The terms of its base.
        folder: The folder that is published.
    """
    for name, content in base.files.items():
        (folder / name).write_bytes(content)
    said = notice(license_name)
    if said and _NOTICE not in base.files:
        (folder / _NOTICE).write_text(said, encoding="utf-8")


def notice(license_name: str) -> str:
    """Write the notice that a license asks for; empty where it asks for none.

    Args:
        license_name: As the Hub names it: `llama3.2`.

    Returns:
        Its text, as a file and a card show it.
    """
    if license_name.startswith(LLAMA):
        return _META.format(name=f"Llama {license_name.removeprefix(LLAMA)}")
    return _GOOGLE if license_name.startswith(GEMMA) else ""
