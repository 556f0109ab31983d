"""A review file: a stratified sample of the harvest that a person corrects into a test set."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import DataError
from ctiforge.extract.harvest.harvest import HarvestOptions
from ctiforge.extract.harvest.sources import Sources, harvest_sources
from ctiforge.observables.locate import Locator
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.review import ReviewItem, ReviewLine, check_new_review, write_review

_CONTEXT = 80
_LENGTHS = (2_000, 8_000, 32_000)


def write_sample(records: Path | None, output: Path, size: int, seed: int) -> int:
    """Write a sample of the harvest as a review file, which a person corrects into a test set.

    Args:
        records: The records of a harvest, a file or folder; None: the database (DATABASE_URL) is harvested.
        output: The JSON-lines file to write.
        size: Articles at most.
        seed: Chooses the articles.

    Returns:
        How many articles were written.

    Raises:
        UsageError: The output exists: corrections would be lost.
        DataError: There is nothing to sample.
    """
    check_new_review(output)
    with TemporaryDirectory() as folder:
        if records is None:
            sources, options = Sources(from_database=True), HarvestOptions(negative_ratio=0.5, seed=seed)
            harvest_sources(sources, options, [], {}, Path(folder), Path(folder), force=True)
            records = Path(folder)
        sample = draw_sample(read_records(records), size, seed)
    if not sample:
        raise DataError("nothing to review: no article was harvested")
    return write_review(output, map(review_line, sample))


def draw_sample(records: Iterable[ArticleRecord], size: int, seed: int) -> list[ArticleRecord]:
    """Draw articles in turn from every stratum of length, rarest type and platform; of near duplicates one.

    Args:
        records: The articles; near duplicates share their `group`.
        size: Articles at most.
        seed: Chooses the articles.

    Returns:
        The articles by id; the same for the same records and seed, whatever their order.
    """
    by_stratum: dict[tuple[str, ...], list[tuple[str, ArticleRecord]]] = defaultdict(list)
    drawn_groups: set[str] = set()
    all_records = list(records)
    rarity = _articles_by_type(all_records)
    for record in all_records:
        lot = hashlib.sha256(f"{seed}:{record.content_hash}".encode()).hexdigest()
        by_stratum[_stratum(record, rarity)].append((lot, record))
    queues = [sorted(queue, key=lambda pair: pair[0], reverse=True) for _, queue in sorted(by_stratum.items())]
    sample: list[ArticleRecord] = []
    while len(sample) < size and any(queues):
        for queue in queues:
            if queue and len(sample) < size:
                record = queue.pop()[1]
                if record.group not in drawn_groups or not record.group:
                    drawn_groups.add(record.group)
                    sample.append(record)
    return sorted(sample, key=lambda record: record.id)


def review_line(record: ArticleRecord) -> ReviewLine:
    """Lay out one article for a person to correct: items with their evidence, the annotator left empty.

    Args:
        record: The article; without `os_label` nobody judged which operating system it is about.

    Returns:
        The line of a review file.
    """
    located = Locator(record.content)
    return ReviewLine(
        id=record.id,
        title=record.title,
        url=record.url,
        os_label=record.os_label,
        annotator="",
        labelled_types=record.labelled_types,
        observables=tuple(
            ReviewItem(**o.model_dump(), evidence=_evidence(located, record.content, o.type, o.value))
            for o in record.observables
        ),
        tags=record.tags | {"length": _length(record)},
        content=record.content,
    )


def _evidence(located: Locator, content: str, type_: str, value: str) -> str:
    """Quote the item where it first stands, with the text around it; says so where it cannot be found."""
    occurrences = located.locate(type_, value)
    if not occurrences:
        return "NOT FOUND in the article"
    spans = occurrences[0].spans
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    around = content[max(0, start - _CONTEXT) : min(end, start + 2_000) + _CONTEXT]
    return " ".join(around.split())


def _stratum(record: ArticleRecord, rarity: dict[str, int]) -> tuple[str, ...]:
    types = {o.type for o in record.observables}
    rarest = min(types, key=lambda type_: (rarity[type_], type_), default="none")
    platforms = sorted({o.platform for o in record.observables if o.platform})
    platform = platforms[0] if len(platforms) == 1 else "multiple" if platforms else "unknown"
    return (_length(record), rarest, platform)


def _length(record: ArticleRecord) -> str:
    characters = len(record.content)
    return next((f"<{most}" for most in _LENGTHS if characters < most), f">={_LENGTHS[-1]}")


def _articles_by_type(records: Sequence[ArticleRecord]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        for type_ in {o.type for o in record.observables}:
            counts[type_] += 1
    return counts
