"""The labeled articles that extractors are evaluated on: a file or test set, or some of its articles."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import TestSetInfo


@dataclass(frozen=True)
class TestData:
    """The labeled articles that extractors answer."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    path: Path
    """The file that they are in."""
    records: Sequence[ArticleRecord]
    """Those that are asked about."""
    reference: str | None = None
    """`name@version` where they are a test set of the store."""
    drawn_from: int | None = None
    """Of how many labeled articles they were drawn; None: they are all of the file."""

    @classmethod
    def read(cls, path: Path, reference: str | None = None, sample: int | None = None) -> "TestData":
        """Read a file of JSON lines.

        Args:
            path: The file.
            reference: `name@version` where it is a test set of the store.
            sample: Of how many of its articles; None: all.

        Returns:
            The articles.

        Raises:
            DataError: A line is no labeled article.
        """
        whole = cls(path, list(read_labelled_articles(path)), reference)
        return whole.sampled(sample) if sample else whole

    def sampled(self, count: int) -> "TestData":
        """Take some of the labeled articles, spread evenly over the file.

        Args:
            count: How many.

        Returns:
            Those; all where there are no more.
        """
        labeled = [record for record in self.records if record.labelled_types]
        if len(labeled) <= count:
            return self
        step = len(labeled) / count
        chosen = [labeled[int(number * step)] for number in range(count)]
        return replace(self, records=chosen, drawn_from=len(labeled))

    def describe(self) -> TestSetInfo:
        """Name the test set.

        Returns:
            `name@version` of the store, else its file and hash, with how many articles are labeled.
        """
        content_hash = hashlib.sha256(self.path.read_bytes()).hexdigest()
        name, _, version = (self.reference or f"{self.path.stem}@{content_hash[:12]}").rpartition("@")
        labeled = sum(bool(record.labelled_types) for record in self.records)
        return TestSetInfo(
            name=name, version=version, content_hash=content_hash, articles=labeled, drawn_from=self.drawn_from
        )
