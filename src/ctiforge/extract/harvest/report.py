"""What a harvest read, kept and left out: as JSON, and as the tables at its end."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ctiforge.records.harvest import HarvestReport
from ctiforge.tables import Table, print_tables, table_of

if TYPE_CHECKING:
    from rich.console import Console

    from ctiforge.extract.harvest.scratch import KeptRow

_LENGTHS = ((2_000, "< 2k"), (8_000, "2k-8k"), (32_000, "8k-32k"), (128_000, "32k-128k"))
_LONGEST = "> 128k"
_NAMED = 20
LEAST_AGREEING = 20
"""Articles that are named because their executions agree least."""


@dataclass
class HarvestCounts:
    """Counts of one harvest; `read` is the sum of `kept` and of all `excluded`."""

    read: int = 0
    executions: int = 0
    kept: int = 0
    positives: int = 0
    negatives: int = 0
    observables: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)
    """Type and reason → articles in which it is unlabeled for that."""
    labelers: Counter[str] = field(default_factory=Counter)
    """Who labeled → types of kept articles."""
    seen_in_part: Counter[str] = field(default_factory=Counter)
    """Type → kept articles of which its labeler saw a part."""
    evaluation_runs: int = 0
    """Executions that were run to evaluate the application's agents, and label nothing."""
    own_answers: int = 0
    """Answers of models that came out of ctiforge, which label nothing."""
    labels_left_out: Counter[str] = field(default_factory=Counter)
    """Reason → labels of people that label nothing here."""
    label_conflicts: tuple[str, ...] = ()
    """`article id: type` of two people who said different things of one text; the first counts."""
    articles_read_again: int = 0
    """Articles that two completed executions or more say something about."""
    disagreements: Counter[str] = field(default_factory=Counter)
    """Type → articles whose executions found different values of it."""
    least_agreement: dict[str, float] = field(default_factory=dict)
    """Of the articles whose executions agree least: id → share of their values that all found."""
    items_set_aside: Counter[str] = field(default_factory=Counter)
    files_set_aside: dict[str, str] = field(default_factory=dict)
    entries_set_aside: Counter[str] = field(default_factory=Counter)
    generations: Counter[str] = field(default_factory=Counter)
    labelled_articles: Counter[str] = field(default_factory=Counter)
    """Type → kept articles in which it is labeled."""
    positive_articles: Counter[str] = field(default_factory=Counter)
    observables_by_type: Counter[str] = field(default_factory=Counter)
    platforms: Counter[str] = field(default_factory=Counter)
    """Platform → observables."""
    lengths: Counter[str] = field(default_factory=Counter)
    """Characters of content → kept articles."""
    observables_per_article: Counter[str] = field(default_factory=Counter)

    def as_record(self) -> HarvestReport:
        """Make what `report.json` holds, every table sorted by name: the same counts give the same bytes."""
        return HarvestReport(
            **{
                name: dict(sorted(value.items())) if isinstance(value, dict) else value
                for name, value in vars(self).items()
            }
        )

    def add_agreement(self, article_id: str, shares: dict[str, float]) -> None:
        """Note how far the executions of one article agree, by type."""
        if not shares:
            return
        self.articles_read_again += 1
        self.disagreements.update(type_ for type_, share in shares.items() if share < 1)
        if min(shares.values()) == 1:
            return
        known = {**self.least_agreement, article_id: round(min(shares.values()), 3)}
        kept = sorted(known.items(), key=lambda pair: (pair[1], pair[0]))[:LEAST_AGREEING]
        self.least_agreement = dict(kept)


class KeptCounts:
    """Adds up the kept articles."""

    def __init__(self, report: HarvestCounts) -> None:
        self._report = report

    def add(self, kept: "KeptRow") -> None:
        """Count one kept article."""
        report = self._report
        report.kept += 1
        report.positives += kept.found > 0
        report.negatives += kept.found == 0
        report.observables += kept.found
        report.generations[kept.generation or "labels of people"] += 1
        report.lengths[_length(kept.characters)] += 1
        report.observables_per_article[_per_article(kept.found)] += 1
        for type_, found in kept.counts["types"].items():
            report.labelled_articles[type_] += 1
            report.positive_articles[type_] += found > 0
            report.observables_by_type[type_] += found
        report.labelers.update(kept.counts["labelers"])
        report.seen_in_part.update(kept.counts["in_part"])
        for platform, found in kept.counts["platforms"].items():
            report.platforms[platform] += found


def print_report(report: HarvestCounts, console: "Console") -> None:
    """Print the tables at the end of a harvest."""
    print_tables([_totals(report), _by_type(report), _breakdown(report)], console)


def _totals(report: HarvestCounts) -> Table:
    rows: list[tuple[object, ...]] = [
        ("read", f"with {report.executions} executions", report.read),
        ("kept", f"{report.positives} positive, {report.negatives} true negative", report.kept),
    ]
    for name, counts in (
        ("excluded", report.excluded),
        ("unlabelled", report.unlabelled),
        ("set aside", report.items_set_aside),
        ("set aside", report.entries_set_aside),
    ):
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        rows += [(name, reason, count) for reason, count in ranked]
    for words, count in (
        ("executions that evaluate the application's agents", report.evaluation_runs),
        ("answers of models of ours (--own-answers keeps them)", report.own_answers),
    ):
        if count:
            rows.append(("left out", words, count))
    rows += [("labels left out", why, count) for why, count in sorted(report.labels_left_out.items())]
    rows += [("people disagree", where, "") for where in report.label_conflicts[:_NAMED]]
    rows += [("seen in part", type_, count) for type_, count in sorted(report.seen_in_part.items())]
    if report.articles_read_again:
        rows.append(("executions disagree", f"of {report.articles_read_again} articles read more than once, on", ""))
    rows += [("executions disagree", type_, count) for type_, count in sorted(report.disagreements.items())]
    rows += [("set aside", f"{path}: {why}", "1 file") for path, why in sorted(report.files_set_aside.items())]
    return table_of(("articles", "", ""), rows, left=(0, 1))


def _by_type(report: HarvestCounts) -> Table:
    rows: list[tuple[object, ...]] = [
        (type_, labeled, report.positive_articles[type_], report.observables_by_type[type_])
        for type_, labeled in sorted(report.labelled_articles.items())
    ]
    per_article = report.observables / report.kept if report.kept else 0.0
    rows.append(("all", report.kept, report.positives, f"{report.observables} ({per_article:.2f} an article)"))
    return table_of(("type", "articles labeled", "with some", "observables"), rows, left=(0, 1, 2))


def _breakdown(report: HarvestCounts) -> Table:
    rows: list[tuple[object, ...]] = []
    for title, counts in (
        ("generation", report.generations),
        ("characters", report.lengths),
        ("observables", report.observables_per_article),
    ):
        rows += [(title, name, counts[name]) for name in sorted(counts, key=_order)]
    rows += [("labeled by", name, f"{count} types") for name, count in sorted(report.labelers.items())]
    rows += [("platform", name, f"{count} observables") for name, count in sorted(report.platforms.items())]
    return table_of(("kept by", "", "articles"), rows, left=(0, 1))


def _length(characters: int) -> str:
    return next((name for most, name in _LENGTHS if characters < most), _LONGEST)


def _per_article(found: int) -> str:
    return str(found) if found < 3 else "3-5" if found < 6 else "6-10" if found < 11 else "11+"


def _order(name: str) -> tuple[int, str]:
    names = [*(short for _, short in _LENGTHS), _LONGEST, "0", "1", "2", "3-5", "6-10", "11+"]
    return (names.index(name) if name in names else -1, name)
