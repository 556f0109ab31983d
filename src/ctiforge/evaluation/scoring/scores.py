"""The figures of an evaluation: each a formula over counts summed over articles, with the direction that is better.

Every figure is a function of column sums, so that one formula serves the figure itself (each article
once) and each draw of the jackknife (all articles but one).

An article that was not read whole, because a window of it failed or all of it did, owes answers: what it gives of a
type counts as at least as many items as there are to be found, and as one where there is none, and what it owes of
them is wrong. So no F1, no share of grounded values and no figure of pairs without anything to find gets better by
failing, as long as the answer would have been no longer than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctiforge.evaluation.statistics import Estimate, Floats, Interval, estimate, f1, leave_one_out, ratio
from ctiforge.records.evaluation import ArticleScore, Direction, ScoredItem, TypeCounts, Unit


class Counts:
    """Named columns of counts, one row an article: `Counts.of(articles)`."""

    def __init__(self, columns: dict[str, Floats], types: tuple[str, ...], articles: int) -> None:
        self.columns = columns
        self.types = types
        """The types with something expected in at least one article, sorted."""
        self.articles = articles

    @classmethod
    def of(cls, articles: Sequence[ArticleScore]) -> "Counts":
        """Count the articles, in their order."""
        labeled = sorted({type_ for article in articles for type_ in article.counts})
        rows = [_row(article, labeled) for article in articles]
        columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]} if rows else {}
        positive = tuple(type_ for type_ in labeled if columns[f"type:{type_}.expected"].sum() > 0)
        return cls(columns, positive, len(articles))

    def sums(self, drawn: Floats) -> "Sums":
        """Sum the columns under each row of `drawn` (draws, articles)."""
        return Sums(self, drawn)

    def part(self, chosen: Floats) -> "Counts":
        """Keep the `chosen` articles (1 or 0 each)."""
        rows = np.flatnonzero(chosen)
        return Counts({name: values[rows] for name, values in self.columns.items()}, self.types, rows.size)

    def support(self, column: str, chosen: Floats) -> int:
        """Count the `chosen` articles that have anything in a column."""
        return int(((self.columns[column] > 0) & (chosen > 0)).sum()) if column in self.columns else 0


class Sums:
    """Column sums, computed when asked for: arrays of one figure a draw."""

    def __init__(self, counts: Counts, drawn: Floats) -> None:
        self.types = counts.types
        self._counts = counts
        self._drawn = drawn

    def __getitem__(self, column: str) -> Floats:
        values = self._counts.columns.get(column)
        return self._drawn @ values if values is not None else np.zeros(len(self._drawn))


ItemFormula = Callable[[Sums], Floats]


@dataclass(frozen=True)
class Metric:
    """One figure: its formula, which direction is better, and which articles speak for it."""

    name: str
    label: str
    direction: Direction
    formula: ItemFormula
    support: str
    """The column that is positive in the articles on which the figure rests."""
    unit: Unit = "share"
    beside: ItemFormula | None = None
    """The figure to read it against: the truth's, or a floor's."""
    beside_label: str = ""
    weight: Callable[["Counts"], Floats] | None = None
    """How much of the figure rests on each article, where that is not the support's column."""


@dataclass(frozen=True)
class Figure:
    """A metric's value, None where nothing speaks for it; no interval below the least number of articles."""

    value: float | None
    interval: Interval | None
    support: int
    beside: float | None = None


def precision_of(prefix: str) -> ItemFormula:
    """Make the formula TP / (TP + FP) = found / predicted, over the items of one subset."""
    return lambda sums: ratio(sums[f"{prefix}.found"], sums[f"{prefix}.predicted"])


def recall_of(prefix: str) -> ItemFormula:
    """Make the formula TP / (TP + FN) = found / expected, over the items of one subset."""
    return lambda sums: ratio(sums[f"{prefix}.found"], sums[f"{prefix}.expected"])


def f1_of(prefix: str, found: str = "found") -> ItemFormula:
    """Make the formula of micro-F1 over one subset, all types pooled; `found` names the column of true positives."""

    def formula(sums: Sums) -> Floats:
        given = sums[f"{prefix}.predicted"] + sums[f"{prefix}.owed"]
        return f1(sums[f"{prefix}.{found}"], sums[f"{prefix}.expected"], given)

    return formula


