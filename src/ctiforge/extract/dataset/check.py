"""What would spoil a training, found in its data before hours are spent: each finding with what to do. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from ctiforge.observables.locate import Locator
from ctiforge.records.article import ArticleRecord
from ctiforge.records.data_check import DataFinding, Level
from ctiforge.records.formatted import ExampleRow, FormatReport, TokenReport
from ctiforge.records.harvest import HarvestReport

FEW_POSITIVE = 10
"""Articles with a type below which it is neither learnt nor, in a test set of the same kind, measured."""
FEW_NEGATIVE_SHARE = 0.02
"""Of the articles in which a type is labeled, the share without it below which a model learns to always find some."""
SKEWED_SHARE = 0.5
"""Share of all items, or of all articles, from which on one article or one site speaks for the rest."""
RARE_PLATFORM_SHARE = 0.02
ONE_TYPE_SHARE = 0.8
UNLOCATED_WARNING, UNLOCATED_ERROR = 0.05, 0.5
"""Share of labeled values that stand nowhere in their article: a few are a labeler's slips, half are other texts."""
TRUNCATED_SHARE = 0.01
DISAGREEING_SHARE = 0.2
"""Share of the articles read more than once whose executions found different values of a type."""
_NAMED = 5


def check_records(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    """Find what is wrong with harvested articles as they are, whatever model is to learn from them."""
    if not any(record.observables for record in records):
        yield _finding("error", "no examples", "no article has an observable", "look at the report of the harvest")
        return
    yield from _check_types(records)
    yield from _check_balance(records)
    yield from _check_platforms(records)
    yield from _check_skew(records)
    yield from _check_copies(records)
    yield from _check_located(records)


def check_harvest(report: HarvestReport) -> Iterator[DataFinding]:
    """Find what a harvest's own report tells: articles whose executions disagree."""
    again = report.articles_read_again
    for type_, count in sorted(report.disagreements.items()):
        if count < max(2, DISAGREEING_SHARE * again):
            continue
        worst = list(report.least_agreement)[:_NAMED]
        yield _finding(
            "warning",
            "disagreement",
            f"{type_}: of {again} articles read more than once, the executions of {count} found different values",
            f"label some of them by hand, the worst first: {', '.join(worst)}",
        )


def check_prepared(description: FormatReport, rows: Sequence[ExampleRow]) -> Iterator[DataFinding]:
    """Find what is wrong with examples: `description` is format.json, `rows` those of train.jsonl."""
    report, longest = description.report, description.sizes.max_length
    if report.tokens_max > longest:
        yield _finding(
            "error",
            "lengths",
            f"the longest example has {report.tokens_max} tokens, --max-length is {longest}",
            "prepare the data again with format_extract",
        )
    lost, items = report.items_too_long + report.answers_lost, report.items
    if lost > TRUNCATED_SHARE * (items + lost):
        yield _finding(
            "warning",
            "lengths",
            f"{lost} of {items + lost} items do not fit --max-length {longest} and are not learnt",
            "raise --max-length",
        )
    if not report.validation_examples:
        yield _finding(
            "warning",
            "validation",
            "there is no validation example: nothing says when to stop",
            "harvest more articles, or raise --validation-share",
        )
    yield from _check_empty_windows(report)
    yield from _check_contradictions(rows)
    if description.leaked:
        yield _finding(
            "warning",
            "leaks",
            f"{len(description.leaked)} articles repeated a validation or test article and were removed",
            f"nothing: they are listed in {FormatReport.NAME}",
        )


def leak_findings(leaks: Iterable[tuple[str, str, str]]) -> Iterator[DataFinding]:
    """Make an error for each (test article, training article, how) that training would give away."""
    for test_id, training_id, how in leaks:
        yield _finding(
            "error",
            "leaks",
            f"test article {test_id} is training article {training_id} ({how})",
            "harvest again with the store that holds the test set: it keeps test articles out",
        )


def _check_types(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    labeled = Counter(type_ for record in records for type_ in record.labelled_types)
    positive = Counter(type_ for record in records for type_ in {item.type for item in record.observables})
    for type_, count in sorted(labeled.items()):
        found = positive[type_]
        if found < FEW_POSITIVE:
            yield _finding(
                "warning",
                "few examples",
                f"{type_} occurs in {found} of {count} articles: too few to learn or to measure",
                "harvest articles that show it, or leave the type out",
            )
        elif count - found < FEW_NEGATIVE_SHARE * count:
            yield _finding(
                "warning",
                "missing negatives",
                f"{type_} is found in {found} of the {count} articles in which it is labeled: "
                "a model learns that there always is some",
                "harvest true negatives (harvest_extract --negative-ratio)",
            )


def _check_balance(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    types = Counter(item.type for record in records for item in record.observables)
    for type_, count in types.most_common(1):
        if len(types) > 1 and count > ONE_TYPE_SHARE * types.total():
            yield _finding(
                "warning",
                "type skew",
                f"{count} of {types.total()} items are {type_}: the others are hardly learnt",
                "harvest articles that show the others",
            )


def _check_platforms(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    platforms = Counter(item.platform for record in records for item in record.observables if item.platform)
    total = platforms.total()
    for platform, count in sorted(platforms.items()):
        if count < RARE_PLATFORM_SHARE * total:
            yield _finding(
                "warning",
                "platform skew",
                f"{count} of {total} labeled platforms are {platform}: it is hardly learnt",
                f"harvest more articles about {platform}",
            )


def _check_skew(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    items = sum(len(record.observables) for record in records)
    for record in records:
        if len(records) > 1 and len(record.observables) > SKEWED_SHARE * items:
            yield _finding(
                "warning",
                "article skew",
                f"article {record.id} holds {len(record.observables)} of {items} items",
                "leave it out (harvest_extract --exclude-urls), or harvest more",
            )
    sites = Counter(urlsplit(record.url).hostname for record in records if record.url)
    for site, count in sites.most_common(1):
        if len(records) >= FEW_POSITIVE and count > SKEWED_SHARE * len(records):
            yield _finding(
                "warning",
                "article skew",
                f"{count} of {len(records)} articles come from {site}: its style is learnt",
                "harvest other sources as well",
            )


def _check_copies(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    copies = len(records) - len({record.content_hash for record in records})
    if copies:
        yield _finding(
            "warning",
            "duplicates",
            f"{copies} articles repeat another's text word for word",
            "harvest them again: a harvest keeps one of each",
        )


def _check_located(records: Sequence[ArticleRecord]) -> Iterator[DataFinding]:
    missing: dict[str, list[str]] = {}
    totals: Counter[str] = Counter()
    for record in records:
        locator = Locator(record.content) if record.observables else None
        for item in record.observables:
            totals[item.type] += 1
            if locator and not locator.locate(item.type, item.value):
                missing.setdefault(item.type, []).append(record.id)
    # a type by itself: all of a rare one can be lost among many values of others
    for type_, articles in sorted(missing.items()):
        if len(articles) <= UNLOCATED_WARNING * totals[type_]:
            continue
        worst = [id_ for id_, _ in Counter(articles).most_common(_NAMED)]
        yield _finding(
            "error" if len(articles) > UNLOCATED_ERROR * totals[type_] else "warning",
            "unlocatable answers",
            f"{len(articles)} of {totals[type_]} labeled values of {type_} stand nowhere in their article: "
            f"{', '.join(worst)} …",
            "check that contents and results belong together, and how the labeling model alters what it reads",
        )


def _check_empty_windows(report: TokenReport) -> Iterator[DataFinding]:
    training, inference = report.empty_share_training, report.empty_share_inference
    if training == 0 and inference > 0:
        yield _finding(
            "warning",
            "missing negatives",
            f"no training window is empty, {inference:.0%} of those at inference are: a model learns that there "
            "always is something",
            "raise format_extract --empty-share",
        )


def _check_contradictions(rows: Sequence[ExampleRow]) -> Iterator[DataFinding]:
    answers: dict[str, set[str]] = {}
    for row in rows:
        answers.setdefault(row.prompt, set()).add(row.answer)
    repeated = len(rows) - len(answers)
    contradicted = sum(len(found) > 1 for found in answers.values())
    if contradicted:
        yield _finding(
            "warning",
            "duplicates",
            f"{contradicted} windows are there with different answers",
            "look at the articles that share them: one of the answers is wrong",
        )
    if repeated > SKEWED_SHARE * len(rows):
        yield _finding(
            "warning",
            "duplicates",
            f"{repeated} of {len(rows)} examples repeat another's window",
            "harvest again: near duplicates of an article are kept out",
        )


def _finding(level: Level, check: str, text: str, remedy: str) -> DataFinding:
    return DataFinding(level=level, check=check, text=text, remedy=remedy)
