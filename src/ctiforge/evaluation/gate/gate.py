"""The gate: whether a new model may take the place of the champion, check by check with its numbers. Pure.

The primary figure must be shown to be *better*, at the level that a year of looks asks of each (`looks`): the lower
bound of its paired gain lies above 0; or that of the last seven candidates' mean gain does, without the best and the
worst of them, and its own gain is above 0 at 95 % as well. A guardrail, and the F1 of each type that enough articles
speak for, is a veto: a loss that is shown, for all vetoes together, refuses, against the champion and against whichever
version once in use was best at it, so that small losses do not add up. What was lost is shown in every case.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ctiforge.errors import GateError
from ctiforge.evaluation.gate.looks import RISK, TOGETHER, YEAR, own_level, together_level
from ctiforge.evaluation.gate.sides import Figures, Scored
from ctiforge.evaluation.scoring.scores import finite
from ctiforge.evaluation.statistics import LEVEL, MIN_POSITIVE_ARTICLES, Estimate, Floats, estimate, holm, leave_one_out
from ctiforge.lines.line import GateRules
from ctiforge.records.decision import Check, Decision, GateVerdict
from ctiforge.records.evaluation import TestSetInfo

Role = Literal["primary", "guardrail", "part"]


@dataclass(frozen=True)
class Gain:
    """How much better one side is than the other, whichever direction that is in."""

    found: Estimate
    articles: int
    """Those that speak for it."""


def decide(
    line: str,
    rules: GateRules,
    candidate: Scored,
    standing: Scored,
    ever: Sequence[Scored] = (),
    *,
    before: Sequence[Sequence[float]] = (),
    looks: float = 1,
    accept_equivalent: bool = False,
) -> Decision:
    """Hold a candidate against the model that stands and, for each guardrail, against the best version ever.

    All must be scored on one test set (`check_same_test_set`).

    Args:
        line: The line's name.
        rules: The primary figure, its margin and the guardrails.
        candidate: The new model's evaluation.
        standing: What it must beat: the champion's evaluation, or that of a floor for a first version.
        ever: Evaluations of the other versions once in use that were not rolled back.
        before: What `primary_figures` gives for the candidates that were held against the same model on the same
            articles before this one, the newest last; the last six count, fewer do not.
        looks: Candidates looked at on the test set so far, this one included.
        accept_equivalent: Whether a candidate passes whose primary figure is shown to lose less than the margin.

    Returns:
        The decision with every check; `reasons` say what was not passed and what to do next.
    """
    primary = _primary(rules, candidate, standing)
    together = _together(rules, candidate, standing, before[-(TOGETHER - 1) :])
    # of a better week none is promoted that may be no better itself
    is_better = primary.verdict == "better" or (
        primary.verdict == "likely better" and together is not None and together.verdict == "better"
    )
    vetoes = _judged(
        [
            *(
                _Veto.of(candidate.figures[name], other.figures[name], name, "guardrail", margin, other.who)
                for name, margin in rules.guardrails.items()
                for other in _others(name, standing, ever)
            ),
            *_parts(candidate, standing),
        ]
    )
    accepted = primary.verdict in ("equivalent", "likely better") and accept_equivalent
    failed = [check for check in vetoes if check.verdict == "worse"]
    if not is_better and not accepted:
        failed.insert(0, primary)
    unchecked = [
        f"{check.label}: not checked, it says nothing of {check.against}" for check in vetoes if check.verdict == "n/a"
    ]
    return Decision(
        level=LEVEL,
        looks=looks,
        line=line,
        candidate=candidate.model,
        against=standing.model,
        test_set=candidate.test_set,
        passed=not failed,
        accepted_equivalent=not failed and accepted and not is_better,
        reasons=(*(_reason(check) for check in failed), *unchecked),
        checks=(primary, *([together] if together else []), *vetoes),
        primary=candidate.shown.get(rules.primary),
    )


def check_passed(decision: Decision) -> None:
    """Refuse a decision that the gate was not passed.

    Args:
        decision: What the gate decided.

    Raises:
        GateError: It was not passed; the text has the first reason.
    """
    if not decision.passed:
        more = f" (and {len(decision.reasons) - 1} more, see above)" if len(decision.reasons) > 1 else ""
        raise GateError(f"{decision.candidate.name} is not promoted: {decision.reasons[0]}{more}")


def check_same_test_set(candidate: Scored, other: Scored, todo: str) -> None:
    """Refuse to hold two evaluations against each other that were not scored on the same articles.

    Args:
        candidate: One evaluation.
        other: The other one.
        todo: What a person should do, with which the error of two test sets ends.

    Raises:
        GateError: They are of different test sets, of other articles or labels of one, or scored by other rules.
    """
    if candidate.test_set.content_hash != other.test_set.content_hash:
        raise GateError(
            f"{other.who} was evaluated on {_named(other.test_set)}, {candidate.who} on {_named(candidate.test_set)}: "
            f"only figures of one test set say which is better; {todo}"
        )
    if candidate.scoring != other.scoring:
        older = min(candidate, other, key=lambda each: each.scoring)
        raise GateError(
            f"{older.who} was scored by older rules of what counts as found: evaluate it on "
            f"{_named(candidate.test_set)} again"
        )
    for each in (candidate, other):
        if each.test_set.drawn_from:
            raise GateError(
                f"{each.who} was scored on a sample, {each.test_set.articles} of {each.test_set.drawn_from} articles: "
                "evaluate it without --sample"
            )
    if candidate.articles != other.articles:
        raise GateError(
            f"{other.who} and {candidate.who} were scored on different articles or labels of "
            f"{_named(candidate.test_set)}: evaluate both again"
        )


def check_passable(rules: GateRules, standing: Scored) -> None:
    """Refuse a look on a test set on which no model could pass.

    Args:
        rules: What the gate asks.
        standing: What is to be beaten.

    Raises:
        GateError: Even a model that makes no mistake would not be shown to be better.
    """
    theirs = standing.figures[rules.primary]
    faultless = replace(theirs, values=lambda drawn: np.where(np.isfinite(theirs.values(drawn)), 1.0, np.nan))
    best = gain(faultless, theirs)
    if best is None or standing.positives < MIN_POSITIVE_ARTICLES:
        return
    low = float(best.found.low(together_level()))
    if low <= 0:
        raise GateError(
            f"no model can pass against {standing.who} on {_named(standing.test_set)}: one without a mistake would "
            f"gain {float(best.found.value):+.3f}, at least {low:+.3f} as far as {best.articles} articles can show; "
            "label more articles (ctiforge testset plan says how many)"
        )


def primary_figures(rules: GateRules, candidate: Scored) -> tuple[float, ...]:
    """Compute what later candidates are looked at together with this one by.

    Args:
        rules: What the gate asks.
        candidate: The candidate's evaluation.

    Returns:
        Its primary figure over all articles, then without each of them.
    """
    return tuple(float(each) for each in _jackknifed(candidate.figures[rules.primary]))


def gain(candidate: Figures, other: Figures) -> Gain | None:
    """Estimate the paired gain; None where a side has no such figure, or fewer than two articles speak for it."""
    size = np.maximum(candidate.size, other.size)
    speaking = int((size > 0).sum())
    if speaking < 2:
        return None
    figures = (_jackknifed(candidate) - _jackknifed(other)) * (-1 if candidate.direction == "lower" else 1)
    return Gain(estimate(figures, size), speaking) if np.isfinite(figures[0]) else None


def _primary(rules: GateRules, candidate: Scored, standing: Scored) -> Check:
    ours, theirs = candidate.figures[rules.primary], standing.figures[rules.primary]
    found = gain(ours, theirs)
    check = _check(ours, theirs, rules.primary, "primary", rules.margin, standing.who, found)
    if found is None or candidate.positives < MIN_POSITIVE_ARTICLES:
        return check.model_copy(update={"low": None, "high": None, "articles": candidate.positives})
    return _better(check, found.found, own_level())


def _together(rules: GateRules, candidate: Scored, standing: Scored, before: Sequence[Sequence[float]]) -> Check | None:
    """Look at the mean gain of the last seven candidates; None where there are fewer.

    The best and the worst are left out: neither a lucky or refused model carries others, nor a broken one stops them.
    """
    ours, theirs = candidate.figures[rules.primary], standing.figures[rules.primary]
    if len(before) < TOGETHER - 1 or candidate.positives < MIN_POSITIVE_ARTICLES:
        return None
    by_figure = sorted([*before, primary_figures(rules, candidate)], key=lambda each: each[0])
    mean = np.mean(by_figure[1:-1], axis=0)
    found = estimate(mean - _jackknifed(theirs), np.maximum(ours.size, theirs.size))
    if not np.isfinite(found.value):
        return None
    articles = int((ours.size > 0).sum())
    check = _check(ours, theirs, rules.primary, "primary", rules.margin, standing.who, Gain(found, articles))
    label = f"{ours.label}, mean of the last {TOGETHER} candidates"
    update = {"label": label, "after": float(mean[0]), "candidates": TOGETHER}
    return _better(check.model_copy(update=update), found, together_level())


def _better(check: Check, found: Estimate, level: float) -> Check:
    """Judge a primary check at the level that it must reach."""
    low, usual, high = float(found.low(level)), float(found.low(LEVEL)), float(found.high(LEVEL))
    verdict: GateVerdict = "underpowered"
    if low > 0:
        verdict = "better"
    elif high < 0:
        verdict = "worse"
    elif usual > 0:
        verdict = "likely better"
    elif usual > -check.margin:
        verdict = "equivalent"
    return check.model_copy(update={"low": low, "level": level, "verdict": verdict})


def _jackknifed(figures: Figures) -> Floats:
    """Compute a figure over all articles, then without each."""
    return figures.values(leave_one_out(len(figures.size)))


@dataclass(frozen=True)
class _Veto:
    """A check that may refuse, before it is judged together with the others."""

    check: Check
    p: float | None
    """The one-sided p-value of no loss beyond the margin; None where nothing can be said."""

    @classmethod
    def of(cls, ours: Figures, theirs: Figures, name: str, role: Role, margin: float, who: str) -> "_Veto":
        found = gain(ours, theirs)
        check = _check(ours, theirs, name, role, margin, who, found)
        if check.before is None or check.after is None:
            return cls(check.model_copy(update={"verdict": "n/a"}), None)
        return cls(check, float(found.found.p_below(-margin)) if found else None)


def _parts(candidate: Scored, standing: Scored) -> Iterator[_Veto]:
    """Look at each type or class: a veto where enough articles speak for it, else what was found of it."""
    for name, ours in candidate.parts.items():
        theirs = standing.parts[name]
        if ours.positives >= MIN_POSITIVE_ARTICLES:
            yield _Veto.of(ours.figures, theirs.figures, name, "part", 0.0, standing.who)
        elif ours.positives:
            check = _check(ours.figures, theirs.figures, name, "part", 0.0, standing.who, None)
            counts = f"before: {theirs.counts}; after: {ours.counts}"
            said = {"verdict": "counts only", "counts": counts, "articles": ours.positives}
            yield _Veto(check.model_copy(update=said), None)


def _judged(vetoes: Sequence[_Veto]) -> list[Check]:
    """Refuse by losses that are shown for all vetoes together (Holm), else an equal model would meet one often."""
    adjusted = iter(holm([each.p for each in vetoes if each.p is not None]))
    return [_with_verdict(each, next(adjusted)) if each.p is not None else _open(each.check) for each in vetoes]


def _with_verdict(veto: _Veto, adjusted: float) -> Check:
    verdict: GateVerdict = "no loss shown"
    if adjusted <= 1 - LEVEL:
        verdict = "worse"
    elif veto.p is not None and veto.p <= 1 - LEVEL:
        verdict = "likely worse"
    return veto.check.model_copy(update={"verdict": verdict})


def _open(check: Check) -> Check:
    """Word what too few articles speak for to be told."""
    return check.model_copy(update={"verdict": "no loss shown"}) if check.verdict == "underpowered" else check


def _check(ours: Figures, theirs: Figures, name: str, role: Role, margin: float, who: str, found: Gain | None) -> Check:
    """Make the check before its verdict: what is not shown is underpowered."""
    estimated = found.found if found else None
    return Check(
        figure=name,
        label=ours.label,
        role=role,
        against=who,
        direction=ours.direction,
        unit=ours.unit,
        before=_whole(theirs),
        after=_whole(ours),
        gain=float(estimated.value) if estimated else None,
        low=float(estimated.low(LEVEL)) if estimated else None,
        high=float(estimated.high(LEVEL)) if estimated else None,
        level=LEVEL,
        margin=margin,
        articles=found.articles if found else 0,
        verdict="underpowered",
    )


def _whole(figures: Figures) -> float | None:
    return finite(figures.values(np.ones((1, len(figures.size))))[0]) if figures.size.any() else None


def _others(name: str, standing: Scored, ever: Sequence[Scored]) -> list[Scored]:
    """Choose what a guardrail is held against: the champion, and the best version ever where that is another."""
    best = max((standing, *ever), key=lambda each: _goodness(each.figures[name]))
    return [standing] if best is standing else [standing, best]


def _goodness(figures: Figures) -> float:
    value = _whole(figures)
    if value is None:
        return -np.inf
    return -value if figures.direction == "lower" else value


def _reason(check: Check) -> str:
    """Word why a check was not passed, with its numbers and what to do next."""
    if check.gain is None or check.low is None or check.high is None:
        return (
            f"{check.label}: {check.articles} articles speak for it, fewer than {MIN_POSITIVE_ARTICLES}: underpowered; "
            "enlarge the test set (ctiforge testset)"
        )
    sides = f"{check.label} {check.after:.3f} against {check.before:.3f} of {check.against}: gain {check.gain:+.3f}"
    if check.verdict == "worse":
        return (
            f"{sides}, at most {check.high:+.3f} at {LEVEL:.0%}, {check.articles} articles: worse; "
            "see its articles in the evaluation, then train again"
        )
    numbers = (
        f"{sides}, at least {check.low:+.3f} as far as one of {YEAR} looks a year can say, {check.articles} articles"
    )
    if check.verdict == "likely better":
        return (
            f"{numbers}: likely better, but one of {YEAR} equal models would look like that in more than {RISK:.0%} of "
            f"years; label more articles (ctiforge testset plan says how many), or look at more models of this recipe: "
            f"{TOGETHER} of them are looked at together"
        )
    if check.verdict == "equivalent":
        return (
            f"{numbers}: not shown to be better, but no more than {check.margin:g} worse; "
            "train on, or take it as it is with --accept-equivalent"
        )
    return (
        f"{numbers}: underpowered, no gain is shown and a loss of more than {check.margin:g} cannot be excluded; "
        "label more articles (ctiforge testset plan says how many)"
    )


def _named(test_set: TestSetInfo) -> str:
    return f"{test_set.name} {test_set.version} ({test_set.content_hash[:12]})"
