"""Chooses, for each type of an article, the one execution that labels it.

An execution is never chosen whole: each type takes the best of those that say something about it, so that a run of one
extractor costs the others nothing. How much an execution found is no merit: that would reward invention.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ctiforge.data.articles import Execution
from ctiforge.data.seen import seen_stretches
from ctiforge.data.states import ExtractorState
from ctiforge.observables.values import normalize
from ctiforge.records.article import CharacterRange, TypeLabel
from ctiforge.records.observable import Observable

EVALUATION_RUN = "evaluation run of the application"
OWN_ANSWER = "answer of a promoted model of ours (--own-answers keeps it)"
_TRUST = {"model": 0, "rule": 1, "person": 2}
SERVED = "ctiforge"
"""What the names of models that `ctiforge serve` answers for begin with."""


@dataclass(frozen=True)
class Trust:
    """Whose labels are taken, and in which order."""

    labelers: tuple[str, ...] = ()
    """Models, the best first; one that is not named comes after them."""
    own_models: frozenset[str] = frozenset()
    """Names of models that came out of ctiforge."""
    own_answers: bool = False
    """Whether a model may learn from what those answered."""

    def place(self, name: str | None) -> int:
        """Return the labeler's place in the order, the best first: 0."""
        return self.labelers.index(name) if name in self.labelers else len(self.labelers)

    def is_own(self, name: str | None) -> bool:
        """Tell whether a model came out of ctiforge and may not label."""
        if not name or self.own_answers:
            return False
        return name in self.own_models or name.lower().startswith(SERVED)


@dataclass(frozen=True)
class Choice:
    """What an article's executions say together."""

    observables: tuple[Observable, ...]
    labels: dict[str, TypeLabel]
    """Type → who labeled it, and why."""
    unlabelled: dict[str, str]
    """Type that somebody was to look for → why it is not labeled all the same."""
    executions: tuple[Execution, ...]
    """Those that label a type, the newest first."""

    @property
    def generation(self) -> str | None:
        """The format of the newest result that labels something."""
        return next((each.outcome.generation for each in self.executions if each.outcome.generation), None)

    @property
    def annotator(self) -> str | None:
        """The people who labeled all of its types; None where a model labeled one."""
        names = [each.name or "" for each in self.labels.values() if each.by == "person"]
        return ", ".join(dict.fromkeys(names)) if names and len(names) == len(self.labels) else None

    @property
    def rank(self) -> tuple[int, int, str]:
        """Rank articles that are duplicates, the best highest: by people, completed, more labeled types, newer."""
        completed = any(each.status == "completed" for each in self.executions)
        by_people = any(each.by == "person" for each in self.executions)
        newest = max((each.finished_at for each in self.executions), default="")
        return (2 * by_people + completed, len(self.labels), newest)


def choose(executions: Sequence[Execution], content: str, trust: Trust) -> Choice:
    """Choose what labels each type of an article.

    A person goes before any model. Then one that saw the whole article, the most trusted model, a completed execution,
    the newest; one that saw a part speaks, where it is the best, for that part alone. Only a completed execution proves
    that there is nothing.

    Args:
        executions: All executions over the article, in any order.
        content: The article's text.
        trust: Whose labels are taken.

    Returns:
        The labels; what is unlabeled has its reason.
    """
    unlabelled: dict[str, str] = {}
    candidates: dict[str, list[_Candidate]] = {}
    stretches = _Stretches(content)
    for number, execution in enumerate(sorted(executions, key=lambda each: each.finished_at)):
        for type_, state in execution.outcome.states.items():
            model = execution.model_of(type_)
            against = _objection(execution, state.state, state.reason, trust.is_own(model))
            if against:
                # that one was never asked says nothing where another failed
                if state.state is not ExtractorState.NEVER_ASKED or type_ not in unlabelled:
                    unlabelled[type_] = against
                continue
            seen = stretches.seen(_text_seen(execution, content), state.cut_after)
            label = TypeLabel.model_construct(
                by=execution.by, name=execution.labeler or model, why=str(state.state), seen=seen
            )
            # of two people the first counts, of two models the newer
            order = -number if execution.by == "person" else number
            candidates.setdefault(type_, []).append(_Candidate(execution, label, trust.place(model), order))
    best = {type_: max(each, key=lambda candidate: candidate.rank) for type_, each in candidates.items()}
    chosen = {each.number: each.execution for each in best.values()}
    newest = [chosen[number] for number in sorted(chosen, reverse=True)]
    return Choice(
        # a row may hold answers of several models: those of one that is not trusted are in no choice
        tuple(
            o for each in newest for o in each.outcome.observables if o.type in best and best[o.type].execution is each
        ),
        {type_: each.label for type_, each in best.items()},
        {type_: why for type_, why in unlabelled.items() if type_ not in best},
        tuple(newest),
    )


