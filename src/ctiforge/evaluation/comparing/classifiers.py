"""Classifiers side by side: every row of every evaluation against the last one's model, paired article by article."""

from collections.abc import Sequence

from ctiforge.errors import UsageError
from ctiforge.evaluation.comparing.comparison import verdict
from ctiforge.evaluation.scoring.classification import ClassCounts, ClassFormula, accuracy, estimate_gain, macro_f1
from ctiforge.evaluation.statistics import INTERVALS, MIN_POSITIVE_ARTICLES
from ctiforge.records.classification import ClassifierEvaluation, ClassifierRow
from ctiforge.records.comparison import ClassifierComparison, ComparedRow, Difference

_COMPARED: dict[str, ClassFormula] = {"accuracy": accuracy, "macro_f1": macro_f1}


def compare_classifiers(evaluations: Sequence[ClassifierEvaluation]) -> ClassifierComparison:
    """Compare every row of all evaluations with the last evaluation's model, paired article by article.

    Args:
        evaluations: One or more, the newest last; of rows with one name the last one counts.

    Returns:
        The rows, each with what the model has over it, the model's own last.

    Raises:
        UsageError: They are not of one test set.
    """
    last = evaluations[-1]
    for other in evaluations[:-1]:
        if other.test_set.content_hash != last.test_set.content_hash or other.cases != last.cases:
            raise UsageError(
                f"{other.model.name} was evaluated on {other.test_set.name} {other.test_set.version}, "
                f"{last.model.name} on {last.test_set.name} {last.test_set.version}: evaluate both on one test set"
            )
    model = last.result
    rows = {row.name: row for evaluation in evaluations for row in evaluation.rows if row != model}
    truths = [case.label for case in last.cases]
    compared = [
        ComparedRow(row=row, differences=_differences(truths, row, model, last.labels)) for row in rows.values()
    ]
    return ClassifierComparison(
        intervals=INTERVALS,
        test_set=last.test_set,
        measure=last.measure,
        labels=last.labels,
        model=model.name,
        rows=(*compared, ComparedRow(row=model, differences={})),
    )


def _differences(
    truths: Sequence[str], row: ClassifierRow, model: ClassifierRow, labels: Sequence[str]
) -> dict[str, Difference]:
    before, after = (ClassCounts(truths, each.predictions, labels) for each in (row, model))
    return {name: _difference(formula, before, after) for name, formula in _COMPARED.items()}


def _difference(formula: ClassFormula, before: ClassCounts, after: ClassCounts) -> Difference:
    value = float((formula(after.once()) - formula(before.once()))[0])
    gain = estimate_gain(formula, before, after) if len(before.expected) >= MIN_POSITIVE_ARTICLES else None
    found = gain.interval() if gain else None
    return Difference(
        value=value,
        low=found.low if found else None,
        high=found.high if found else None,
        verdict=verdict(value, found, float(gain.p_value()) if gain else None, "higher", "share"),
    )
