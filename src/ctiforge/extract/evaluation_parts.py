"""An evaluation in shards: each reads a share of the articles and leaves a part; who finds all parts merges them.

Shards need not run at the same time, nor reach each other: they meet in the store. A part that is there is not made
again; what no usable part holds once all are there, is asked about by whoever merges.
"""

import gzip
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from ctiforge.errors import CannotGoOnError, DataError, StoreError
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.asking import Share
from ctiforge.extract.evaluate import evaluation_of, labeled_among, values_seen_in_training
from ctiforge.extract.scored_articles import TestData
from ctiforge.extract.scoring import score_articles
from ctiforge.progress import warn
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Evaluation, ModelInfo, TestSetInfo
from ctiforge.records.evaluation_part import EvaluationPart, ScoredArticle
from ctiforge.store.parts import StoredParts


def evaluate_shard(
    test_data: TestData,
    load: Callable[[], Extractor],
    version: str,
    share: Share,
    parts: StoredParts,
    is_published: Callable[[], bool],
    training_data: Path | None = None,
    answers: Path | None = None,
) -> Evaluation | None:
    """Score a share of the articles, and make the evaluation where that was the last one missing.

    Args:
        test_data: The articles, those of other shards among them.
        load: Loads what is scored; not called where nothing is left to ask it.
        version: What tells its weights from others.
        share: This shard among all.
        parts: What the shards hand to each other.
        is_published: Tells whether another one has published the evaluation.
        training_data: Records that the model was trained on.
        answers: The folder in which every window's answer is kept.

    Returns:
        The evaluation, the same as one process makes; None where parts are missing, or another one has published it.

    Raises:
        DataError: Nothing is labeled in the articles.
        StoreError: The store does not answer.
        CannotGoOnError: The device failed, or too many windows did.
    """
    load = cache(load)
    info = test_data.describe()
    labeled = labeled_among(test_data.records, info.name)
    trained_on = values_seen_in_training(training_data) if training_data else None
    if _read_part(parts, share, labeled) is None:
        scored = score_articles(load(), labeled, trained_on, share)
        _write_part(parts, share, load().name, scored)
    every = [Share(number, share.count) for number in range(share.count)]
    missing = _missing(parts, every)
    usable = [] if missing else [part for each in every if (part := _read_part(parts, each, labeled))]
    mine = f"shard {share.number} of {share.count}"
    if len(usable) < share.count and is_published():
        # what this one wrote after another had cleared the parts away
        parts.remove()
        print(f"{mine}: another shard has published the evaluation", flush=True)
        return None
    if missing:
        rest = ", ".join(map(str, missing))
        print(f"{mine}: its part is there; who writes the last one makes the evaluation (missing: {rest})", flush=True)
        return None
    try:
        return _merge(usable, test_data.records, info, labeled, load, version, trained_on, answers)
    except CannotGoOnError:
        _remove_failed(parts, usable)
        raise


def part_name(share: Share) -> str:
    """Name the file of a shard's part; parts of another split have other names, and are no part of this one.

    Args:
        share: The shard among all.

    Returns:
        `<shard>-of-<shards>.json.gz`, counted from 0.
    """
    return f"{share.number}-of-{share.count}.json.gz"


def _read_part(parts: StoredParts, share: Share, labeled: Sequence[ArticleRecord]) -> EvaluationPart | None:
    """Read the part of a shard; None where it is not there, or cannot be used, which is told."""
    name = part_name(share)
    try:
        part = EvaluationPart.parse(gzip.decompress(parts.read(name)), name)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error):
        warn(f"{parts.uri}/{name} is set aside: it is damaged (no gzip)")
        return None
    except DataError as error:
        warn(f"{parts.uri}/{name} is set aside: {error}")
        return None
    if (part.shard, part.shards) != (share.number, share.count):
        warn(f"{parts.uri}/{name} is set aside: it says that it is shard {part.shard} of {part.shards}")
        return None
    if any(not _is_of(each, labeled) for each in part.articles):
        warn(f"{parts.uri}/{name} is set aside: it holds articles of another test set")
        return None
    return part


def _missing(parts: StoredParts, every: Sequence[Share]) -> list[int]:
    """Give the numbers of the shards whose parts are not there; of another split parts may be, which is told."""
    there = parts.names()
    if others := sorted(there - {part_name(each) for each in every}):
        warn(f"{parts.uri}: of another number of shards, not used: {', '.join(others)}")
    return [each.number for each in every if part_name(each) not in there]


def _merge(
    usable: Sequence[EvaluationPart],
    records: Sequence[ArticleRecord],
    info: TestSetInfo,
    labeled: Sequence[ArticleRecord],
    load: Callable[[], Extractor],
    version: str,
    trained_on: frozenset[tuple[str, str]] | None,
    answers: Path | None,
) -> Evaluation:
    return evaluation_of(
        _of_all(usable, labeled, load, trained_on),
        records,
        model=ModelInfo(name=usable[0].model if usable else load().name, version=version),
        test_set=info,
        trained_on=trained_on,
        answers=answers,
    )


def _of_all(
    usable: Sequence[EvaluationPart],
    labeled: Sequence[ArticleRecord],
    load: Callable[[], Extractor],
    trained_on: frozenset[tuple[str, str]] | None,
) -> list[ScoredArticle]:
    """Give each article once: those of the parts, and those that no part holds, which are asked about here."""
    held = {each.place: each for part in usable for each in part.articles}
    if lost := [place for place in range(len(labeled)) if place not in held]:
        warn(f"{len(lost)} articles are in no part that can be used: this shard reads them")
        again = score_articles(load(), [labeled[place] for place in lost], trained_on)
        held |= {lost[each.place]: each.model_copy(update={"place": lost[each.place]}) for each in again}
    return list(held.values())


def _remove_failed(parts: StoredParts, usable: Sequence[EvaluationPart]) -> None:
    """Remove the parts with a window that failed: where too many did, the same command asks about these again."""
    for part in usable:
        if any(answer.error for each in part.articles for answer in each.answers):
            with suppress(StoreError):
                parts.remove_one(part_name(Share(part.shard, part.shards)))


def _is_of(scored: ScoredArticle, labeled: Sequence[ArticleRecord]) -> bool:
    return 0 <= scored.place < len(labeled) and scored.score.id == labeled[scored.place].id


def _write_part(parts: StoredParts, share: Share, model: str, scored: Sequence[ScoredArticle]) -> None:
    part = EvaluationPart(shard=share.number, shards=share.count, model=model, articles=tuple(scored))
    # on one line, as what reads compressed files for an article reads them
    parts.write(part_name(share), gzip.compress(part.model_dump_json().encode() + b"\n", mtime=0))