def with_single_items(choice: Choice, items: Sequence[Observable]) -> tuple[Choice, int]:
    """Add items that people marked one by one to the types that a model or a rule labeled.

    Args:
        choice: What an article's executions say together.
        items: What people marked in its text, each saying "this is one" and nothing of the rest.

    Returns:
        The choice with those that it lacks, and how many of the items are of no use: nobody looked for all of their
        type, or a person did and found other ones.
    """
    if not items:
        return choice, 0
    known = {_key(each) for each in choice.observables}
    lacking = [each for each in items if _key(each) not in known]
    of_machines = {type_ for type_, label in choice.labels.items() if label.by != "person"}
    added = {_key(each): each for each in lacking if each.type in of_machines}
    useless = sum(each.type not in of_machines for each in lacking)
    found = {each.type for each in added.values()}
    labels = {
        type_: label.model_copy(update={"why": str(ExtractorState.FOUND)}) if type_ in found else label
        for type_, label in choice.labels.items()
    }
    return replace(choice, observables=(*choice.observables, *added.values()), labels=labels), useless


def left_out(executions: Collection[Execution], trust: Trust) -> tuple[int, int]:
    """Count the executions that were run to evaluate, and the answers (a type of an execution) of models of ours.

    Args:
        executions: All executions over an article.
        trust: Whose labels are taken.

    Returns:
        Evaluation runs, and answers of our own models in the others that therefore label nothing.
    """
    others = [each for each in executions if not each.evaluation]
    own = sum(trust.is_own(each.model_of(type_)) for each in others for type_ in each.outcome.labelled_types)
    return len(executions) - len(others), own


@dataclass(frozen=True)
class _Candidate:
    execution: Execution
    label: TypeLabel
    place: int
    number: int
    """Its place among the executions by time."""

    @property
    def rank(self) -> tuple[int, bool, int, bool, int]:
        completed = self.execution.status == "completed"
        return (_TRUST[self.label.by], self.label.seen is None, -self.place, completed, self.number)


class _Stretches:
    """Finds each part of an article that was seen once, for most types of an execution saw the same."""

    def __init__(self, content: str) -> None:
        self._content = content
        self._known: dict[tuple[str | None, str | None], tuple[CharacterRange, ...] | None] = {(None, None): None}

    def seen(self, seen_text: str | None, cut_after: str | None) -> tuple[CharacterRange, ...] | None:
        key = (seen_text, cut_after)
        if key not in self._known:
            self._known[key] = seen_stretches(self._content, *key)
        return self._known[key]


def _text_seen(execution: Execution, content: str) -> str | None:
    """Return what the extractors saw; of a filtered article of which nobody kept that, the lines of what they found."""
    if execution.seen_text != "":
        return execution.seen_text
    values = [observable.value.casefold() for observable in execution.outcome.observables]
    lines = [line for line in content.splitlines() if any(value in line.casefold() for value in values)]
    return "\n".join(lines)


def _key(observable: Observable) -> tuple[str, str]:
    return observable.type, normalize(observable.type, observable.value)


def _objection(execution: Execution, state: ExtractorState, reason: str, own: bool) -> str | None:
    """Say why an execution does not label a type; None where it does."""
    if execution.evaluation:
        return EVALUATION_RUN
    if not state.labels:
        return reason
    if own:
        return OWN_ANSWER
    if state is ExtractorState.NOTHING and execution.status != "completed":
        return f"found nothing in an execution that is {execution.status}"
    return None
