"""Should a team fine-tune at all? What every way of reading an article finds, beside what it costs."""

from collections.abc import Iterator, Mapping

from ctiforge.records.decision import GateVerdict
from ctiforge.records.evaluation import MetricFigure
from ctiforge.reporting import words
from ctiforge.reporting.contest import PRIMARY, Contest, Side, role_of
from ctiforge.reporting.trial import deciding_check
from ctiforge.reporting.view import Note, Section
from ctiforge.tables import Cell, Column, Table

_UNTRAINED = role_of("eval_base")
"""How the roles of models begin that nobody trained here."""
_TEACHER = role_of("eval_teacher")
_RULES = role_of("eval_regex")
_MILLION = 1_000_000
_PAYS: dict[GateVerdict, str] = {
    "better": "training pays",
    "likely better": "training likely pays, and more articles would tell",
    "equivalent": "training is not shown to pay",
    "underpowered": "too few articles tell whether training pays",
    "worse": "training does harm",
}
_ADDS: dict[GateVerdict, str] = {
    "better": "the new model finds what they do not",
    "likely better": "the new model likely adds to them, and more articles would tell",
    "equivalent": "the new model is not shown to add to them",
    "underpowered": "too few articles tell whether the new model adds to them",
    "worse": "the new model falls short of them",
}


def worth_section(contest: Contest) -> Section | None:
    """Lay out every way beside its cost, with three sentences that say what it means.

    Args:
        contest: The new model and what was evaluated beside it.

    Returns:
        The section; None where there is no new model, or nothing beside it.
    """
    if not contest.new or not contest.rivals:
        return None
    lead = "Every way of reading the same articles: what it finds, and what an article costs it."
    return Section(
        "worth", "Is training worth it?", lead, (worth_table(contest), Note(tuple(sentences(contest)), "plain"))
    )


def sentences(contest: Contest) -> Iterator[str]:
    """Say what the table means: against no training, against a strong model, against the rules.

    Args:
        contest: The new model, which there must be, and what was evaluated beside it.

    Yields:
        Three sentences.
    """
    new = contest.new
    if new is None:
        return
    untrained = max(_of(contest, _UNTRAINED), key=lambda side: side.f1, default=None)
    if untrained:
        yield (
            f"Without training the best is the {untrained.role}, micro-F1 {_f1(untrained)}; trained it is {_f1(new)}: "
            f"{_verdict(untrained, _PAYS)}."
        )
    else:
        yield "No base model was evaluated beside it: nothing says what training adds."
    teacher = next(_of(contest, _TEACHER), None)
    if teacher:
        yield f"The teacher reaches {_f1(teacher)}{_cost_beside(new, teacher)}."
    else:
        yield "No strong model was asked: set teacher_endpoint, to see what one makes of the same windows."
    rules = next(_of(contest, _RULES), None)
    yield (
        f"The rules, which cost next to nothing, reach {_f1(rules)}: {_verdict(rules, _ADDS)}."
        if rules
        else "The rules were not evaluated beside it."
    )


def worth_table(contest: Contest) -> Table:
    """Lay out every way: what it finds, and what an article costs it."""
    figures = ("micro-F1", "new model’s lead", "precision", "recall")
    names = ("", *figures, "seconds", "tokens read", "tokens written", "money")
    columns = tuple(Column(name, is_number=bool(number)) for number, name in enumerate(names))
    rows = tuple(_row(side, is_new=side is contest.new) for side in contest.sides)
    note = "Seconds, tokens and money are of an article on average; money where a price is set (teacher_price)."
    return Table("What each way finds and costs", columns, rows, note=note)


def _row(side: Side, *, is_new: bool) -> tuple[Cell, ...]:
    metrics = side.evaluation.metrics
    change = side.change(PRIMARY)
    lead = Cell()
    if change:
        between = words.signed_interval(change.low, change.high)
        lead = Cell(words.signed(change.difference), below=between)
    found = metrics[PRIMARY]
    shares = [Cell(words.figure(metrics[name].value)) for name in ("precision", "recall")]
    costs = [_number(metrics.get(name)) for name in ("seconds_per_article", "prompt_tokens", "answer_tokens")]
    interval = words.interval(found.low, found.high)
    f1 = Cell(words.figure(found.value), below=interval, strong=is_new)
    who = Cell(side.role, below=side.evaluation.model.name, strong=is_new)
    return (who, f1, lead, *shares, *costs, Cell(_money(side)))


def _of(contest: Contest, role: str) -> Iterator[Side]:
    return (side for side in contest.rivals if side.role.startswith(role))


def _verdict(side: Side, means: Mapping[GateVerdict, str]) -> str:
    check = deciding_check(side.tested)
    return means.get(check.verdict, "it cannot be compared") if check else "it cannot be compared"


def _cost_beside(new: Side, teacher: Side) -> str:
    """Say what the new model's answers cost beside a teacher's."""
    seconds = [side.evaluation.metrics["seconds_per_article"].value for side in (new, teacher)]
    said = []
    if seconds[0] and seconds[1]:
        said.append(f"{seconds[1]:.2g} s an article, where the new model takes {seconds[0]:.2g}")
    if money := _money(teacher):
        said.append(f"{money} an article")
    return f" ({'; '.join(said)})" if said else ""


def _money(side: Side) -> str:
    price, metrics = side.evaluation.price, side.evaluation.metrics
    read, written = metrics["prompt_tokens"].value, metrics["answer_tokens"].value
    if price is None or read is None or written is None:
        return ""
    return f"{(read * price.read + written * price.written) / _MILLION:.3g}"


def _f1(side: Side) -> str:
    return words.figure(side.evaluation.metrics[PRIMARY].value)


def _number(metric: MetricFigure | None) -> Cell:
    return Cell(words.figure(metric.value, "number")) if metric else Cell()
