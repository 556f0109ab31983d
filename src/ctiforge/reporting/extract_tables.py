"""The tables of an Extract Agent's report: before and after, types and subsets, lengths."""

from collections.abc import Callable, Sequence

from ctiforge.records.comparison import Change
from ctiforge.records.evaluation import MetricFigure, QualityRow
from ctiforge.records.formatted import FormatReport
from ctiforge.reporting import words
from ctiforge.reporting.charts import difference_plot, reach_of, share_plot
from ctiforge.reporting.contest import GUARDRAILS, PRIMARY, Contest, Side
from ctiforge.reporting.trial import deciding_check, find_check
from ctiforge.reporting.view import Facts
from ctiforge.tables import Cell, Column, Table


def primary_table(contest: Contest) -> Table:
    """Lay out the primary metric of every evaluation, and what the new model has over each."""
    changes = [side.change(PRIMARY) for side in contest.rivals]
    reach = reach_of(end for change in changes if change for end in (change.low, change.high, change.difference))
    scale = f"−{reach:.2f} to +{reach:.2f}"
    columns = ("", "verdict", "micro-F1", "0 to 1", "new model’s lead", scale, "precision", "recall")
    return Table(
        "Micro-F1 of every model",
        tuple(Column(title, is_number=number in (2, 4, 6, 7)) for number, title in enumerate(columns)),
        tuple(_primary_row(side, reach, is_new=side is contest.new) for side in contest.sides),
        note="The lead is paired, on the articles of both sides; the verdict is that of the gate’s test.",
    )


def guardrail_table(contest: Contest) -> Table:
    """Lay out what must not get worse, for every evaluation, with what the gate's test says of it."""
    is_constrained = any(side.evaluation.model.name.endswith("constrained") for side in contest.sides)
    note = "n/a: one side says nothing of it, like the rules of JSON. "
    note += (
        "Where an answer is held to its schema (constrained), JSON is valid by construction." if is_constrained else ""
    )
    return _metrics_table("What must not get worse", GUARDRAILS, contest, _gain_cells, note=note)


def all_metrics_table(contest: Contest) -> Table:
    """Lay out every figure of every evaluation."""
    names = list(contest.sides[-1].evaluation.metrics)
    return _metrics_table("All figures of every model", names, contest, _change_cells, is_folded=True)


def change_table(side: Side) -> Table:
    """Lay out every figure before and after, with its paired difference."""
    head = ("before", "after", "difference", "interval", "articles")
    return Table(
        f"New model against {side.role}: every paired difference",
        (Column("", False), Column("verdict", False), *(Column(title) for title in head)),
        tuple(_change_row(change) for change in side.changes.values()),
        note=words.UNDERPOWERED,
        is_folded=True,
    )


def row_table(caption: str, rows: Sequence[QualityRow], contest: Contest, note: str) -> Table:
    """Lay out F1 over subsets, as bars; counts alone where too few articles carry a figure."""
    reference = contest.reference
    columns = [Column("", False), *([Column("verdict", False)] if reference else []), Column("F1")]
    columns += [Column("0 to 1", False), *([Column(f"against {reference.role}")] if reference else [])]
    columns += [Column(each) for each in ("precision", "recall", "found", "expected", "given", "articles")]
    return Table(caption, tuple(columns), tuple(_quality_row(row, reference) for row in rows), note=note)


def truncation_table(formatted: FormatReport) -> Table:
    """Lay out what windows keep of the answers, beside what cutting whole articles on the right would have kept."""
    report, cut = formatted.report, formatted.report.right_truncation
    partly = cut.articles_with_answer - cut.answers_gone - cut.answers_whole
    rows = (
        ("answers lost", words.count(report.answers_lost), f"all of it in {words.plural(cut.answers_gone, 'article')}"),
        ("answers cut short", "none can be", f"a part in {words.plural(partly, 'article')}"),
        (
            "items (here) and answer tokens (there) that survive",
            words.percent(report.answers_kept_share),
            words.percent(cut.answer_tokens_kept_share),
        ),
        (
            "share of loss tokens that are answer",
            words.percent(report.loss_tokens_answer_share),
            words.percent(cut.loss_tokens_answer_share),
        ),
    )
    return Table(
        f"What {formatted.sizes.max_length:,} tokens leave of the answers",
        (Column("", False), Column("windows, as trained"), Column("whole articles cut on the right")),
        tuple((Cell(name), Cell(ours, strong=True), Cell(theirs)) for name, ours, theirs in rows),
        note=f"Right-truncation is worked out over the {cut.articles_with_answer:,} training articles that have an "
        "answer, with prompt, article and answer in one text; it was not trained.",
    )


