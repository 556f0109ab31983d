"""Who is compared with whom in a run of OS-BERT: the new model, the one in use, floors and baselines."""

from collections.abc import Mapping
from dataclasses import dataclass

from ctiforge.errors import UsageError
from ctiforge.evaluation.comparing.classifiers import compare_classifiers
from ctiforge.evaluation.gate.sides import scored_classification
from ctiforge.lines.os_bert import OS_BERT
from ctiforge.records.classification import ClassifierEvaluation, ClassifierRow
from ctiforge.records.comparison import ComparedRow
from ctiforge.records.decision import Decision
from ctiforge.reporting.contest import new_stage
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.trial import tried

PRIMARY = OS_BERT.rules.primary
KINDS = {"floor": "floor", "baseline": "baseline", "snippet": "the model, used otherwise", "model": "model"}


@dataclass(frozen=True)
class OsContest:
    """The new classifier and every other row on the same articles."""

    new: ClassifierEvaluation | None
    rows: tuple[ComparedRow, ...]
    """Every row of every evaluation, the new model's last."""
    reference: ComparedRow | None
    """What the verdict is about: the model in use; where none was evaluated the strongest floor or baseline."""
    in_use: str | None
    """The name of the model in use; None where none was evaluated."""
    tested: Mapping[str, Decision]
    """Row → what the gate's test says of the new model against it; empty where labels are of the model's labeler."""

    def role(self, row: ClassifierRow) -> str:
        """Name a row for people."""
        return "model in use" if row.name == self.in_use else f"{row.name} {KINDS[row.kind]}"

    @property
    def ruling(self) -> Decision | None:
        """Return what the gate's test says of the new model against the reference."""
        return self.tested.get(self.reference.row.name) if self.reference else None


def os_contest_of(run: RunFiles) -> OsContest:
    """Set the new model against every other row, paired by article."""
    name = new_stage(run)
    new = run.classified.get(name) if name else None
    if not new:
        return OsContest(None, (), None, None, {})
    in_use = run.classified.get(OS_BERT.eval_in_use)
    rows = _compared(in_use, new)
    rivals = [each for each in rows if each.differences]
    in_use_name = in_use.result.name if in_use else None
    same = next((each for each in rivals if each.row.name == in_use_name), None)
    others = [each for each in rivals if each.row.kind != "snippet"]
    strongest = max(others, key=lambda each: each.row.metrics[PRIMARY].value or 0.0, default=None)
    contest = OsContest(new, rows, same or strongest, in_use_name if same else None, {})
    if new.measure == "agreement":
        return contest
    return OsContest(new, rows, contest.reference, contest.in_use, _tested(new, rivals, contest))


def _compared(in_use: ClassifierEvaluation | None, new: ClassifierEvaluation) -> tuple[ComparedRow, ...]:
    """Collect every row of every evaluation of the same test set, the new model's last."""
    if in_use:
        try:
            return compare_classifiers([in_use, new]).rows
        except UsageError:
            pass
    return compare_classifiers([new]).rows


def _tested(new: ClassifierEvaluation, rivals: list[ComparedRow], contest: OsContest) -> dict[str, Decision]:
    ours = scored_classification(new)
    found = {
        each.row.name: tried(OS_BERT.name, ours, scored_classification(new, each.row), contest.role(each.row))
        for each in rivals
    }
    return {name: decision for name, decision in found.items() if decision}