def macro_f1(sums: Sums) -> Floats:
    """Compute the mean of the types' F1, over types with anything expected (Manning et al. 2008, section 13.6)."""
    each = [f1_of(f"type:{type_}")(sums) for type_ in sums.types]
    if not each:
        return np.full(sums["articles"].shape, np.nan)
    stacked = np.array(each)
    known = np.isfinite(stacked)
    return ratio(np.where(known, stacked, 0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def by_type(counts: Counts) -> Floats:
    """Compute how much of a mean over types rests on each article: its share of each type's items, summed up."""
    shares = [counts.columns[f"type:{type_}.expected"] for type_ in counts.types]
    return np.sum([each / each.sum() for each in shares], axis=0) if shares else np.zeros(counts.articles)


def grounded(sums: Sums) -> Floats:
    """Compute the share of values that stand in the article, over what was predicted and what is owed."""
    return ratio(sums["located"], sums["all.predicted"] + sums["all.owed"])


def per(top: str, bottom: str) -> ItemFormula:
    """Make the formula of one column's sum by another's."""
    return lambda sums: ratio(sums[top], sums[bottom])


METRICS = (
    Metric("micro_f1", "micro-F1", "higher", f1_of("all"), "all.expected"),
    Metric("precision", "precision", "higher", precision_of("all"), "all.expected"),
    Metric("recall", "recall", "higher", recall_of("all"), "all.expected"),
    Metric("macro_f1", "macro-F1", "higher", macro_f1, "all.expected", weight=by_type),
    Metric("micro_f1_strict", "micro-F1, strict", "higher", f1_of("all", "exact"), "all.expected"),
    Metric("micro_f1_partial", "micro-F1, partial", "higher", f1_of("all", "partial"), "all.expected"),
    Metric("unseen_f1", "micro-F1, values not in training", "higher", f1_of("unseen"), "unseen.expected"),
    Metric("obfuscated_f1", "micro-F1, obfuscated values", "higher", f1_of("obfuscated"), "obfuscated.expected"),
    Metric(
        "zero_false_positives",
        "false positives per zero-expected pair",
        "lower",
        per("zero.wrong", "zero.pairs"),
        "zero.pairs",
        "number",
    ),
    Metric("zero_clean", "zero-expected pairs left empty", "higher", per("zero.clean", "zero.pairs"), "zero.pairs"),
    Metric("count_accuracy", "pairs with the right count", "higher", per("count.right", "pairs"), "pairs"),
    Metric("json_validity", "JSON validity, raw", "higher", per("json_parsed", "windows"), "windows"),
    Metric("schema_validity", "schema validity, raw", "higher", per("schema_valid", "windows"), "windows"),
    Metric("stopped_by_length", "stopped by length", "lower", per("stopped_by_length", "windows"), "windows"),
    Metric("halved", "windows asked again in halves", "lower", per("halved", "windows"), "windows"),
    Metric("failed_windows", "windows that failed", "lower", per("failed", "windows"), "windows"),
    Metric("duplicates", "repeated items per window", "lower", per("duplicates", "windows"), "windows", "number"),
    Metric("grounded", "predicted values in the article", "higher", grounded, "all.predicted"),
    Metric("altered", "hallucinated: altered", "lower", per("altered", "all.predicted"), "all.predicted"),
    Metric("invented", "hallucinated: invented", "lower", per("invented", "all.predicted"), "all.predicted"),
    Metric(
        "observables_per_article",
        "observables per article",
        "none",
        per("observables.predicted", "articles"),
        "articles",
        "number",
        per("observables.expected", "articles"),
        "truth",
    ),
    Metric(
        "discrete_huntables",
        "discrete huntables per article",
        "none",
        per("all.predicted", "articles"),
        "articles",
        "number",
        per("all.expected", "articles"),
        "truth",
    ),
    Metric(
        "platform_accuracy",
        "platform accuracy, found items",
        "higher",
        per("platform.right", "platform.labeled"),
        "platform.labeled",
    ),
    Metric(
        "windows_precision",
        "Windows articles, precision",
        "higher",
        per("windows.found", "windows.predicted"),
        "windows.labeled",
        beside=per("windows.expected", "windows.labeled"),
        beside_label="always Windows",
    ),
    Metric(
        "windows_recall",
        "Windows articles, recall",
        "higher",
        per("windows.found", "windows.expected"),
        "windows.labeled",
        beside=lambda sums: ratio(sums["windows.expected"], sums["windows.expected"]),
        beside_label="always Windows",
    ),
    Metric("failed_articles", "articles that failed", "lower", per("article.failed", "articles"), "articles"),
    Metric("seconds_per_article", "seconds per article", "lower", per("seconds", "articles"), "articles", "number"),
    Metric(
        "prompt_tokens", "prompt tokens per article", "lower", per("prompt_tokens", "articles"), "windows", "number"
    ),
    Metric(
        "answer_tokens", "answer tokens per article", "lower", per("answer_tokens", "articles"), "windows", "number"
    ),
)


def figure(metric: Metric, counts: Counts, chosen: Floats | None = None, *, least: int) -> Figure:
    """Compute a metric over the `chosen` articles (1 or 0 each; None: all), with an interval from `least` articles."""
    chosen = np.ones(counts.articles) if chosen is None else chosen
    support = counts.support(metric.support, chosen)
    whole = counts.sums(chosen[np.newaxis, :])
    enough = support >= max(least, 2)
    found = estimate_metric(metric, counts.part(chosen)).interval() if enough else None
    return Figure(
        value=finite(metric.formula(whole)[0]) if support else None,
        interval=within(found, metric.unit) if found else None,
        support=support,
        beside=finite(metric.beside(whole)[0]) if metric.beside and support else None,
    )


def estimate_metric(metric: Metric, counts: Counts) -> Estimate:
    """Estimate a metric over two articles or more."""
    return estimate(metric.formula(counts.sums(leave_one_out(counts.articles))), size_of(metric, counts))


def estimate_difference(metric: Metric, before: Counts, after: Counts) -> Estimate:
    """Estimate what a metric changes by from one side to the other, paired over the same two articles or more."""
    drawn = leave_one_out(before.articles)
    figures = metric.formula(after.sums(drawn)) - metric.formula(before.sums(drawn))
    return estimate(figures, np.maximum(size_of(metric, before), size_of(metric, after)))


def size_of(metric: Metric, counts: Counts) -> Floats:
    """Compute how much of a metric rests on each article (articles,)."""
    if metric.weight:
        return metric.weight(counts)
    return counts.columns.get(metric.support, np.zeros(counts.articles))


def within(found: Interval, unit: Unit) -> Interval:
    """Cut the interval of a share to where shares are."""
    return Interval(max(0.0, found.low), min(1.0, found.high)) if unit == "share" else found


def finite(value: float) -> float | None:
    """Turn a number into a plain float, or None where it is not finite."""
    return float(value) if np.isfinite(value) else None


def _row(article: ArticleScore, labeled: Sequence[str]) -> dict[str, float]:
    row: dict[str, float] = {"articles": 1.0 if article.counts else 0.0, "article.failed": float(bool(article.error))}
    items = article.items
    is_read = not article.error and not article.answers.failed
    owed = {} if is_read else {type_: _owed(counts) for type_, counts in article.counts.items()}
    row |= _items("all", items, sum(owed.values()))
    for subset in ("unseen", "obfuscated"):
        part = [item for item in items if getattr(item, subset)]
        missed = sum(item.outcome == "missed" for item in part) - sum(item.outcome == "wrong" for item in part)
        row |= _items(subset, part, 0 if is_read else max(0, missed))
    for type_ in labeled:
        row |= _items(f"type:{type_}", [item for item in items if item.type == type_], owed.get(type_, 0))
    zero = {type_: counts.wrong + owed.get(type_, 0) for type_, counts in article.counts.items() if not counts.expected}
    right = sum(counts.expected == counts.predicted for counts in article.counts.values())
    row |= {
        "pairs": len(article.counts),
        "count.right": right if is_read else 0,
        "zero.pairs": len(zero),
        "zero.wrong": sum(zero.values()),
        "zero.clean": sum(not wrong for wrong in zero.values()),
        "observables.expected": article.expected_observables,
        "observables.predicted": article.predicted_observables,
    }
    row |= {kind: sum(item.grounding == kind for item in items) for kind in ("located", "altered", "invented")}
    row |= article.answers.model_dump()
    return row | _platforms(items)


def _owed(counts: TypeCounts) -> int:
    """Count the wrong items that an article which was not read whole is charged with, of one type."""
    return max(0, max(counts.expected, 1) - counts.predicted)


def _items(prefix: str, items: Sequence[ScoredItem], owed: int) -> dict[str, float]:
    return {
        f"{prefix}.expected": sum(item.outcome != "wrong" for item in items),
        f"{prefix}.predicted": sum(item.outcome != "missed" for item in items),
        f"{prefix}.found": sum(item.outcome == "found" for item in items),
        f"{prefix}.exact": sum(item.exact for item in items),
        f"{prefix}.partial": sum(item.outcome == "found" or _in_part(item) for item in items),
        f"{prefix}.owed": owed,
    }


def _in_part(item: ScoredItem) -> bool:
    return item.outcome == "missed" and item.near is not None


def _platforms(items: Sequence[ScoredItem]) -> dict[str, float]:
    """Count found items whose platform is labeled; articles with a labeled platform: is Windows among them."""
    both = [item for item in items if item.outcome == "found" and item.platform_expected]
    labeled = any(item.platform_expected for item in items)
    expected = any(item.platform_expected == "Windows" for item in items)
    predicted = labeled and any(item.platform_predicted == "Windows" for item in items)
    return {
        "platform.labeled": len(both),
        "platform.right": sum(item.platform_expected == item.platform_predicted for item in both),
        "windows.labeled": float(labeled),
        "windows.expected": float(expected),
        "windows.predicted": float(predicted),
        "windows.found": float(expected and predicted),
    }