def length_facts(formatted: FormatReport) -> Facts:
    """Tell how long examples are, and what preparation left out."""
    report, sizes = formatted.report, formatted.sizes
    pairs = (
        ("tokens of an example, at most", f"{sizes.max_length:,}, longest {report.tokens_max:,}"),
        ("window, overlap", f"{sizes.window_tokens:,}, {sizes.overlap_tokens:,} tokens"),
        ("prompt, median and longest", f"{report.prompt_tokens_median:,.0f}, {report.prompt_tokens_max:,} tokens"),
        ("answer, median and longest", f"{report.answer_tokens_median:,.0f}, {report.answer_tokens_max:,} tokens"),
        ("items kept", words.count(report.items)),
        ("items too long for an example", words.count(report.items_too_long)),
        ("items longer than the overlap", words.count(report.items_beyond_overlap)),
        ("machine labels not in the text, dropped", words.count(report.machine_labels_dropped)),
        ("human labels not in the text, kept", words.count(report.human_labels_unlocated)),
        ("empty windows in training", words.percent(report.empty_share_training)),
        ("empty windows at inference", words.percent(report.empty_share_inference)),
    )
    return Facts("Lengths of the examples", pairs)


def _primary_row(side: Side, reach: float, *, is_new: bool) -> tuple[Cell, ...]:
    metrics = side.evaluation.metrics
    check, change = deciding_check(side.tested), side.change(PRIMARY)
    mark = Cell(mark=words.GATE_MARKS[check.verdict]) if check else Cell("" if is_new else _other_articles(side))
    cells = [Cell(side.role, below=side.evaluation.model.name, strong=is_new), mark]
    cells += [_metric_cell(metrics[PRIMARY], is_new), _metric_plot(side.role, metrics[PRIMARY])]
    cells += [_difference_cell(change), _difference_plot(side.role, change, reach)] if change else [Cell(), Cell()]
    return (*cells, *(Cell(words.figure(metrics[name].value), strong=is_new) for name in ("precision", "recall")))


def _other_articles(side: Side) -> str:
    test_set = side.evaluation.test_set
    if side.changes and test_set.drawn_from:
        return f"{test_set.articles} of {test_set.drawn_from} articles"
    return "scored on other articles"


def _metrics_table(
    caption: str,
    names: Sequence[str],
    contest: Contest,
    compared: Callable[[Side, str], tuple[Cell, Cell]],
    *,
    note: str = "",
    is_folded: bool = False,
) -> Table:
    """Lay out figures of every evaluation; `compared` gives the mark and the difference against the reference."""
    reference = contest.reference
    columns = [Column("", False), *([Column("verdict", False)] if reference else [])]
    columns += [Column(side.role) for side in contest.sides]
    columns += [Column(f"against {reference.role}")] if reference else []
    rows = []
    for name in names:
        figures = [side.evaluation.metrics.get(name) for side in contest.sides]
        known = next(each for each in reversed(figures) if each)
        mark, difference = compared(reference, name) if reference else (Cell(), Cell())
        cells = [Cell(known.label, below=words.direction(known.direction)), *([mark] if reference else [])]
        cells += [
            _metric_cell(each, side is contest.new) if each else Cell("n/a")
            for each, side in zip(figures, contest.sides, strict=True)
        ]
        rows.append((*cells, *([difference] if reference else [])))
    return Table(caption, tuple(columns), tuple(rows), note=note, is_folded=is_folded)


