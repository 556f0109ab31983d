"""The gate: whether a new model may take the place of the champion, check by check with its numbers. Pure.

The primary figure must be *superior*: the one-sided 95 % lower bound of its paired gain lies above 0. Every
guardrail must be *non-inferior*: the bound lies above minus a margin, against the champion and against whichever
version ever promoted was best at it, so that many small losses do not add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ctiforge.errors import GateError, UsageError
from ctiforge.evaluation.gate.sides import Figures, Scored
from ctiforge.evaluation.scoring.scores import finite
from ctiforge.evaluation.statistics import (
    LEVEL,
    MIN_POSITIVE_ARTICLES,
    Floats,
    cautious_low,
    pseudo_values,
    student_bounds,
)
from ctiforge.lines import find_line
from ctiforge.lines.line import GateRules
from ctiforge.records.decision import Check, Decision
from ctiforge.records.evaluation import TestSetInfo


@dataclass(frozen=True)
class Bounds:
    """Gains, and how small and how large they may be at `LEVEL`, one-sided."""

    value: Floats
    low: Floats
    cautious: Floats
    """Below, for losses that need not have been seen yet."""
    high: Floats


@dataclass(frozen=True)
class Gain:
    """How much better one side is than the other; see `Bounds`."""

    value: float
    low: float
    cautious: float
    high: float
    articles: int


def parse_margins(texts: Sequence[str]) -> dict[str, float]:
    """Read margins as a person writes them.

    Args:
        texts: Each `figure=number`, like `macro_f1=0.02`.

    Returns:
        Figure to margin, in the figure's own unit.

    Raises:
        UsageError: A text is none of that form.
    """
    try:
        pairs = [(name.strip(), float(value)) for name, _, value in (text.partition("=") for text in texts)]
    except ValueError:
        raise UsageError(f"--margin {' '.join(texts)}: write it as figure=number, like macro_f1=0.02") from None
    return dict(pairs)


def rules_of(line: str, margins: Mapping[str, float]) -> GateRules:
    """Take a line's rules with some margins replaced.

    Args:
        line: The line's name.
        margins: Figure → the loss that is let pass, above 0, in the figure's own unit.

    Returns:
        The rules.

    Raises:
        UsageError: The gate has no such figure, or a margin is not above 0.
    """
    rules = find_line(line).rules
    for name, margin in margins.items():
        if name not in (rules.primary, *rules.guardrails):
            known = ", ".join((rules.primary, *rules.guardrails))
            raise UsageError(f"--margin {name}: the gate of {line} has no such figure; there are {known}")
        if margin <= 0:
            raise UsageError(f"--margin {name}={margin:g}: a margin is above 0")
    primary = margins.get(rules.primary, rules.margin)
    guardrails = {name: margins.get(name, own) for name, own in rules.guardrails.items()}
    return replace(rules, margin=primary, guardrails=guardrails)


def decide(
    line: str,
    rules: GateRules,
    candidate: Scored,
    standing: Scored,
    ever: Sequence[Scored] = (),
    *,
    accept_equivalent: bool = False,
) -> Decision:
    """Hold a candidate against the model that stands and, for each guardrail, against the best version ever.

    All must be scored on one test set (`check_same_test_set`).

    Args:
        line: The line's name.
        rules: The primary figure, its margin and the guardrails.
        candidate: The new model's evaluation.
        standing: What it must beat: the champion's evaluation, or that of a floor for a first version.
        ever: Evaluations of the other versions once in use.
        accept_equivalent: Whether a candidate passes whose primary figure is shown to lose less than the margin.

    Returns:
        The decision with every check; `reasons` say what was not passed and what to do next.
    """
    primary = _primary(rules, candidate, standing)
    guardrails = [
        _guardrail(name, margin, candidate, other)
        for name, margin in rules.guardrails.items()
        for other in _others(name, standing, ever)
    ]
    accepted = primary.verdict == "equivalent" and accept_equivalent
    failed = [check for check in guardrails if check.verdict in ("worse", "underpowered")]
    if primary.verdict != "better" and not accepted:
        failed.insert(0, primary)
    unchecked = [
        f"{check.label}: not checked, it says nothing of {check.against}" for check in guardrails if _is_open(check)
    ]
    return Decision(
        level=LEVEL,
        line=line,
        candidate=candidate.model,
        against=standing.model,
        test_set=candidate.test_set,
        passed=not failed,
        accepted_equivalent=accepted and not failed,
        reasons=(*map(_reason, failed), *unchecked),
        checks=(primary, *guardrails),
        primary=candidate.shown[rules.primary],
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
        GateError: They are of different test sets, or of other articles or labels of one.
    """
    if candidate.test_set.content_hash != other.test_set.content_hash:
        raise GateError(
            f"{other.who} was evaluated on {_named(other.test_set)}, {candidate.who} on {_named(candidate.test_set)}: "
            f"only figures of one test set say which is better; {todo}"
        )
    if candidate.articles != other.articles:
        raise GateError(
            f"{other.who} and {candidate.who} were scored on different articles or labels of "
            f"{_named(candidate.test_set)}: evaluate both again"
        )


