"""Versions of a published model: semantic ones, and which of a repository's tags are any."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering

from ctiforge.errors import UsageError

_NUMBER = r"(0|[1-9]\d*)"
_LABEL = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_LABEL}(?:\.{_LABEL})*))?", re.ASCII)


@total_ordering
@dataclass(frozen=True)
class Version:
    """`major.minor.patch` and, before that release, labels such as `rc.1`; ordered as semver.org says."""

    numbers: tuple[int, int, int]
    labels: tuple[str, ...] = ()

    def __lt__(self, other: "Version") -> bool:
        return self._rank() < other._rank()

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) + ("-" + ".".join(self.labels) if self.labels else "")

    def _rank(self) -> tuple[tuple[int, int, int], bool, list[tuple[bool, int, str]]]:
        labels = [(not each.isdigit(), int(each) if each.isdigit() else 0, each) for each in self.labels]
        return self.numbers, not self.labels, labels


def parse_version(text: str) -> Version:
    """Read a semantic version. Raises UsageError where it is none (build metadata has no order: refused too)."""
    match = _VERSION.fullmatch(text)
    if not match:
        raise UsageError(
            f"--version {text} is no semantic version: give major.minor.patch, such as 1.2.0 or 1.2.0-rc.1"
        )
    major, minor, patch = (int(match[number]) for number in (1, 2, 3))
    return Version((major, minor, patch), tuple(match[4].split(".")) if match[4] else ())


def known_versions(tags: Iterable[str]) -> dict[Version, str]:
    """Find the tags that are versions, with or without a leading v, lowest first; other tags are left out."""
    found = {}
    for tag in tags:
        try:
            found[parse_version(tag.removeprefix("v"))] = tag
        except UsageError:
            continue
    return dict(sorted(found.items()))
