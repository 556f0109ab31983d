"""What the new model lost and gained against another one, item by item."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ctiforge.observables.values import normalize
from ctiforge.records.evaluation import ArticleScore, Evaluation, ScoredItem
from ctiforge.reporting.extract_errors import article_name, varied
from ctiforge.reporting.passages import shortened
from ctiforge.reporting.places import Places
from ctiforge.reporting.view import Finding, FindingGroup, Findings
from ctiforge.tables import Mark

SHOWN = 30
"""Items of one kind that are shown; the rest is counted."""
ExchangeKind = Literal["lost", "gained", "newly wrong", "no longer wrong"]
MARKS: dict[ExchangeKind, Mark] = {
    "lost": Mark("bad", "▼", "lost"),
    "gained": Mark("good", "▲", "gained"),
    "newly wrong": Mark("bad", "!", "newly wrong"),
    "no longer wrong": Mark("good", "✓", "no longer wrong"),
}
_TITLES: dict[ExchangeKind, str] = {
    "lost": "Lost: the {other} found it, the new model does not",
    "gained": "Gained: the new model finds what the {other} missed",
    "newly wrong": "Newly wrong: the new model alone says it, and nobody labeled it",
    "no longer wrong": "No longer wrong: the {other} alone said it, and nobody labeled it",
}
ItemKey = tuple[str, str]
"""Type and normalized value."""


@dataclass(frozen=True)
class Exchanged:
    """One item on which two models differ."""

    kind: ExchangeKind
    article: ArticleScore
    item: ScoredItem


def exchanged(before: Evaluation, after: Evaluation) -> Iterator[Exchanged]:
    """Find every item on which the two differ, of the articles that both were scored on."""
    others = {article.id: article for article in before.articles}
    for article in after.articles:
        if article.id in others:
            yield from _of_article(others[article.id], article)


def exchange_findings(items: list[Exchanged], other: str, places: Places) -> Findings:
    """Lay out what was lost and gained, of every kind some, from as many articles as there are."""
    groups = tuple(_group(kind, [each for each in items if each.kind == kind], other, places) for kind in MARKS)
    return Findings(tuple(group for group in groups if group), tuple(mark.word for mark in MARKS.values()))


def _of_article(before: ArticleScore, after: ArticleScore) -> Iterator[Exchanged]:
    was, now = _items(before, "found"), _items(after, "found")
    missed = _items(after, "missed")
    yield from (Exchanged("lost", after, missed[key]) for key in was if key in missed)
    yield from (Exchanged("gained", after, now[key]) for key in now if key not in was)
    was, now = _items(before, "wrong"), _items(after, "wrong")
    yield from (Exchanged("newly wrong", after, now[key]) for key in now if key not in was)
    yield from (Exchanged("no longer wrong", after, was[key]) for key in was if key not in now)


def _items(article: ArticleScore, outcome: str) -> dict[ItemKey, ScoredItem]:
    """List the items of one outcome by what makes them the same to both models: of a wrong one what was said."""
    return {(item.type, normalize(item.type, _value(item))): item for item in article.items if item.outcome == outcome}


def _value(item: ScoredItem) -> str:
    return (item.predicted if item.outcome == "wrong" else item.expected) or ""


def _group(kind: ExchangeKind, found: list[Exchanged], other: str, places: Places) -> FindingGroup | None:
    if not found:
        return None
    shown = varied(found, lambda each: each.article.id)[:SHOWN]
    types = sorted({each.item.type for each in found})
    counts = ", ".join(f"{sum(each.item.type == type_ for each in found)} {type_}" for type_ in types)
    findings = tuple(_finding(each, places) for each in shown)
    return FindingGroup(_TITLES[kind].format(other=other), counts, findings, more=len(found) - len(shown))


def _finding(each: Exchanged, places: Places) -> Finding:
    item, value = each.item, _value(each.item)
    stands = places.passage(each.article.id, item.type, value)
    remarks = [f"Of type {item.type}."]
    if item.outcome == "wrong":
        is_there = item.grounding == "located"
        remarks.append("It stands in the article." if is_there else "It does not stand so in the article.")
    if item.near and each.kind != "no longer wrong":
        remarks.append(
            f"{'Given in part' if each.kind == 'lost' else 'In part what is labeled'}: {shortened(item.near)}"
        )
    return Finding(
        value=shortened(value),
        mark=MARKS[each.kind],
        article=article_name(each.article),
        remarks=(" ".join(remarks),),
        passages=(stands,) if stands else (),
    )
