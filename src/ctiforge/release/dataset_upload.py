"""What is published of labeled articles: a file for each split, and the dataset's card."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import DataError, StoreError, UsageError
from ctiforge.records.article import RECORDS_NAME, ArticleRecord
from ctiforge.records.base import read_lines
from ctiforge.records.formatted import TRAINED_ON, ExampleRow, FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.release.dataset_card import DatasetCard, DatasetOrigin, file_of
from ctiforge.release.dataset_rows import LEFT_OUT, DatasetCounts, published_article
from ctiforge.release.licenses import HUB_LICENSES
from ctiforge.release.publish import HubTarget, is_demo, write_card
from ctiforge.store.artifacts import Input, fetch_input, fetch_named, find_input

_VALIDATION = "validation.jsonl"
_NO_TERMS = ("unknown", "other")
"""What the Hub calls licenses that say nothing of what is allowed."""


_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)


@dataclass(frozen=True)
class DatasetOptions:
    """What a person may choose about a dataset."""

    texts: bool = False
    """Whether the articles' texts are published."""
    leave_out: tuple[str, ...] = ()
    """Hosts in small letters, with those below them, whose articles are not published."""
    languages: tuple[str, ...] = ()
    """What the articles are written in, as ISO 639 codes."""


def check_options(target: HubTarget, options: DatasetOptions) -> None:
    """Refuse what cannot be, and to pass on texts, or anything to everybody, on terms that nobody names.

    Args:
        target: Where to publish.
        options: What is published.

    Raises:
        UsageError: A license is missing, or is none; a host or a language is none.
    """
    if options.texts and (not target.license or target.license in _NO_TERMS):
        raise UsageError(
            "--with-texts passes articles on: name the license that allows it for all of them with --license, or leave "
            "texts out"
        )
    if target.license and target.license not in HUB_LICENSES:
        raise UsageError(
            f"--license {target.license} is none that the Hub knows: give its short name, such as cc-by-4.0 or mit "
            "(https://hf.co/docs/hub/repositories-licenses)"
        )
    if target.public and not target.license:
        raise UsageError("--public: name the license of the labels with --license, such as cc-by-4.0")
    for host in options.leave_out:
        # what names no host would leave nothing out
        if not _HOST.fullmatch(host):
            raise UsageError(f"{LEFT_OUT} {host} names no host: give it as it stands in addresses, like wiki.team.com")
    for language in options.languages:
        if not _LANGUAGE.fullmatch(language):
            raise UsageError(f"--language {language} is no code of ISO 639: give two or three letters, such as en")


def read_dataset(uri: str, scratch: Path) -> tuple[DatasetOrigin, dict[str, Iterator[ArticleRecord]]]:
    """Read what harvest_extract or format_extract left.

    Args:
        uri: Its folder or artifact.
        scratch: A folder for what is fetched.

    Returns:
        What it is, and its articles by split; they are read as they are asked for.

    Raises:
        UsageError: There is no such folder, or it holds neither.
        DataError: A file is not what it should be.
        StoreError: A file is damaged, or the store does not answer.
    """
    found = find_input(uri)
    if TRAINED_ON in found.files and FormatReport.NAME in found.files:
        folder = fetch_input(found, scratch / "data", (TRAINED_ON, FormatReport.NAME, _VALIDATION))
        held_out = {row.article_id for row in read_lines(folder / _VALIDATION, ExampleRow)}
        origin = DatasetOrigin(found.content, _harvest_below(found, scratch), FormatReport.load(folder))
        return origin, {
            "train": _articles(folder / TRAINED_ON, held_out, inside=False),
            "validation": _articles(folder / TRAINED_ON, held_out, inside=True),
        }
    if RECORDS_NAME in found.files and HarvestReport.NAME in found.files:
        folder = fetch_input(found, scratch / "data", (RECORDS_NAME, HarvestReport.NAME))
        origin = DatasetOrigin(found.content, HarvestReport.load(folder))
        return origin, {"train": read_lines(folder / RECORDS_NAME, ArticleRecord)}
    raise UsageError(
        f"--data {uri} is neither a harvest nor training data: give the output of harvest_extract or format_extract, "
        "or testset:NAME"
    )