def _gain_cells(reference: Side, name: str) -> tuple[Cell, Cell]:
    check = find_check(reference.tested, name)
    if not check or check.verdict == "n/a":
        return Cell(mark=words.GATE_MARKS["n/a"]), Cell()
    bound = f"at most {words.signed(check.high, check.unit)}" if check.high is not None else ""
    return Cell(mark=words.GATE_MARKS[check.verdict]), Cell(
        words.signed(check.gain, check.unit), below=bound, strong=True
    )


def _change_cells(reference: Side, name: str) -> tuple[Cell, Cell]:
    change = reference.change(name)
    return (_mark_cell(change), _difference_cell(change)) if change else (Cell(), Cell("n/a"))


def _quality_row(row: QualityRow, reference: Side | None) -> tuple[Cell, ...]:
    counts = [Cell(words.count(each)) for each in (row.found, row.expected, row.predicted, row.articles)]
    if row.low is None or row.f1 is None:
        mark = [Cell()] if reference else []
        empty = [Cell() for _ in range(4 if reference else 3)]
        return (Cell(row.label), *mark, Cell("counts only"), *empty, *counts)
    interval = words.interval(row.low, row.high)
    says = f"{row.label}: F1 {words.figure(row.f1)}, interval {interval}"
    plot = Cell(plot=share_plot(says, row.f1, row.low, row.high, bar=True))
    cells = [Cell(words.figure(row.f1), below=interval, strong=True), plot]
    if reference:
        change = reference.changes.get((row.group, row.label))
        cells = [_row_mark(row, reference), *cells, _difference_cell(change) if change else Cell("n/a")]
    return (Cell(row.label), *cells, *(Cell(words.figure(each)) for each in (row.precision, row.recall)), *counts)


def _row_mark(row: QualityRow, reference: Side) -> Cell:
    """Mark a row: by the gate's test where it looks at it, else by the comparison."""
    change = reference.changes.get((row.group, row.label))
    check = find_check(reference.tested, row.label) if row.group == "type" else None
    if row.group == "overall":
        check = deciding_check(reference.tested)
    if check:
        return Cell(mark=words.GATE_MARKS[check.verdict])
    return _mark_cell(change) if change else Cell()


def _change_row(change: Change) -> tuple[Cell, ...]:
    label = change.label if change.group == "figure" else f"F1, {change.label}"
    sides = [Cell(words.figure(each, change.unit)) for each in (change.before, change.after)]
    difference = Cell(words.signed(change.difference, change.unit), strong=True)
    interval = Cell(words.signed_interval(change.low, change.high, change.unit))
    return (Cell(label), _mark_cell(change), *sides, difference, interval, Cell(str(change.articles)))


def _metric_cell(metric: MetricFigure, is_new: bool) -> Cell:
    interval = words.interval(metric.low, metric.high, metric.unit)
    beside = f"{metric.beside_label} {words.figure(metric.beside, metric.unit)}" if metric.beside is not None else ""
    return Cell(words.figure(metric.value, metric.unit), below=interval or beside, strong=is_new)


def _metric_plot(role: str, metric: MetricFigure) -> Cell:
    if metric.value is None:
        return Cell()
    interval = words.interval(metric.low, metric.high)
    says = f"{role}: {metric.label} {words.figure(metric.value)}" + (f", interval {interval}" if interval else "")
    return Cell(plot=share_plot(says, metric.value, metric.low, metric.high))


def _difference_cell(change: Change) -> Cell:
    interval = words.signed_interval(change.low, change.high, change.unit)
    return Cell(words.signed(change.difference, change.unit), below=interval, strong=True)


def _difference_plot(role: str, change: Change, reach: float) -> Cell:
    if change.difference is None:
        return Cell()
    interval = words.signed_interval(change.low, change.high)
    says = f"new model against {role}: {words.signed(change.difference)}" + (
        f", interval {interval}" if interval else ""
    )
    return Cell(plot=difference_plot(says, change.difference, change.low, change.high, reach))


def _mark_cell(change: Change) -> Cell:
    return Cell(mark=words.MARKS[change.verdict])
