"""Who is compared with whom in a run of the Extract Agent: the new model, and whatever was evaluated beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from ctiforge.errors import UsageError
from ctiforge.evaluation.comparing.comparison import compare
from ctiforge.evaluation.gate.sides import scored_extraction
from ctiforge.lines.extract import EXTRACT
from ctiforge.records.comparison import Change
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import Evaluation
from ctiforge.records.training import Training
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.trial import tried

_IN_USE = ("eval_in_use", "eval_as_served")
_RULES = "eval_regex"
PRIMARY = EXTRACT.rules.primary
GUARDRAILS = tuple(EXTRACT.rules.guardrails)


@dataclass(frozen=True)
class Side:
    """One evaluation, and what the new model has over it."""

    role: str
    evaluation: Evaluation
    changes: Mapping[tuple[str, str], Change]
    """By group and label; empty for the new model itself, and where the two have no articles in common."""
    tested: Decision | None = None
    """What the gate's test says of the new model against this one; None like the changes, and of a sample."""

    def change(self, metric: str) -> Change | None:
        """Compute how a metric changes from this one to the new model."""
        return self.changes.get(("figure", self.evaluation.metrics[metric].label))

    @property
    def f1(self) -> float:
        """Return its primary metric; below every other where it has none."""
        value = self.evaluation.metrics[PRIMARY].value
        return -1.0 if value is None else value


@dataclass(frozen=True)
class Contest:
    """The new model and its rivals, in the order of the run."""

    new: Side | None
    rivals: tuple[Side, ...]
    reference: Side | None
    """The rival that the verdict is about: the model in use, where none was evaluated the strongest."""
    rules: Side | None = None
    """The rules, where they are another rival."""

    @property
    def sides(self) -> tuple[Side, ...]:
        """List every evaluation, the new model's last."""
        return (*self.rivals, self.new) if self.new else self.rivals


def contest_of(run: RunFiles) -> Contest:
    """Set the new model against every other evaluation, paired by article."""
    name = new_stage(run)
    new = run.evaluations.get(name) if name else None
    rivals = {stage: each for stage, each in run.evaluations.items() if stage != name}
    sides = {stage: side_of(role_of(stage), each, new) for stage, each in rivals.items()}
    # a floor on a sample is compared, and decides nothing
    comparable = {stage: side for stage, side in sides.items() if side.tested}
    in_use = next((comparable[stage] for stage in _IN_USE if stage in comparable), None)
    strongest = max(comparable.values(), key=lambda side: side.f1, default=None)
    new_side = Side(role_of(name or ""), new, {}) if new else None
    reference, rules = in_use or strongest, comparable.get(_RULES)
    return Contest(new_side, tuple(sides.values()), reference, rules if rules is not reference else None)


def new_stage(run: RunFiles) -> str | None:
    """Find the stage that evaluates the model this run trained."""
    trained = next((each for each in run.manifests.values() if Training.NAME in each.files), None)
    if not trained:
        return None
    for name, manifest in run.manifests.items():
        model = manifest.inputs.get("model")
        is_evaluation = name in run.evaluations or name in run.classified
        if is_evaluation and model and model.uri.rstrip("/").endswith(trained.fingerprint):
            return name
    return None


def role_of(stage: str) -> str:
    """Name what a stage evaluates, for people."""
    return EXTRACT.roles.get(stage, stage)


def side_of(role: str, other: Evaluation, new: Evaluation | None) -> Side:
    """Set the new model against one other evaluation, where both are of the same articles."""
    changes = _changes(other, new)
    if not new or not changes:
        return Side(role, other, changes)
    return Side(role, other, changes, tried(EXTRACT.name, scored_extraction(new), scored_extraction(other), role))


def _changes(before: Evaluation, after: Evaluation | None) -> dict[tuple[str, str], Change]:
    if after is None:
        return {}
    try:
        comparison = compare([before, after])
    except UsageError:
        return {}
    return {(change.group, change.label): change for change in comparison.contenders[0].changes}
