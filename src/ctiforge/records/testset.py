"""`testset.json`: one version of a test set."""

from typing import ClassVar

from ctiforge.records.article import TESTSET_NAME
from ctiforge.records.base import File


class TestSet(File):
    """One version of a test set; `sha256` is that of its `testset.jsonl`."""

    NAME: ClassVar[str] = "testset.json"
    __test__: ClassVar[bool] = False

    name: str
    version: int
    annotator: str
    articles: int
    labelled_types: dict[str, int]
    """Type → articles in which it is labeled; `os_label` → those with an operating system's label."""
    sha256: str
    note: str = ""
    """Where it comes from, in the words of whoever imported it."""

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def key(self) -> str:
        """Where the records lie in the store."""
        return f"testsets/{self.name}/{self.version}/{TESTSET_NAME}"
