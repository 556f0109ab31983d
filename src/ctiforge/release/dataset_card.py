"""The card of a published dataset: every number in it is counted from its files or comes from the harvest's report."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from ctiforge.errors import DataError
from ctiforge.records.formatted import FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.published import PublishedArticle
from ctiforge.records.testset import TestSet
from ctiforge.release.card_text import card_table, render_text
from ctiforge.release.dataset_rows import LONGEST_QUOTE, DatasetCounts
from ctiforge.release.publication import Published
from ctiforge.tables import Cell

TEMPLATE = "dataset_card.md.j2"
SPLITS = ("train", "validation", "test")
_HOSTS = 30
"""Hosts that are named, those of most articles."""
_CREATORS = {"person": "expert-generated", "rule": "machine-generated", "model": "machine-generated"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HELD_OUT = re.compile(r"in test set \S+, or near to it")
_DTYPES = {str: "string", int: "int64"}


@dataclass(frozen=True)
class DatasetOrigin:
    """What a dataset was made of."""

    content: str
    """The hash of the files that it was read from."""
    harvest: HarvestReport | None = None
    """The report of the harvest; None for a test set, or where it is not there any more."""
    formatted: FormatReport | None = None
    """How its articles were divided for training; None: they were not."""
    test_set: TestSet | None = None
    """The test set that it is; None: it is none."""

    @property
    def what(self) -> str:
        """Say what it is, in two words."""
        return "test set" if self.test_set else "training data" if self.formatted else "harvest"


@dataclass(frozen=True)
class DatasetCard:
    """What a dataset's card is made of."""

    repo: str
    version: str
    license: str | None
    origin: DatasetOrigin
    counts: DatasetCounts
    texts: bool
    """Whether the articles' texts are in it."""
    languages: tuple[str, ...] = ()
    """What the texts are written in, as ISO 639 codes; empty: nobody said."""
    author: str | None = None
    previous: Published | None = None

    @property
    def title(self) -> str:
        """Name the version in the title of its commit."""
        return f"Dataset {self.version}"

    @property
    def source(self) -> str:
        """Say what it was made of."""
        return f"{self.origin.what} {self.origin.content[:12]}"

    def after(self, previous: Published | None) -> "DatasetCard":
        """Make the card of a version that another one came before."""
        return replace(self, previous=previous)

    def read(self, text: str, version: str) -> Published:
        """Read how many articles the card of a version says it has, by split."""
        return read_dataset_card(text, version)

    def check(self, text: str) -> None:
        """Raise DataError unless the metadata of a text holds the numbers of articles."""
        expected = {name: split.articles for name, split in self.counts.splits.items()}
        if read_dataset_card(text, self.version).figures != expected:
            raise DataError("the card's metadata does not hold the numbers of articles when it is read again")

    def outdated(self, there: Collection[str], folder: Path) -> list[str]:
        """List the data files of a repository that a folder replaces by nothing."""
        own = {file_of(name) for name in SPLITS}
        return sorted(name for name in there if name in own and not (folder / name).exists())

    def render(self) -> str:
        """Render the card: metadata, then the text."""
        counts, harvest = self.counts, self.origin.harvest
        more = {
            "what": self.origin.what,
            "articles": sum(split.articles for split in counts.splits.values()),
            "item_count": counts.items.total(),
            "types": sorted(counts.labeled),
            "longest_quote": LONGEST_QUOTE,
            "splits_table": self._splits_table(),
            "types_table": self._types_table(),
            "excluded": _public_reasons(harvest.excluded) if harvest else {},
            "set_aside": _public_reasons(harvest.items_set_aside, harvest.entries_set_aside) if harvest else {},
            "hosts_table": card_table(
                ("host", "articles"), [(Cell(host, code=True), n) for host, n in counts.hosts.most_common(_HOSTS)]
            ),
            "more_hosts": max(0, len(counts.hosts) - _HOSTS),
            "changes_table": self._changes_table(),
        }
        return _front_matter(self) + render_text(TEMPLATE, vars(self) | more)

    def _splits_table(self) -> str:
        rows = [
            (Cell(name, code=True), split.articles, split.positives, split.items)
            for name, split in self.counts.splits.items()
        ]
        return card_table(("split", "articles", "with an item", "items"), rows)

    def _types_table(self) -> str:
        counts = self.counts
        rows = [
            (Cell(type_, code=True), counts.labeled[type_], counts.positives[type_], counts.items[type_], unplaced)
            for type_ in sorted(counts.labeled)
            for unplaced in [counts.unplaced[type_]]
        ]
        return card_table(("type", "articles labeled", "with an item", "items", "items left out"), rows)

    def _changes_table(self) -> str:
        before = (self.previous.figures if self.previous else None) or {}
        rows = [
            (Cell(name, code=True), f"{before[name]:.0f}", split.articles, f"{split.articles - before[name]:+.0f}")
            for name, split in self.counts.splits.items()
            if name in before
        ]
        titles = ("articles", self.previous.version if self.previous else "", self.version, "change")
        return card_table(titles, rows) if rows else ""


