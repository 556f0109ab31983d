"""The report of an OS-BERT run."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ctiforge.evaluation.gate.sides import scored_classification
from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES
from ctiforge.lines.os_bert import OS_BERT
from ctiforge.records.classification import ClassFigures, ClassifierEvaluation, ClassifierRow
from ctiforge.records.comparison import ComparedRow
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import MetricFigure
from ctiforge.reporting import words
from ctiforge.reporting.charts import difference_plot, reach_of, share_plot
from ctiforge.reporting.gate_section import gate_section
from ctiforge.reporting.os_contest import KINDS, PRIMARY, OsContest, os_contest_of
from ctiforge.reporting.os_errors import SHOWN, FindCues, os_findings
from ctiforge.reporting.os_exchange import case_findings, exchanged_cases
from ctiforge.reporting.power_section import power_section
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.run_sections import cost_section, data_section, lineage_section, training_section
from ctiforge.reporting.since_section import since_section
from ctiforge.reporting.trial import deciding_check
from ctiforge.reporting.verdict import NO_VERDICT, basis, dressed, judged, losses, no_verdict, told
from ctiforge.reporting.view import Block, Note, Section, Verdict
from ctiforge.tables import Cell, Column, Table

_AGREEMENT = (
    "The test labels come from the labeler that the model was trained on: the figures say how far the two agree, "
    "not how often the model is right"
)


def os_sections(run: RunFiles, find_cues: FindCues) -> tuple[Verdict, tuple[Section, ...]]:
    """Build the verdict, and every section that the run has something for."""
    contest = os_contest_of(run)
    new = contest.new
    sections = [
        _comparison(new, contest) if new else None,
        gate_section(run.decision, contest.ruling),
        _classes(new) if new else None,
        _exchange(contest, run.texts, find_cues),
        _power(contest),
        since_section(run),
        training_section(run, "loss per article (nats)"),
        _errors(new, run.texts, find_cues) if new else None,
        data_section(run),
        lineage_section(run),
        cost_section(run, _reading_costs(contest.rows)),
    ]
    return _verdict(run, contest), tuple(section for section in sections if section)


def _verdict(run: RunFiles, contest: OsContest) -> Verdict:
    if not contest.new:
        return no_verdict(run, "There is no verdict: this run has no evaluation of a new model.")
    decision = run.decision if deciding_check(run.decision) else None
    ruling = decision or contest.ruling
    if contest.new.measure == "agreement":
        verdict = Verdict(NO_VERDICT, f"There is no verdict: {_AGREEMENT[0].lower()}{_AGREEMENT[1:]}.")
        return dressed(run, verdict)
    if not ruling:
        return no_verdict(run, "There is no verdict: nothing that the new model can be compared with was evaluated.")
    verdict = judged(ruling)
    details = (
        *_classes_below_floors(contest),
        *verdict.details,
        *basis(run.decision),
        *_rivals(contest, is_asked=decision is not None),
    )
    return dressed(run, replace(verdict, details=details))


def _classes_below_floors(contest: OsContest) -> Iterator[str]:
    for each in contest.rows:
        decision = contest.tested.get(each.row.name)
        if decision and each.row.kind == "floor" and each is not contest.reference:
            yield from losses([check for check in decision.checks if check.role == "part"])


def _rivals(contest: OsContest, *, is_asked: bool) -> Iterator[str]:
    reference = contest.reference
    if not is_asked and reference and reference.row.name != contest.in_use:
        yield f"No model in use was evaluated: {reference.row.name} is the strongest of what was."
    for each in contest.rows:
        decision = contest.tested.get(each.row.name)
        if decision and (is_asked or each is not reference):
            yield f"Macro-F1 against {each.row.name}: {told(decision)}."


def _comparison(new: ClassifierEvaluation, contest: OsContest) -> Section:
    rows = contest.rows
    found = [each.differences[PRIMARY] for each in rows if PRIMARY in each.differences]
    reach = reach_of(end for each in found for end in (each.low, each.high, each.value))
    columns = (
        Column("", False),
        Column("verdict", False),
        Column(new.measure),
        Column("macro-F1"),
        Column("0 to 1", False),
        Column("weighted F1"),
        Column("new model’s lead"),
        Column(f"−{reach:.2f} to +{reach:.2f}", False),
    )
    table = Table(
        "Every classifier on the same articles",
        columns,
        tuple(_compared_row(each, contest.tested.get(each.row.name), reach) for each in rows),
        note="The lead is in macro-F1 and paired: one draw of articles serves both sides; the verdict is that of the "
        "gate’s test.",
    )
    lead = (
        f"{words.plural(len(rows), 'classifier')} on {words.plural(len(new.cases), 'article')} of {new.test_set.name} "
        f"{new.test_set.version}; intervals: {new.intervals.level:.0%}, {new.intervals.method}."
    )
    return Section("comparison", "Before and after", lead, (table,))


def _compared_row(compared: ComparedRow, tested: Decision | None, reach: float) -> tuple[Cell, ...]:
    row, difference = compared.row, compared.differences.get(PRIMARY)
    is_new = not compared.differences
    macro, check = row.metrics[PRIMARY], deciding_check(tested)
    cells = [
        Cell(row.name, below="new model" if is_new else KINDS[row.kind], strong=is_new),
        Cell(mark=words.GATE_MARKS[check.verdict]) if check else Cell(),
        _metric_cell(row.metrics["accuracy"], is_new),
        _metric_cell(macro, is_new),
        Cell(plot=share_plot(f"{row.name}: macro-F1 {words.figure(macro.value)}", macro.value, macro.low, macro.high))
        if macro.value is not None
        else Cell(),
        Cell(words.figure(row.metrics["weighted_f1"].value), strong=is_new),
    ]
    if not difference:
        return (*cells, Cell(), Cell())
    interval = words.signed_interval(difference.low, difference.high)
    says = f"new model against {row.name}: {words.signed(difference.value)}, interval {interval or 'none'}"
    plot = difference_plot(says, difference.value, difference.low, difference.high, reach)
    return (*cells, Cell(words.signed(difference.value), below=interval, strong=True), Cell(plot=plot))


def _metric_cell(metric: MetricFigure, is_new: bool) -> Cell:
    return Cell(words.figure(metric.value), below=words.interval(metric.low, metric.high), strong=is_new)


def _classes(new: ClassifierEvaluation) -> Section:
    head = ("precision", "recall", "found", "articles", "predicted")
    report = Table(
        "Each class",
        (Column("", False), Column("F1"), Column("0 to 1", False), *(Column(each) for each in head)),
        tuple(_class_row(each) for each in new.result.classes),
        note=f"Fewer than {MIN_POSITIVE_ARTICLES} articles carry no figure: counts only.",
    )
    truth = "true" if new.measure == "accuracy" else "labeled"
    confusion = Table(
        f"Confusion: {truth} class down, predicted class across",
        (Column("", False), *(Column(label) for label in new.labels)),
        tuple(_confusion_row(number, label, new.result) for number, label in enumerate(new.labels)),
        note="The darker a cell, the larger its share of the row; what is right is framed.",
    )
    blocks: tuple[Block, ...] = (report, confusion)
    return Section("classes", "Classes", "Where the new model is good, and what it takes for what.", blocks)


def _class_row(each: ClassFigures) -> tuple[Cell, ...]:
    counts = [Cell(words.count(number)) for number in (each.found, each.support, each.predicted)]
    if each.low is None or each.f1 is None:
        return (Cell(each.label), Cell("counts only"), Cell(), Cell(), Cell(), *counts)
    interval = words.interval(each.low, each.high)
    says = f"{each.label}: F1 {words.figure(each.f1)}, interval {interval}"
    return (
        Cell(each.label),
        Cell(words.figure(each.f1), below=interval, strong=True),
        Cell(plot=share_plot(says, each.f1, each.low, each.high, bar=True)),
        Cell(words.figure(each.precision)),
        Cell(words.figure(each.recall)),
        *counts,
    )


def _confusion_row(number: int, label: str, row: ClassifierRow) -> tuple[Cell, ...]:
    counts = row.confusion[number]
    total = sum(counts) or 1
    shaded = (
        Cell(str(count), shade=-(-5 * count // total), strong=column == number) for column, count in enumerate(counts)
    )
    return (Cell(label), *shaded)


def _exchange(contest: OsContest, texts: Mapping[str, str], find_cues: FindCues) -> Section | None:
    if not contest.new or not contest.reference:
        return None
    row = contest.reference.row
    items = exchanged_cases(contest.new.cases, row, contest.new.result)
    lost = sum(each.kind == "lost" for each in items)
    counts = f"{lost:,} lost, {len(items) - lost:,} gained"
    lead = f"The new model against the {contest.role(row)}, article by article: {counts}."
    blocks = (case_findings(items, contest.role(row), texts, find_cues),) if items else ()
    return Section("exchange", "Lost and gained", lead, blocks)


def _power(contest: OsContest) -> Section | None:
    if not contest.new or contest.new.measure == "agreement":
        return None
    row = contest.reference.row if contest.reference else None
    other = scored_classification(contest.new, row) if row else None
    return power_section(OS_BERT.name, scored_classification(contest.new), other, contest.role(row) if row else "")


def _errors(new: ClassifierEvaluation, texts: Mapping[str, str], find_cues: FindCues) -> Section:
    findings = os_findings(new, texts, find_cues)
    if not findings.groups:
        return Section("errors", "Errors", "The new model made none.", ())
    lead = (
        f"Articles that the new model took for another class, at most {SHOWN} of each, with the passages in which "
        "the rule of keywords sees something for the true class or for the one it was taken for."
    )
    blocks: tuple[Block, ...] = (findings,)
    if not texts:
        blocks = (Note(("The articles’ text is not at hand.",), "unsure"), findings)
    return Section("errors", "Errors", lead, blocks)


def _reading_costs(rows: tuple[ComparedRow, ...]) -> Table | None:
    """Lay out latency and size of every classifier."""
    if not rows:
        return None
    cells = tuple((Cell(each.row.name), *_cost_cells(each.row)) for each in rows)
    columns = (Column("", False), Column("median"), Column("95th percentile"), Column("on disk"))
    return Table("Seconds for an article, and size", columns, cells)


def _cost_cells(row: ClassifierRow) -> tuple[Cell, ...]:
    latency = row.latency_s
    seconds = (f"{latency.median:.3f}", f"{latency.p95:.3f}") if latency else ("–", "–")
    return (*(Cell(each) for each in seconds), Cell(words.size(row.size_bytes) or "–"))
