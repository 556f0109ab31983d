"""What the gate decides on: kept with the decision, and read back to derive it again."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import ctiforge
from ctiforge.evaluation.gate.gate import decide
from ctiforge.evaluation.gate.sides import Scored, read_floor, read_side
from ctiforge.lines.line import GateRules
from ctiforge.records.decision import Decision
from ctiforge.records.grounds import GateGrounds, GroundsSide
from ctiforge.store.kept import keep, read_kept
from ctiforge.store.objects import ObjectStore

TOLERANCE = 1e-9
"""How far a figure that is derived again may be from the one that was kept, in its own unit."""


@dataclass(frozen=True)
class Weighed:
    """An evaluation as it was read, and as the gate sees it."""

    text: str
    scored: Scored
    is_floor: bool = False
    """Whether it stands for the best floor beside its model."""

    @classmethod
    def read(cls, line: str, text: str, source: str, *, who: str | None = None, is_floor: bool = False) -> "Weighed":
        """Read one; `who` is what the decision calls it, None: its own name."""
        scored = read_floor(text, source) if is_floor else read_side(line, text, source)
        return cls(text, replace(scored, who=who) if who else scored, is_floor)


@dataclass(frozen=True)
class Question:
    """Everything that the gate is asked with.

    Attributes:
        rules: The primary figure, its margin and the guardrails.
        candidate: The new model.
        standing: What it must beat.
        ever: The other versions once in use.
        before: The primary figures of the candidates looked at before this one, the newest last; see `gate.decide`.
        looks: Candidates looked at on the test set so far, this one included.
        accept_equivalent: Whether a candidate passes that is no worse, though not shown to be better.
        notes: What is to be said besides the gate's reasons.
    """

    rules: GateRules
    candidate: Weighed
    standing: Weighed
    ever: tuple[Weighed, ...]
    before: tuple[tuple[float, ...], ...]
    looks: float
    accept_equivalent: bool
    notes: tuple[str, ...] = ()


def judge(line: str, question: Question) -> Decision:
    """Ask the gate.

    Args:
        line: The line's name.
        question: What it is asked with.

    Returns:
        The decision, the question's notes among its reasons.
    """
    decision = decide(
        line,
        question.rules,
        question.candidate.scored,
        question.standing.scored,
        [each.scored for each in question.ever],
        before=question.before,
        looks=question.looks,
        accept_equivalent=question.accept_equivalent,
    )
    return decision.model_copy(update={"reasons": (*decision.reasons, *question.notes)})


def keep_grounds(store: ObjectStore, line: str, question: Question, decision: Decision) -> str:
    """Keep all that a decision was made from.

    Args:
        store: The store of the registry.
        line: The line's name.
        question: What the gate was asked with.
        decision: What it said.

    Returns:
        The hash that it is kept by.
    """

    def side(weighed: Weighed) -> GroundsSide:
        evaluation = keep(store, line, "evaluations", weighed.text.encode())
        return GroundsSide(who=weighed.scored.who, evaluation=evaluation, is_floor=weighed.is_floor)

    grounds = GateGrounds(
        decision=decision,
        primary=question.rules.primary,
        margin=question.rules.margin,
        guardrails=dict(question.rules.guardrails),
        candidate=side(question.candidate),
        standing=side(question.standing),
        ever=tuple(map(side, question.ever)),
        before=question.before,
        looks=question.looks,
        accept_equivalent=question.accept_equivalent,
        notes=question.notes,
        release=ctiforge.__version__,
    )
    return keep(store, line, "grounds", grounds.to_json().encode())


def read_grounds(store: ObjectStore, line: str, name: str) -> GateGrounds:
    """Read what a decision was made from.

    Args:
        store: The store of the registry.
        line: The line's name.
        name: The hash that it is kept by.

    Returns:
        The grounds.

    Raises:
        DataError: They are gone, or were changed.
    """
    return GateGrounds.parse(read_kept(store, line, "grounds", name), f"grounds {name[:12]}")


def derive(store: ObjectStore, line: str, grounds: GateGrounds) -> Decision:
    """Ask the gate again with what is kept; nothing but the store is read.

    Args:
        store: The store of the registry.
        line: The line's name.
        grounds: What the decision was made from.

    Returns:
        The decision as this ctiforge makes it.

    Raises:
        DataError: An evaluation is gone, was changed, or can no longer be read.
    """

    def read(side: GroundsSide) -> Weighed:
        text = read_kept(store, line, "evaluations", side.evaluation).decode()
        return Weighed.read(line, text, f"the evaluation of {side.who}", who=side.who, is_floor=side.is_floor)

    question = Question(
        GateRules(grounds.primary, grounds.margin, grounds.guardrails),
        read(grounds.candidate),
        read(grounds.standing),
        tuple(map(read, grounds.ever)),
        grounds.before,
        grounds.looks,
        grounds.accept_equivalent,
        grounds.notes,
    )
    return judge(line, question)


def differences(kept: Decision, derived: Decision) -> list[str]:
    """Compare a decision with the same one derived again.

    Args:
        kept: The one that was kept.
        derived: The one that was derived.

    Returns:
        What differs, one line each: a word at all, a figure by more than `TOLERANCE`.
    """
    return list(_differing("", kept.model_dump(mode="json"), derived.model_dump(mode="json")))


def _differing(path: str, kept: Any, derived: Any) -> Iterator[str]:
    if isinstance(kept, dict) and isinstance(derived, dict):
        for name in sorted(kept.keys() | derived.keys()):
            yield from _differing(f"{path}.{name}".strip("."), kept.get(name), derived.get(name))
    elif isinstance(kept, list) and isinstance(derived, list) and len(kept) == len(derived):
        for number, (one, other) in enumerate(zip(kept, derived, strict=True)):
            yield from _differing(f"{path}.{number}", one, other)
    elif isinstance(kept, float) and isinstance(derived, float):
        if not math.isclose(kept, derived, rel_tol=0, abs_tol=TOLERANCE):
            yield f"{path}: {kept!r} was kept, {derived!r} comes out"
    elif kept != derived:
        yield f"{path}: {kept!r} was kept, {derived!r} comes out"