def lay_out_dataset(
    target: HubTarget,
    origin: DatasetOrigin,
    splits: Mapping[str, Iterable[ArticleRecord]],
    options: DatasetOptions,
    into: Path,
) -> DatasetCard:
    """Write every file that is published into a folder, with the card of a first version.

    Args:
        target: Where to publish, for the card.
        origin: What the articles are.
        splits: Split (train, validation, test) → its articles.
        options: What of them is published.
        into: An empty folder.

    Returns:
        The card, which counts what is left out.

    Raises:
        UsageError: They are the demo's, or a license is missing.
        DataError: No article can be published.
    """
    check_options(target, options)
    if origin.test_set and is_demo(origin.test_set.name):
        raise UsageError(
            f"{origin.test_set.reference} is of the demo: it proves the machinery and is not published; publish a test "
            "set of your own"
        )
    into.mkdir(parents=True, exist_ok=True)
    counts = DatasetCounts()
    for split, articles in splits.items():
        _write_split(split, articles, options, into, counts)
    if not counts.splits:
        said = ", ".join(f"{reason}: {n}" for reason, n in counts.left_out.items()) or "there is none"
        raise DataError(
            f"no article can be published ({said}): without texts one needs an address that everybody can open"
        )
    card = DatasetCard(
        target.repo,
        target.version,
        target.license,
        origin,
        counts,
        options.texts,
        options.languages,
        target.author,
    )
    write_card(card, into)
    return card


def describe_dataset(card: DatasetCard) -> Iterator[str]:
    """Say what a person should look at before a dataset is published.

    Args:
        card: The card, as `lay_out_dataset` gave it.

    Yields:
        A line each: sizes, what is left out, and the hosts that addresses are of.
    """
    counts = card.counts
    yield "; ".join(f"{name}: {each.articles} articles, {each.items} items" for name, each in counts.splits.items())
    if counts.left_out:
        yield "not published: " + ", ".join(f"{reason} {n}" for reason, n in counts.left_out.most_common())
    if counts.unplaced:
        yield f"items that stand nowhere in their article, left out: {counts.unplaced.total()}"
    if counts.shortened:
        yield f"addresses of which a part is left out, so that they may lead elsewhere: {counts.shortened}"
    if counts.naming:
        what = "titles, texts or quotes" if card.texts else "quotes"
        yield (
            f"warning: {what} of {counts.naming} articles hold the name of somebody who labeled them, and are published"
        )
    if counts.hosts:
        hosts = ", ".join(f"{host} {n}" for host, n in counts.hosts.most_common())
        yield f"addresses are of: {hosts} (see that all are public; {LEFT_OUT} HOST leaves one out)"


def _harvest_below(found: Input, scratch: Path) -> HarvestReport | None:
    """Find the report of the harvest that training data were made of, where it is still there."""
    records = found.manifest.inputs.get("records") if found.manifest else None
    if records is None:
        return None
    folder = records.uri.removesuffix(f"/{RECORDS_NAME}")
    with suppress(UsageError, DataError, StoreError):
        return HarvestReport.load(fetch_named(folder, HarvestReport.NAME, scratch / "harvest"))
    return None


def _articles(path: Path, held_out: set[str], *, inside: bool) -> Iterator[ArticleRecord]:
    return (each for each in read_lines(path, ArticleRecord) if (each.id in held_out) == inside)


def _write_split(
    split: str, articles: Iterable[ArticleRecord], options: DatasetOptions, into: Path, counts: DatasetCounts
) -> None:
    path = into / file_of(split)
    with path.open("wb") as file:
        for record in articles:
            row = published_article(record, texts=options.texts, leave_out=options.leave_out)
            if isinstance(row, str):
                counts.left_out[row] += 1
                continue
            line = row.model_dump_json().encode() + b"\n"
            file.write(line)
            counts.add(split, row, record, len(line))
    if split not in counts.splits:
        path.unlink()