def file_of(split: str) -> str:
    """Name the file of a split."""
    return f"{split}.jsonl"


def read_dataset_card(text: str, version: str) -> Published:
    """Read the numbers of articles in the metadata of a card; none where it holds none that can be read."""
    from huggingface_hub import DatasetCard as HubCard

    try:
        info: Any = HubCard(text, ignore_metadata_errors=True).data.get("dataset_info")
        return Published(version, figures={str(each["name"]): int(each["num_examples"]) for each in info["splits"]})
    except Exception:  # a card that somebody edited can break in any way, and is no reason to stop
        return Published(version)


def _front_matter(card: DatasetCard) -> str:
    from huggingface_hub import DatasetCardData

    counts = card.counts
    total = sum(split.articles for split in counts.splits.values())
    size = sum(split.bytes for split in counts.splits.values())
    tasks = [("token-classification", counts.labeled), ("text-classification", counts.systems)]
    metadata = DatasetCardData(
        pretty_name=f"{card.repo.rpartition('/')[2]} {card.version}",
        license=card.license,
        language=list(card.languages) or None,
        annotations_creators=sorted({_CREATORS[kind] for kind in counts.labelers}) or None,
        size_categories=[next((name for most, name in _SIZES if total < most), "n>1M")],
        task_categories=[task for task, labels in tasks if labels],
        tags=["cyber-threat-intelligence", "information-extraction", "observables"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": file_of(name)} for name in counts.splits],
            }
        ],
        dataset_info={
            "features": _features(PublishedArticle, () if card.texts else ("title", "text")),
            "splits": [
                {"name": name, "num_bytes": split.bytes, "num_examples": split.articles}
                for name, split in counts.splits.items()
            ],
            "download_size": size,
            "dataset_size": size,
        },
    )
    return f"---\n{metadata.to_yaml()}\n---\n"


def _features(kind: type[BaseModel], without: Collection[str] = ()) -> list[dict[str, Any]]:
    """Describe a record as the Hub's `datasets` does: else a column of nulls alone is read as one without a type."""
    return [
        {"name": name, **_feature(field.annotation)} for name, field in kind.model_fields.items() if name not in without
    ]


def _feature(annotation: Any) -> dict[str, Any]:
    known = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) is tuple:
        return {"list": _features(known[0])}
    if get_origin(annotation) is Literal:
        return {"dtype": "string"}
    return {"dtype": _DTYPES[annotation]} if annotation in _DTYPES else _feature(known[0])


def _public_reasons(*counts: Mapping[str, int]) -> dict[str, int]:
    """Add up reasons without the names of test sets, the most frequent first."""
    merged: Counter[str] = Counter()
    for each in counts:
        for reason, count in each.items():
            merged[_HELD_OUT.sub("in a test set, or near to it", reason)] += count
    return dict(merged.most_common())
