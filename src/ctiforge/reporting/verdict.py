"""The first thing a report says: what the gate's test says of the new model, and what speaks against it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ctiforge.evaluation.statistics import LEVEL, MIN_POSITIVE_ARTICLES
from ctiforge.records.decision import Check, Decision, GateVerdict
from ctiforge.records.run import StageRecord
from ctiforge.reporting import words
from ctiforge.reporting.gate_section import gate_mark
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.trial import deciding_check
from ctiforge.reporting.view import Verdict
from ctiforge.tables import Mark

SENTENCES: Mapping[GateVerdict, str] = {
    "better": "The new model is better than {other}: {figure} {after} instead of {before}",
    "likely better": "The new model is likely better than {other}, but too little so for the gate: {figure} {after} "
    "instead of {before}",
    "equivalent": "The new model is not shown to be better than {other}, and at most {margin} worse: {figure} {after} "
    "and {before}",
    "underpowered": "Too little data to tell whether the new model is better than {other}: {figure} {after} and "
    "{before}",
    "worse": "The new model is worse than {other}: {figure} {after} instead of {before}",
}
_NONE = "The new model cannot be compared with {other}: one of them has no {figure}"
NO_VERDICT = Mark("plain", "–", "no verdict")
BUT = Mark("unsure", "▲", "better, with a loss")
"""What is judged is better, and something that must not get worse did."""
NOT_ASKED = "The gate was not asked in this run: this is its test, which counts as no look and promotes nothing."
NOT_COMPARED = "The gate compared nothing in this run: this is its test alone, which promotes nothing."
_NO_LOSS: Mapping[GateVerdict, str] = {
    "no loss shown": "No loss shown",
    "no worse": "No worse",
    "n/a": "Not checked, as one side says nothing of it",
    "counts only": f"Fewer than {MIN_POSITIVE_ARTICLES} articles to tell by, and not lower",
}


def no_verdict(run: RunFiles, why: str) -> Verdict:
    """Say that there is nothing to judge."""
    return dressed(run, Verdict(NO_VERDICT, why))


def judged(decision: Decision) -> Verdict:
    """Word what the gate's test says: its primary check, then every loss and what shows none."""
    check = deciding_check(decision)
    if check is None:
        return Verdict(NO_VERDICT, "There is no verdict: nothing was compared.")
    mark = words.GATE_MARKS[check.verdict]
    if check.verdict == "better" and any(each.verdict == "worse" for each in decision.checks):
        mark = BUT
    sentence = SENTENCES.get(check.verdict, _NONE).format(
        other=check.against,
        figure=check.label,
        before=words.figure(check.before),
        after=words.figure(check.after),
        margin=f"{check.margin:g}",
    )
    which, bound, level = _bound(check)
    numbers = (
        (check.label, words.figure(check.after)),
        (check.against, words.figure(check.before)),
        ("gain", words.signed(check.gain)),
        (f"{which}, at {level}", bound),
    )
    return Verdict(mark, f"{sentence}, {_said(check)}.", tuple(_guarded(decision)), numbers=numbers)


def losses(checks: Sequence[Check]) -> Iterator[str]:
    """Name what got worse, or likely did, against whom; and what is lower where too few articles can tell."""
    for verdict, start in (("worse", "Worse than"), ("likely worse", "Likely worse than")):
        found = [check for check in checks if check.verdict == verdict]
        yield from _by_other(found, start, _loss)
    lower = [check for check in checks if _is_lower(check)]
    yield from _by_other(lower, f"Fewer than {MIN_POSITIVE_ARTICLES} articles to tell by, and lower than", _fall)


def basis(asked: Decision | None) -> Iterator[str]:
    """Say that a verdict is not the gate's own, where it is not."""
    if asked is None:
        yield NOT_ASKED
    elif deciding_check(asked) is None:
        yield NOT_COMPARED


def told(decision: Decision) -> str:
    """Tell in half a sentence what the test says against a further model."""
    check = deciding_check(decision)
    return "not comparable" if check is None else f"{_said(check)}: {check.verdict}"


def dressed(run: RunFiles, verdict: Verdict, warnings: tuple[str, ...] = ()) -> Verdict:
    """Complete the verdict with the gate's decision, with everything to be warned of, and with what is missing."""
    return Verdict(
        mark=verdict.mark,
        sentence=verdict.sentence,
        details=verdict.details,
        numbers=verdict.numbers,
        gate=gate_mark(run.decision) if run.decision else None,
        gate_lines=run.decision.reasons if run.decision else (),
        warnings=(*warnings, *_data_warnings(run)),
        missing=tuple(_missing(run)),
    )


def _guarded(decision: Decision) -> Iterator[str]:
    vetoes = [check for check in decision.checks if check.role != "primary"]
    yield from losses(vetoes)
    for verdict, start in _NO_LOSS.items():
        held = [check for check in vetoes if check.verdict == verdict]
        names = list(dict.fromkeys(check.label for check in held if not _is_lower(check)))
        if names:
            yield f"{start}: {'; '.join(names)}."


def _said(check: Check) -> str:
    bound = "no bound"
    if check.low is not None and check.high is not None:
        which, value, level = _bound(check)
        bound = f"{which} {value} (at {level})"
    return f"gain {words.signed(check.gain)}, {bound}, {words.plural(check.articles, 'article')}"


def _bound(check: Check) -> tuple[str, str, str]:
    """Word the bound that the verdict rests on, and its level: of a loss the upper one, at the usual level."""
    if check.verdict == "worse":
        return "at most", words.signed(check.high, check.unit), words.level(LEVEL)
    return "at least", words.signed(check.low, check.unit), words.level(check.level)


def _by_other(checks: Sequence[Check], start: str, said: Callable[[Check], str]) -> Iterator[str]:
    for other in dict.fromkeys(check.against for check in checks):
        named = "; ".join(f"{each.label} {said(each)}" for each in checks if each.against == other)
        yield f"{start} {other}: {named}."


def _is_lower(check: Check) -> bool:
    return check.verdict == "counts only" and (check.after or 0) < (check.before or 0)


def _loss(check: Check) -> str:
    return f"{words.signed(check.gain, check.unit)} (at most {words.signed(check.high, check.unit)})"


def _fall(check: Check) -> str:
    return f"{words.figure(check.after, check.unit)} instead of {words.figure(check.before, check.unit)}"


def _data_warnings(run: RunFiles) -> Iterator[str]:
    if run.formatted and run.formatted.leaked:
        number = words.plural(len(run.formatted.leaked), "training article repeats", "training articles repeat")
        yield f"{number} a held-out one and was left out of training"
    for record in (run.prepared, run.training):
        yield from record.warnings if record else ()
    yield from run.problems


def _missing(run: RunFiles) -> Iterator[str]:
    for stage in run.record.stages:
        if stage.state not in ("done", "cached", "skipped"):
            yield f"{stage.name}: {_why(stage)}"


def _why(stage: StageRecord) -> str:
    if stage.cause:
        return f"{stage.state}; {'; '.join(stage.cause.lines())}"
    if stage.state == "waiting":
        return "never started"
    code = f" with exit code {stage.exit_code}" if stage.exit_code else ""
    last = stage.last_lines[-1] if stage.last_lines else ""
    return f"{stage.state}{code}" + (f"; it said last: {last}" if last else "")
