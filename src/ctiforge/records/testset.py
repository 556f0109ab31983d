"""`testset.json`: one version of a test set."""

from typing import ClassVar

from ctiforge.records.article import TESTSET_NAME
from ctiforge.records.base import File


class TestSet(File):
    """One version of a test set."""

    NAME: ClassVar[str] = "testset.json"
    __test__: ClassVar[bool] = False

    name: str
    """The test set's name."""
    version: int
    """Its number, from 1."""
    annotator: str
    """Who labeled its articles, several joined by commas."""
    articles: int
    """How many it has."""
    labelled_types: dict[str, int]
    """Type → articles in which it is labeled; `os_label` → those with an operating system's label."""
    sha256: str
    """SHA-256 of its `testset.jsonl`, in hex digits."""
    note: str = ""
    """Where it comes from, in the words of whoever imported it."""

    forgotten: int = 0
    """Articles that were removed from it since by `ctiforge forget`: the one way in which a version changes."""

    @property
    def reference(self) -> str:
        """Name the version: `name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def key(self) -> str:
        """Name the object of the store that holds its articles."""
        return f"testsets/{self.name}/{self.version}/{TESTSET_NAME}"
