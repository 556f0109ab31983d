"""What an extractor missed, made up or took for something, with the passage of the article that shows it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from ctiforge.records.evaluation import ArticleScore, Evaluation, ScoredItem
from ctiforge.reporting.passages import shortened
from ctiforge.reporting.places import Places
from ctiforge.reporting.view import Finding, FindingGroup, Findings
from ctiforge.tables import Mark

SHOWN = 8
"""Errors of one kind and type that are shown; the rest is counted."""
KINDS = {
    "invented": Mark("bad", "✕", "invented"),
    "altered": Mark("bad", "≠", "altered"),
    "wrong": Mark("bad", "!", "wrong"),
    "missed": Mark("unsure", "○", "missed"),
}
"""Invented and altered values do not stand in the article, wrong ones do, but nobody labeled them as that type."""

Error = tuple[ArticleScore, ScoredItem]
Varied = TypeVar("Varied")


def extract_findings(evaluation: Evaluation, places: Places) -> Findings:
    """Collect the errors by type, of every kind some, from as many articles as there are."""
    errors: dict[str, list[Error]] = defaultdict(list)
    for article in evaluation.articles:
        for item in article.items:
            if item.outcome != "found":
                errors[item.type].append((article, item))
    groups = tuple(_group(type_, found, places) for type_, found in sorted(errors.items(), key=lambda p: -len(p[1])))
    return Findings(groups, tuple(mark.word for mark in KINDS.values()))


def varied(items: Sequence[Varied], article_of: Callable[[Varied], str]) -> list[Varied]:
    """Order items: the first of every article, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    ranked = []
    for item in items:
        article = article_of(item)
        ranked.append((seen[article], item))
        seen[article] += 1
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]


def article_name(article: ArticleScore) -> str:
    """Name an article by its id and, where it has one, its title."""
    return f"{article.id} · {article.title}" if article.title else article.id


def _group(type_: str, errors: Sequence[Error], places: Places) -> FindingGroup:
    by_kind: dict[str, list[Error]] = {kind: [] for kind in KINDS}
    for error in errors:
        by_kind[_kind(error[1])].append(error)
    chosen = [error for found in by_kind.values() for error in varied(found, lambda error: error[0].id)[:SHOWN]]
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in by_kind.items() if found)
    findings = tuple(_finding(article, item, places) for article, item in chosen)
    return FindingGroup(type_, counts, findings, more=len(errors) - len(chosen))


def _kind(item: ScoredItem) -> str:
    if item.outcome == "missed":
        return "missed"
    return item.grounding if item.grounding in ("altered", "invented") else "wrong"


def _finding(article: ArticleScore, item: ScoredItem, places: Places) -> Finding:
    value = item.expected if item.outcome == "missed" else item.predicted
    value = value or ""
    stands = places.passage(article.id, item.type, value)
    nearest = item.nearest or ""
    beside = places.literal(article.id, nearest) if nearest and not stands else None
    return Finding(
        value=shortened(value),
        mark=KINDS[_kind(item)],
        article=article_name(article),
        remarks=tuple(_remarks(article, item, "" if beside else nearest)),
        passages=tuple(each for each in (stands, beside) if each),
    )


def _remarks(article: ArticleScore, item: ScoredItem, nearest: str) -> list[str]:
    remarks = []
    if article.error:
        remarks.append(f"The model failed on this article: {shortened(article.error)}")
    if item.outcome == "missed" and item.near:
        remarks.append(f"Given in part: {shortened(item.near)}")
    if item.outcome == "wrong" and item.near:
        remarks.append(f"In part what was expected: {shortened(item.near)}")
    if nearest:
        remarks.append(f"The article has: {shortened(nearest)}")
    elif item.grounding == "invented" and not item.nearest:
        remarks.append("Nothing in the article is like it.")
    if item.obfuscated:
        remarks.append("Obfuscated.")
    if item.outcome == "missed" and item.unseen:
        remarks.append("Not in the training data.")
    return remarks
