"""Classifiers side by side: every row of every evaluation against the last one's model, paired article by article."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ctiforge.errors import UsageError
from ctiforge.evaluation.classification import (
    ClassifierEvaluation,
    ClassSums,
    Formula,
    Measure,
    Row,
    accuracy,
    macro_f1,
)
from ctiforge.evaluation.comparison import Verdict, verdict
from ctiforge.evaluation.report import Bootstrap, TestSetInfo
from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES, draws, interval

_COMPARED: dict[str, Formula] = {"accuracy": accuracy, "macro_f1": macro_f1}


class Difference(BaseModel):
    """The model's figure minus another row's, with its paired interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None
    high: float | None
    verdict: Verdict


class ComparedRow(BaseModel):
    """One row, and what the model has over it; nothing for the model itself."""

    model_config = ConfigDict(frozen=True)

    row: Row
    differences: dict[str, Difference]


class ClassifierComparison(BaseModel):
    """What `comparison.json` holds."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["classification"] = "classification"
    schema_version: int = 1
    test_set: TestSetInfo
    measure: Measure
    labels: tuple[str, ...]
    model: str
    rows: tuple[ComparedRow, ...]
    bootstrap: Bootstrap = Bootstrap()


def compare_classifiers(evaluations: Sequence[ClassifierEvaluation]) -> ClassifierComparison:
    """Every row of all evaluations, those of one name once; the last evaluation's model is what they are set against.

    Raises UsageError where they are not of one test set.
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
        test_set=last.test_set,
        measure=last.measure,
        labels=last.labels,
        model=model.name,
        rows=(*compared, ComparedRow(row=model, differences={})),
    )


def _differences(truths: Sequence[str], row: Row, model: Row, labels: Sequence[str]) -> dict[str, Difference]:
    return {
        name: _difference(formula, truths, row.predictions, model.predictions, labels)
        for name, formula in _COMPARED.items()
    }


def _difference(
    formula: Formula, truths: Sequence[str], before: Sequence[str], after: Sequence[str], labels: Sequence[str]
) -> Difference:
    once = np.ones((1, len(truths)))
    value = float(
        (formula(ClassSums(truths, after, labels, once)) - formula(ClassSums(truths, before, labels, once)))[0]
    )
    found = None
    if len(truths) >= MIN_POSITIVE_ARTICLES:
        found = interval(
            np.concatenate(
                [
                    formula(ClassSums(truths, after, labels, block)) - formula(ClassSums(truths, before, labels, block))
                    for block in draws(len(truths))
                ]
            )
        )
    return Difference(
        value=value,
        low=found.low if found else None,
        high=found.high if found else None,
        verdict=verdict(value, found, "higher", "share"),
    )
