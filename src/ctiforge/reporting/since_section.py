"""What the database gained since the version in use was trained, as the counts of both harvests tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ctiforge.records.evaluation import Unit
from ctiforge.records.formatted import FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.prepared import PrepareReport
from ctiforge.reporting.promoted import SOURCES, PromotedData
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.view import Block, Note, Section
from ctiforge.tables import Cell, Column, Table

BEYOND = "true negative beyond --negative-ratio"
"""The harvest's reason for empty answers that it did not keep: they count among the empty ones all the same."""
_TITLE = "New since the version in use"


@dataclass(frozen=True)
class _Figure:
    """One figure of both; None where one of them does not say."""

    name: str
    before: float | None
    after: float | None
    unit: Unit


def since_section(run: RunFiles) -> Section | None:
    """Set the run's data beside that of the version in use; None where there is no such version, or no data."""
    promoted = run.promoted
    if not promoted or not (run.harvest or run.prepared):
        return None
    lead = f"The data of this run beside that of version {promoted.version}, {promoted.name}, in use when it began."
    if any(each.fingerprint == promoted.fingerprint for each in run.manifests.values() if each.stage in SOURCES):
        return Section("since", _TITLE, f"Nothing: version {promoted.version} was trained on the same data.", ())
    tables: list[Table] = []
    if run.harvest and promoted.harvest:
        tables += _harvest_tables(promoted, promoted.harvest, run.harvest, run.formatted)
    if run.prepared and promoted.prepared:
        tables += _prepared_tables(promoted, promoted.prepared, run.prepared)
    if tables:
        return Section("since", _TITLE, lead, tuple(tables))
    why = promoted.problem or "its data is of another kind"
    note: Block = Note((f"Version {promoted.version}: {why}; what is new cannot be told.",), "unsure")
    return Section("since", _TITLE, lead, (note,))


def _harvest_tables(
    promoted: PromotedData, before: HarvestReport, after: HarvestReport, formatted: FormatReport | None
) -> Iterator[Table]:
    figures = [
        _counts("articles read", before.read, after.read),
        _counts("executions", before.executions, after.executions),
        _counts("articles kept", before.kept, after.kept),
        _counts("observables", before.observables, after.observables),
        _Figure("empty-answer rate", _empty(before), _empty(after), "share"),
        _Figure("labels that stand in their article", _located(promoted.formatted), _located(formatted), "share"),
    ]
    note = (
        "Empty-answer rate: articles in which nothing was found, of those with an answer, sampled out or not. What "
        "stands in its article is counted when examples are made."
    )
    yield _table("All articles", promoted, figures, note=note)
    types = sorted({*before.labelled_articles, *after.labelled_articles})
    rates = [_Figure(each, _per_article(each, before), _per_article(each, after), "number") for each in types]
    yield _table("Items per labeled article", promoted, rates)
    empties = [_Figure(each, _without(each, before), _without(each, after), "share") for each in types]
    yield _table("Labeled articles without an item", promoted, empties)
    yield _mix_table("Operating systems of the observables", promoted, before.platforms, after.platforms)


def _prepared_tables(promoted: PromotedData, before: PrepareReport, after: PrepareReport) -> Iterator[Table]:
    figures = [
        _counts("articles read", before.articles_read, after.articles_read),
        _counts("labeled", before.labelled, after.labelled),
        _counts("left out", sum(before.set_aside.values()), sum(after.set_aside.values())),
    ]
    yield _table("All articles", promoted, figures)
    yield _mix_table("Operating systems of the articles", promoted, before.classes, after.classes)


def _mix_table(caption: str, promoted: PromotedData, before: Mapping[str, int], after: Mapping[str, int]) -> Table:
    names = sorted({*before, *after}, key=lambda name: -after.get(name, 0))
    totals = [sum(each.values()) for each in (before, after)]
    shares = [
        _Figure(name, _share(before.get(name, 0), totals[0]), _share(after.get(name, 0), totals[1]), "share")
        for name in names
    ]
    return _table(caption, promoted, shares)


def _table(caption: str, promoted: PromotedData, figures: list[_Figure], *, note: str = "") -> Table:
    titles = ("difference", "this run", f"version {promoted.version}")
    columns = (Column("", False), *(Column(title) for title in titles))
    return Table(caption, columns, tuple(_row(each) for each in figures), note=note)


def _row(each: _Figure) -> tuple[Cell, ...]:
    shown = [Cell(_written(value, each.unit)) for value in (each.after, each.before)]
    return (Cell(each.name), Cell(_difference(each), strong=True), *shown)


def _difference(each: _Figure) -> str:
    if each.before is None or each.after is None:
        return "n/a"
    difference = each.after - each.before
    sign = "+" if difference > 0 else ""
    if each.unit == "share":
        return f"{sign}{100 * difference:.1f} points".replace("-", "−")
    return sign + _written(difference, each.unit)


def _written(value: float | None, unit: Unit) -> str:
    if value is None:
        return "n/a"
    if unit == "number":
        return (f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}").replace("-", "−")
    return f"{value:.1%}".replace("-", "−")


def _counts(name: str, before: int, after: int) -> _Figure:
    return _Figure(name, before, after, "number")


def _empty(harvest: HarvestReport) -> float | None:
    empty = harvest.negatives + harvest.excluded.get(BEYOND, 0)
    return _share(empty, harvest.positives + empty)


def _located(formatted: FormatReport | None) -> float | None:
    """Compute the share of the labels that stand in their article."""
    if not formatted:
        return None
    report = formatted.report
    kept = report.items + report.items_too_long + report.answers_lost
    missing = report.machine_labels_dropped + report.human_labels_unlocated
    return _share(kept, kept + missing)


def _per_article(type_: str, harvest: HarvestReport) -> float | None:
    return _share(harvest.observables_by_type.get(type_, 0), harvest.labelled_articles.get(type_, 0))


def _without(type_: str, harvest: HarvestReport) -> float | None:
    labeled = harvest.labelled_articles.get(type_, 0)
    return _share(labeled - harvest.positive_articles.get(type_, 0), labeled)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
