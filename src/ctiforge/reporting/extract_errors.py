"""What an extractor missed, made up or took for something, with the passage of the article that shows it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ctiforge.observables.locate import Locator
from ctiforge.records.evaluation import ArticleScore, Evaluation, ScoredItem
from ctiforge.reporting.passages import passage, shortened
from ctiforge.reporting.view import Finding, FindingGroup, Findings, ShownPassage
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


def extract_findings(evaluation: Evaluation, texts: Mapping[str, str]) -> Findings:
    """Collect the errors by type, of every kind some, from as many articles as there are."""
    errors: dict[str, list[Error]] = defaultdict(list)
    for article in evaluation.articles:
        for item in article.items:
            if item.outcome != "found":
                errors[item.type].append((article, item))
    places = _Places(texts)
    groups = tuple(_group(type_, found, places) for type_, found in sorted(errors.items(), key=lambda p: -len(p[1])))
    return Findings(groups, tuple(mark.word for mark in KINDS.values()))


class _Places:
    """Finds values in the articles; each article is indexed once."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._locators: dict[str, Locator] = {}

    def passage(self, article: str, type_: str, value: str) -> ShownPassage | None:
        """Show where the value stands first; None where it does not, or the text is not there."""
        if article not in self._texts:
            return None
        locator = self._locators.setdefault(article, Locator(self._texts[article]))
        found = locator.locate(type_, value)
        return passage(locator.text, [(span.start, span.end) for span in found[0].spans]) if found else None

    def literal(self, article: str, words: str) -> ShownPassage | None:
        """Show where these very words stand first."""
        text = self._texts.get(article, "")
        at = text.find(words)
        return passage(text, [(at, at + len(words))], "what the article has") if at >= 0 and words else None


def _group(type_: str, errors: Sequence[Error], places: _Places) -> FindingGroup:
    by_kind: dict[str, list[Error]] = {kind: [] for kind in KINDS}
    for error in errors:
        by_kind[_kind(error[1])].append(error)
    chosen = [error for found in by_kind.values() for error in _varied(found)[:SHOWN]]
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in by_kind.items() if found)
    findings = tuple(_finding(article, item, places) for article, item in chosen)
    return FindingGroup(type_, counts, findings, more=len(errors) - len(chosen))


def _kind(item: ScoredItem) -> str:
    if item.outcome == "missed":
        return "missed"
    return item.grounding if item.grounding in ("altered", "invented") else "wrong"


def _varied(errors: Sequence[Error]) -> list[Error]:
    """Order the errors: the first of every article, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    ranked = []
    for error in errors:
        ranked.append((seen[error[0].id], error))
        seen[error[0].id] += 1
    return [error for _, error in sorted(ranked, key=lambda pair: pair[0])]


def _finding(article: ArticleScore, item: ScoredItem, places: _Places) -> Finding:
    value = item.expected if item.outcome == "missed" else item.predicted
    value = value or ""
    stands = places.passage(article.id, item.type, value)
    nearest = item.nearest or ""
    beside = places.literal(article.id, nearest) if nearest and not stands else None
    return Finding(
        value=shortened(value),
        mark=KINDS[_kind(item)],
        article=f"{article.id} · {article.title}" if article.title else article.id,
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