def gain(candidate: Figures, other: Figures) -> Gain | None:
    """Compute the paired gain; None where a side has no such figure, or fewer than two articles speak for it."""
    size = np.maximum(candidate.size, other.size)
    speaking = int((size > 0).sum())
    if speaking < 2:
        return None
    drawn = np.vstack([np.ones(len(size)), 1 - np.eye(len(size))])
    figures = (candidate.values(drawn) - other.values(drawn)) * (-1 if candidate.direction == "lower" else 1)
    found = bounds(figures[:1], figures[np.newaxis, 1:], size[np.newaxis, :])
    if not np.isfinite(found.value[0]):
        return None
    value, low, cautious, high = (float(each[0]) for each in (found.value, found.low, found.cautious, found.high))
    return Gain(value, low, cautious, high, speaking)


def bounds(whole: Floats, without: Floats, size: Floats) -> Bounds:
    """Compute the bounds of gains (…), given those without one article each and the articles' sizes, both (…, n).

    Jackknife pseudo-values (Tukey 1958) with Student's t; see `statistics.student_bounds`.
    """
    pseudo = pseudo_values(whole, without)
    low, high = student_bounds(whole, pseudo, LEVEL)
    # the worst: an article is lost altogether that is as large as the one where an average item stands
    worst = -size.shape[-1] * (size**2).sum(axis=-1) / size.sum(axis=-1) ** 2
    return Bounds(whole, low, cautious_low(pseudo, LEVEL, worst), high)


def _primary(rules: GateRules, candidate: Scored, standing: Scored) -> Check:
    check, found = _measure(rules.primary, "primary", rules.margin, candidate, standing)
    if found is None or candidate.positives < MIN_POSITIVE_ARTICLES:
        return check.model_copy(update={"low": None, "high": None, "articles": candidate.positives})
    if found.low > 0:
        return check.model_copy(update={"verdict": "better"})
    if found.high < 0:
        return check.model_copy(update={"verdict": "worse"})
    return check.model_copy(update={"verdict": "equivalent"}) if found.cautious > -rules.margin else check


def _guardrail(name: str, margin: float, candidate: Scored, other: Scored) -> Check:
    check, found = _measure(name, "guardrail", margin, candidate, other)
    if check.before is None or check.after is None:
        return check.model_copy(update={"verdict": "n/a"})
    if found is None:
        return check
    # the bound that counts is the one that does not trust what has not been seen yet
    check = check.model_copy(update={"low": found.cautious})
    if found.cautious > -margin:
        return check.model_copy(update={"verdict": "no worse"})
    return check.model_copy(update={"verdict": "worse"}) if found.high < 0 else check


def _measure(
    name: str, role: Literal["primary", "guardrail"], margin: float, candidate: Scored, other: Scored
) -> tuple[Check, Gain | None]:
    """Make the check before its verdict: what is not shown is underpowered."""
    ours, theirs = candidate.figures[name], other.figures[name]
    found = gain(ours, theirs)
    check = Check(
        figure=name,
        label=ours.label,
        role=role,
        against=other.who,
        direction=ours.direction,
        unit=ours.unit,
        before=_whole(theirs),
        after=_whole(ours),
        gain=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        margin=margin,
        articles=found.articles if found else 0,
        verdict="underpowered",
    )
    return check, found


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


def _is_open(check: Check) -> bool:
    return check.verdict == "n/a"


def _reason(check: Check) -> str:
    """Word why a check was not passed, with its numbers and what to do next."""
    if check.gain is None or check.low is None or check.high is None:
        return (
            f"{check.label}: {check.articles} articles speak for it, fewer than {MIN_POSITIVE_ARTICLES}: underpowered; "
            "enlarge the test set (ctiforge testset)"
        )
    numbers = (
        f"{check.label} {check.after:.3f} against {check.before:.3f} of {check.against}: gain {check.gain:+.3f}, "
        f"at least {check.low:+.3f} and at most {check.high:+.3f} at {LEVEL:.0%} each, {check.articles} articles"
    )
    if check.verdict == "equivalent":
        return (
            f"{numbers}: not shown to be better, but no more than {check.margin:g} worse; "
            "train on, or take it as it is with --accept-equivalent"
        )
    if check.verdict == "worse":
        return f"{numbers}: worse; see its articles in the evaluation, then train again"
    what = "no gain is shown and a loss" if check.role == "primary" else "a loss"
    return (
        f"{numbers}: underpowered, {what} of more than {check.margin:g} cannot be excluded; enlarge the test set "
        f"(ctiforge testset), or widen it knowingly with --margin {check.figure}=…"
    )


def _named(test_set: TestSetInfo) -> str:
    return f"{test_set.name} {test_set.version} ({test_set.content_hash[:12]})"
