"""Articles of the database into labeled parts to train on, a review file, and a report."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctiforge.data.articles import Article
from ctiforge.errors import DataError
from ctiforge.osbert.augment import augment
from ctiforge.osbert.gather import ArticleToLabel, gather
from ctiforge.osbert.labeling.agreement import Agreement, agreement
from ctiforge.osbert.opinions import Labeler, Opinion, Unlabeled
from ctiforge.osbert.prepared import MINIMUM, PARTS, RECOMMENDED, class_counts
from ctiforge.osbert.splits import balance, split
from ctiforge.progress import Progress
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.records.os_article import LabeledArticle
from ctiforge.records.prepared import LabelerAgreement, PrepareReport
from ctiforge.records.review import REVIEW_NAME, Quote, ReviewLine, write_review
from ctiforge.tables import print_table


@dataclass(frozen=True)
class PrepareOptions:
    """What decides which articles are labeled, and where they go."""

    min_hunt_score: float = 80.0
    """Articles with a lower threat_hunting_score are not read."""
    limit: int | None = 200
    """Articles at most, the best by score; None: all."""
    balance: int | None = None
    """Most articles of a class; None: all."""
    augment: int = 0
    """Altered copies of each training article."""
    validation_share: float = 0.15
    """Share of the articles that validation gets, 0 to 1."""
    test_share: float = 0.1
    """Share of the articles that the test part gets, 0 to 1."""
    seed: int = 0
    """Of the parts, of balancing and of altered copies."""


def prepare(
    articles: Iterable[Article],
    held_out: Sequence[tuple[str, ArticleRecord]],
    labelers: Sequence[Labeler],
    options: PrepareOptions,
    out: Path,
    scratch: Path,
) -> dict[str, Any]:
    """Label articles and divide them into train, validation and test parts, with a file for review and a report.

    The first labeler's labels are used; a person's, where one of the labelers is a person, go before.

    Args:
        articles: The articles, best first.
        held_out: (reason, article): articles of test sets, which no part may repeat.
        labelers: Who labels; each labels every article.
        options: What decides which articles are labeled, and where they go.
        out: The folder for the parts, `review.jsonl` and `prepare.json`.
        scratch: A folder for what waits on disk.

    Returns:
        What `prepare.json` holds.

    Raises:
        DataError: No article is left, or none got a label.
    """
    gathered = gather(articles, held_out, options.limit, scratch)
    if not gathered.candidates:
        raise DataError(_nothing(gathered.read, gathered.set_aside, options))
    opinions = {labeler.name: _ask(labeler, gathered.candidates) for labeler in labelers}
    used = sorted(opinions, key=lambda name: not name.startswith("human"))
    labeled = list(_labeled(gathered.candidates, used, opinions, gathered.set_aside))
    if not labeled:
        raise DataError(
            f"{len(gathered.candidates)} articles, and {labelers[0].name} gave none of them a label: "
            f"{_counted(gathered.set_aside)}"
        )
    first, *others = opinions
    agreements = [agreement(first, opinions[first], other, opinions[other]) for other in others]
    chosen = balance(labeled, options.balance, options.seed) if options.balance else labeled
    parts = split(chosen, options.validation_share, options.test_share, options.seed)
    train = augment(parts.train, options.augment, options.seed)
    for name, part in zip(PARTS, (train, parts.validation, parts.test), strict=True):
        lines = "".join(article.model_dump_json() + "\n" for article in part)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    write_review(out / REVIEW_NAME, _review_lines(gathered.candidates, used, opinions))
    report = PrepareReport(
        **asdict(options),
        labeler=" + ".join(sorted({article.labeler for article in labeled})),
        articles_read=gathered.read,
        labelled=len(labeled),
        set_aside=dict(sorted(gathered.set_aside.items())),
        flags=dict(Counter(flag for article in labeled for flag in article.flags)),
        classes=class_counts(labeled),
        parts={
            name: class_counts(part) for name, part in zip(PARTS, (train, parts.validation, parts.test), strict=True)
        },
        agreement=tuple(_agreement_report(each) for each in agreements),
        warnings=tuple(class_warnings(class_counts(labeled))),
    )
    report.write(out)
    return report.model_dump(mode="json")


def class_warnings(classes: Mapping[str, int]) -> list[str]:
    """Word what a class has too little of, by name."""
    return [
        f"{label}: {count} articles, {MINIMUM} are the minimum, {RECOMMENDED} are recommended"
        if count < MINIMUM
        else f"{label}: {count} articles, {RECOMMENDED} are recommended"
        for label, count in classes.items()
        if count < RECOMMENDED
    ]


def print_prepared(report: Mapping[str, Any], labelers: Sequence[Labeler]) -> None:
    """Print classes by part, what was set aside, what labelers agree on, what there is too little of, what it cost.

    Args:
        report: What `prepare` gave.
        labelers: Those that labeled; one that counts its questions is told with them.
    """
    parts = report["parts"]
    rows = [
        (label, str(count), *(str(part[label]) for part in parts.values()))
        for label, count in report["classes"].items()
    ]
    print_table(f"labeled by {report['labeler']}", ("", "articles", *parts), rows)
    for reason, count in report["set_aside"].items():
        print(f"set aside: {count} × {reason}")
    for flag, count in report["flags"].items():
        print(f"flagged: {count} × {flag}")
    for each in report["agreement"]:
        kappa = "n/a" if each["kappa"] is None else f"{each['kappa']:.3f}"
        print(f"{each['first']} and {each['other']}: Cohen's kappa {kappa} over {each['articles']} articles")
    for warning in report["warnings"]:
        print(f"warning: {warning}")
    for labeler in labelers:
        usage = getattr(labeler, "usage", None)
        if usage:
            print(f"{labeler.name}: {usage}")


def check_minimum(classes: Mapping[str, int], *, force: bool) -> None:
    """Refuse to go on with too few articles of a class.

    Args:
        classes: Class → its articles.
        force: Whether to go on all the same.

    Raises:
        DataError: A class has fewer than `MINIMUM` articles, and nobody forced it.
    """
    few = [f"{label} {count}" for label, count in classes.items() if count < MINIMUM]
    if few and not force:
        raise DataError(
            f"too few articles of {', '.join(few)}: {MINIMUM} of a class are the minimum; raise --limit, "
            "lower --min-hunt-score, or give --force"
        )


def _ask(labeler: Labeler, candidates: Sequence[ArticleToLabel]) -> dict[str, Opinion]:
    """Ask one labeler about all candidates: article id to opinion."""
    articles = [Unlabeled(c.article.id, c.article.title, c.content, c.content_hash, c.copies) for c in candidates]
    opinions = {}
    # closed also when it is left early: what it has asked by then is paid, and kept
    with Progress("prepare_os", len(articles)) as progress, closing(labeler.label(articles)) as given:
        for article, opinion in given:
            opinions[article.id] = opinion
            progress.advance()
    return opinions


def _labeled(
    candidates: Sequence[ArticleToLabel],
    used: Sequence[str],
    opinions: Mapping[str, Mapping[str, Opinion]],
    set_aside: Counter[str],
) -> Iterator[LabeledArticle]:
    """Pair each candidate with the label of the first labeler in `used` that has one."""
    for candidate in candidates:
        given = [(name, opinions[name][candidate.article.id]) for name in used]
        name, opinion = next(((n, o) for n, o in given if o.label), given[0])
        if not opinion.label:
            set_aside[f"{name}: {opinion.problem or 'no label'}"] += 1
            continue
        yield LabeledArticle(
            id=candidate.article.id,
            url=candidate.article.url,
            title=candidate.article.title,
            content=candidate.content,
            content_hash=candidate.content_hash,
            label=opinion.label,
            labeler=name,
            evidence=opinion.evidence,
            flags=opinion.flags,
        )


def _review_lines(
    candidates: Sequence[ArticleToLabel], used: Sequence[str], opinions: Mapping[str, Mapping[str, Opinion]]
) -> list[ReviewLine]:
    """Lay out every article for a person to judge, the doubtful ones first."""
    lines = []
    for candidate in candidates:
        given = {name: opinions[name][candidate.article.id] for name in used}
        labels = {name: opinion.label for name, opinion in given.items() if opinion.label}
        flags = tuple(sorted({flag for opinion in given.values() for flag in opinion.flags}))
        doubts = {"conflict": len(set(labels.values())) > 1, "flagged": bool(flags), "no label": not labels}
        evidence = next((opinion.evidence for opinion in given.values() if opinion.evidence), ())
        lines.append(
            ReviewLine(
                id=candidate.article.id,
                title=candidate.article.title,
                url=candidate.article.url,
                why=next((doubt for doubt, holds in doubts.items() if holds), ""),
                os_label=next(iter(labels.values()), None),
                annotator="",
                labels=labels,
                flags=flags,
                evidence=tuple(Quote(label=each.label, quote=" ".join(each.quote.split())) for each in evidence),
            )
        )
    return sorted(lines, key=lambda line: not line.why)


def _agreement_report(found: Agreement) -> LabelerAgreement:
    return LabelerAgreement(
        first=found.first,
        other=found.other,
        articles=found.articles,
        same=found.same,
        kappa=found.kappa,
        labels=OS_LABELS,
        confusion=found.confusion,
    )


def _nothing(read: int, set_aside: Counter[str], options: PrepareOptions) -> str:
    if not read:
        return (
            f"no article has a threat_hunting_score of {options.min_hunt_score:g} or more: "
            "lower --min-hunt-score, or score the articles first"
        )
    return f"{read} articles were read, and none can be used: {_counted(set_aside)}"


def _counted(set_aside: Counter[str]) -> str:
    return ", ".join(f"{count} × {reason}" for reason, count in set_aside.most_common(5))
