"""From articles with executions to training records: choose, merge duplicates, keep apart, count everything.

Every article ends in exactly one place: kept, or excluded with a reason. The output depends on
what was read alone, not on the order it came in nor on the clock.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ctiforge.data.articles import Article
from ctiforge.data.execution_batches import ARCHIVED, EVALUATION_SOURCE
from ctiforge.data.identity import canonical_url, content_hash, fold
from ctiforge.errors import DataError
from ctiforge.extract.harvest.agreement import agreement
from ctiforge.extract.harvest.choosing import (
    EVALUATION_RUN,
    OWN_ANSWER,
    Choice,
    Trust,
    choose,
    left_out,
    with_single_items,
)
from ctiforge.extract.harvest.human_labels import HumanLabels
from ctiforge.extract.harvest.report import HarvestCounts, KeptCounts
from ctiforge.extract.harvest.scratch import HarvestedArticle, HarvestScratch
from ctiforge.progress import Progress
from ctiforge.records.article import RECORDS_NAME, ArticleRecord

KEPT_OUT = {
    ARCHIVED: "archived in the application",
    EVALUATION_SOURCE: "the application evaluates its agents on it",
}
"""Kinds of articles that a source knows and that stay out unless they are asked for → why."""
SINGLE_ITEMS = "single items of a type that nobody else labeled, or that a person looked for without finding them"
MINIMUM = 100
RECOMMENDED = 500


@dataclass(frozen=True)
class HarvestOptions:
    """What decides which articles are kept."""

    min_observables: int = 1
    """Fewest observables of a positive article."""
    negative_ratio: float = 0.2
    """Largest share of kept articles without any observable, below 1."""
    status_filter: tuple[str, ...] = ()
    """Statuses of the executions to read; none named: any."""
    seed: int = 0
    """Chooses the negatives."""
    labelers: tuple[str, ...] = ()
    """Models whose labels are taken before others', the best first."""
    include: tuple[str, ...] = ()
    """Kinds of articles that are kept out otherwise: names of `KEPT_OUT`."""
    own_answers: bool = False
    """Whether answers of models that came out of ctiforge are kept."""

    def as_params(self) -> dict[str, Any]:
        """List the fields, as JSON can hold them, for a fingerprint."""
        return asdict(self)


def harvest(
    articles: Iterable[Article],
    held_out: Iterable[tuple[str, ArticleRecord]],
    excluded_urls: Collection[str],
    options: HarvestOptions,
    out: Path,
    scratch: Path,
    own_models: Collection[str] = (),
    labels: HumanLabels | None = None,
) -> HarvestCounts:
    """Write `records.jsonl` into `out` and return what was counted; contents wait in `scratch`, not in memory.

    `held_out` are (reason, article) pairs that no kept article may repeat: URL, content or near
    duplicate. Articles of `excluded_urls` and their near duplicates stay out as well. `own_models` are the names of
    models that came out of ctiforge; `labels` are those of people, which go before any model's.
    """
    report = HarvestCounts()
    trust = Trust(options.labelers, frozenset(own_models), options.own_answers)
    urls = {canonical_url(url) for url in excluded_urls}
    with HarvestScratch(scratch, options.seed) as rows, Progress("harvest_extract", None) as progress:
        labels = labels or HumanLabels()
        for reason, record in chain(held_out, labels.held_out):
            folded = fold(record.content)
            rows.add_held_out(folded, content_hash(folded), record.url, reason)
        for article in chain(articles, labels.rest()):
            report.read += 1
            progress.update(report.read)
            excluded = _gather(article, urls, options, trust, labels, rows, report)
            if excluded:
                report.excluded[excluded] += 1
        report.labels_left_out = labels.left_out
        report.label_conflicts = tuple(labels.conflicts)
        report.excluded.update(rows.decide(options.negative_ratio))
        counts = KeptCounts(report)
        with (out / RECORDS_NAME).open("wb", buffering=1 << 20) as file:
            for kept in rows.kept():
                file.write(kept.line)
                counts.add(kept)
    return report


def check_minimum(report: HarvestCounts, force: bool) -> str | None:
    """Warn below the recommended number of articles; None where there are enough.

    Raises DataError below the minimum unless `force`.
    """
    if report.kept < MINIMUM and not force:
        raise DataError(
            f"{report.kept} articles kept, {MINIMUM} are the minimum for QLoRA (full fine-tuning: 500): "
            "harvest more, or give --force"
        )
    if report.kept < RECOMMENDED:
        return (
            f"warning: {report.kept} articles kept; {RECOMMENDED} are recommended for QLoRA, 1,000 for full fine-tuning"
        )
    return None


def _gather(
    article: Article,
    urls: Collection[str],
    options: HarvestOptions,
    trust: Trust,
    labels: HumanLabels,
    rows: HarvestScratch,
    report: HarvestCounts,
) -> str | None:
    """Put an article with what its executions say together among the candidates, or say why it is none."""
    content = article.content or ""
    folded = fold(content)
    hash_ = content_hash(folded)
    people = [] if article.executions and article.executions[0].by == "person" else labels.of(article, hash_)
    chosen = [e for e in article.executions if not options.status_filter or e.status in options.status_filter]
    executions = [*people, *chosen]
    report.executions += len(executions)
    if not executions:
        return "no execution of the chosen status"
    if article.kept_out and article.kept_out not in options.include and not people:
        return f"{KEPT_OUT[article.kept_out]} (--include {article.kept_out} keeps it)"
    evaluations, own_answers = left_out(executions, trust)
    report.evaluation_runs += evaluations
    report.own_answers += own_answers
    choice, useless = with_single_items(choose(executions, content, trust), labels.single_items(hash_))
    if useless:
        labels.left_out[SINGLE_ITEMS] += useless
    for execution in choice.executions or executions:
        report.items_set_aside.update(execution.outcome.set_aside)
    if not content.strip():
        return "no content"
    if not choice.executions and all(each.outcome.generation is None for each in executions):
        return next(iter(executions[-1].outcome.set_aside), "extraction_result cannot be read")
    report.add_agreement(article.id, agreement(executions))
    report.unlabelled.update(f"{type_}: {why}" for type_, why in choice.unlabelled.items())
    if not choice.labels:
        return _why_nothing(choice)
    if 0 < len(choice.observables) < options.min_observables:
        return f"fewer than {options.min_observables} observables"
    reason = "--exclude-urls" if urls and article.url and canonical_url(article.url) in urls else None
    if reason:
        rows.add_held_out(folded, hash_, article.url, reason)
        return reason
    rows.add(HarvestedArticle(article, content, hash_, choice), folded)
    return None


def _why_nothing(choice: Choice) -> str:
    """Say why no type of an article is labeled."""
    alone = {EVALUATION_RUN: "only evaluation runs of the application", OWN_ANSWER: "only answers of models of ours"}
    for reason, words in alone.items():
        if set(choice.unlabelled.values()) == {reason}:
            return words
    return "no type labelled: every extraction failed or was skipped"
