"""Reads what people said in the application: `article_annotations`, and the expected items of `subagent_evaluations`.

An annotation says "this is one" of a passage, never "these are all". Expected items are what an agent should find in an
article: all of one type.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctiforge.data.articles import Article, type_of_agent
from ctiforge.data.identity import canonical_url
from ctiforge.data.item_values import canonical_platform, canonical_type, canonical_values, clean_text
from ctiforge.data.labels import UNNAMED
from ctiforge.data.people import Annotation, ExpectedItems
from ctiforge.labels.reading import GatheredLabel, Quotes, ReadLabels, observables_of
from ctiforge.records.human_label import LabelUsage
from ctiforge.records.observable import TYPES, Observable

ANNOTATIONS, EXPECTED = "annotations of the application", "evaluations of the application"
_TYPES = {"cmd": "cmdline", "reg": "registry", "network": "network_indicators", "sigma": "hunt_queries"}
_USAGES: Mapping[str, LabelUsage] = {"train": "train", "eval": "eval", "gold": "gold"}


def read_annotations(
    annotations: Iterable[Annotation], articles: Mapping[int, Article], annotator: str | None
) -> ReadLabels:
    """Read annotations: single items, of the text that the article has now.

    Args:
        annotations: The rows, in any order.
        articles: The articles by id.
        annotator: Who made those that name nobody; None: `UNNAMED`.

    Returns:
        One label for each person, article and usage that keeps it in or out of training; what no longer stands in its
        article is counted, not applied.
    """
    read = ReadLabels()
    people: dict[tuple[int, str], GatheredLabel] = {}
    quotes: dict[int, Quotes] = {}
    for row in annotations:
        article = articles.get(row.article_id)
        if article is None or not (article.content or "").strip():
            read.left_out["annotations of articles without a text"] += 1
            continue
        name = (clean_text(row.type) or "").lower()
        # a process by its name is no pair, a file or an event no observable of ours
        type_ = _TYPES.get(name) or canonical_type(name)
        if type_ not in TYPES or name == "process":
            read.left_out[f"annotations of type {name or 'nobody named'}: no type of ours"] += 1
            continue
        found = quotes.setdefault(row.article_id, Quotes(article.content or ""))
        passage = found.find(type_, clean_text(row.quote), row.start, row.end)
        if passage is None:
            read.left_out[f"{type_}: annotations that stand nowhere in the text, which has changed since"] += 1
            continue
        observables = observables_of(type_, passage)
        if not observables:
            read.left_out[f"{type_}: annotations of a single process, which is no pair"] += 1
            continue
        user = clean_text(row.user)
        person = f"user {user}" if user else annotator or UNNAMED
        gathered = people.setdefault((row.article_id, person), _gathered(article, person))
        gathered.observables += observables
        usage = _USAGES.get((clean_text(row.usage) or "").lower())
        # what is held out of training once stays out
        if gathered.usage in (None, "train"):
            gathered.usage = usage or gathered.usage
    read.labels = [label for each in people.values() if (label := each.label(ANNOTATIONS))]
    return read


def read_expected(rows: Sequence[ExpectedItems], articles: Mapping[int, Article], annotator: str | None) -> ReadLabels:
    """Read expected items: an empty list says that somebody looked, and there is nothing.

    Args:
        rows: The rows, the newest last: it counts where several are of one article and type.
        articles: The articles by id.
        annotator: Who expected them; None: `UNNAMED`.

    Returns:
        One label an article.
    """
    read = ReadLabels()
    by_url = {canonical_url(each.url): int(number) for number, each in articles.items() if each.url}
    newest: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        number = row.article_id if row.article_id in articles else by_url.get(canonical_url(row.url or ""))
        type_ = type_of_agent(clean_text(row.agent) or "")
        if type_ is None:
            read.left_out["expected items of agents without a type of ours"] += 1
        elif not isinstance(row.items, list):
            read.left_out[f"{type_}: expected items of which only a count is known"] += 1
        elif not row.items and row.count:
            read.left_out[f"{type_}: expected items that are missing, though they were counted"] += 1
        elif number is None or not (articles[number].content or "").strip():
            read.left_out[f"{type_}: expected items of articles that are not there, or have no text"] += 1
        else:
            newest[number, type_] = row.items
    people: dict[int, GatheredLabel] = {}
    for (number, type_), items in sorted(newest.items()):
        gathered = people.setdefault(number, _gathered(articles[number], annotator or UNNAMED))
        found = [(canonical_values(type_, item), canonical_platform(item)) for item in items]
        if unread := sum(not values for values, _ in found):
            read.left_out[f"{type_}: expected items that cannot be read"] += unread
        if items and unread == len(items):
            # not a list of nothing
            continue
        gathered.looked_at.append(type_)
        gathered.observables += [Observable(type=type_, value=v, platform=p) for values, p in found for v in values]
    read.labels = [label for each in people.values() if (label := each.label(EXPECTED))]
    return read


def _gathered(article: Article, person: str) -> GatheredLabel:
    return GatheredLabel(article.id, person, article.content or "", article.url, article.title)
