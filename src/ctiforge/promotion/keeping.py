"""A model that passed the gate becomes a version of the registry, and the champion or one that waits for a person.

First its files, then what the decision was made from, then the record, last the champion: whenever this stops, the
champion is one that can be loaded, and the same command goes on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import DataError
from ctiforge.evaluation.gate.sides import schema_of
from ctiforge.promotion.calibration import keep_calibration
from ctiforge.promotion.canary import keep_canary
from ctiforge.promotion.grounds import Question, keep_grounds
from ctiforge.records.artifact import InputEntry
from ctiforge.records.calibration import KeptCalibration
from ctiforge.records.canary import Canary
from ctiforge.records.decision import Decision
from ctiforge.records.registry import BaseModelEntry, Candidate, ModelRecord
from ctiforge.records.training import Training
from ctiforge.store.artifacts import Input, fetch_named, find_input
from ctiforge.store.lineage import Lineage
from ctiforge.store.models import Registry, Standing
from ctiforge.store.owned import own
from ctiforge.store.waiting import ask_approval

_CARD = "README.md"
_LICENSE = re.compile(r"^license:\s*([\w.-]+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Passed:
    """A model that passed the gate.

    Attributes:
        model: The model, wherever it lies.
        question: What the gate was asked with.
        decision: What it said.
        standing: The champion that it was decided against.
        lineage: How the model came to be.
        training: The URIs of the training articles.
        canary: Windows of the test set with its answers; None where the evaluation kept no answers.
        calibration: How sure it was there, and how often right; None where the answers do not say.
    """

    model: Input
    question: Question
    decision: Decision
    standing: Standing
    lineage: Lineage
    training: Sequence[str]
    canary: Canary | None
    calibration: KeptCalibration | None = None


def keep_model(
    registry: Registry, passed: Passed, *, actor: str, license_name: str | None = None, approval: bool = False
) -> ModelRecord:
    """Keep a model that passed the gate, and make it the champion, or let it wait for a person.

    Args:
        registry: The line's registry.
        passed: The model, and how it passed.
        actor: Who promotes it.
        license_name: Of the weights; None: what the model's card says.
        approval: Whether a person has to approve it first.

    Returns:
        The version's record.

    Raises:
        OvertakenError: Another promotion or rollback came between.
        StoreError: The store does not answer, or a file of the model is damaged.
    """
    store, line, own_text = registry.store, registry.line, passed.question.candidate.text
    place = own(store, line, passed.model)
    grounds = keep_grounds(store, line, passed.question, passed.decision)
    if passed.canary:
        keep_canary(store, line, passed.model.content, passed.canary)
    if passed.calibration:
        keep_calibration(store, line, passed.model.content, passed.calibration)
    why = _why(passed.decision)
    record = registry.register(
        _candidate(store.uri, place, passed, grounds, actor, why, license_name or _license_of(passed.model))
    )
    test_set = passed.decision.test_set
    registry.add_evaluation(record.version, test_set.content_hash, schema_of(line), own_text.encode())
    if approval:
        ask_approval(registry, record.version, passed.standing, why, actor, grounds)
    else:
        registry.promote(record.version, passed.standing, why, actor, grounds)
    return record


def _candidate(
    store: str, place: str, passed: Passed, grounds: str, actor: str, why: str, license_name: str | None
) -> Candidate:
    trained = passed.lineage.steps[0] if passed.lineage.steps else None
    return Candidate(
        name=passed.decision.candidate.name,
        artifact=f"{store}/{place}",
        place=place,
        files=passed.model.files,
        fingerprint=trained.fingerprint if trained else None,
        content=passed.model.content,
        git_commit=trained.git_commit if trained else None,
        image=trained.image if trained else None,
        lineage=passed.lineage.steps,
        test_set=passed.decision.test_set,
        decision=passed.decision,
        grounds=grounds,
        actor=actor,
        reason=why,
        trained_on=tuple(InputEntry(uri=uri, content=find_input(uri).content) for uri in passed.training),
        base=_base_of(passed.model),
        license=license_name,
    )


def _why(decision: Decision) -> str:
    """Word the check that let it pass."""
    primary = next((check for check in decision.checks if check.verdict == "better"), decision.checks[0])
    low = "" if primary.low is None else f", at least {primary.low:+.3f}"
    return f"{primary.label} {primary.after:.3f} against {primary.before:.3f} of {primary.against}{low}"


def _base_of(model: Input) -> BaseModelEntry | None:
    """Read what the model was trained from; a base that was an input is known by its content."""
    text = _text_of(model, Training.NAME)
    if text is None:
        return None
    try:
        name = Training.parse(text, Training.NAME).base_model
    except DataError:
        # another tool's file of that name
        return None
    inputs = model.manifest.inputs if model.manifest else {}
    base = inputs.get("model") or inputs.get("base_model")
    return BaseModelEntry(name=name, revision=base.content if base else None)


def _license_of(model: Input) -> str | None:
    """Read the license in the metadata of the model's card."""
    text = _text_of(model, _CARD) or ""
    head = text.removeprefix("---\n").partition("\n---")[0] if text.startswith("---\n") else ""
    found = _LICENSE.search(head)
    return found[1] if found else None


def _text_of(model: Input, name: str) -> str | None:
    if model.is_file or name not in model.files:
        return None
    with TemporaryDirectory() as scratch:
        return fetch_named(model.uri, name, Path(scratch)).read_text(encoding="utf-8", errors="replace")
