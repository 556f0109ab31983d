import random

import numpy as np
import pytest
from sklearn.metrics import classification_report, confusion_matrix

from ctiforge.errors import DataError, UsageError
from ctiforge.evaluation.comparing.classifiers import compare_classifiers
from ctiforge.evaluation.scoring.classification import score_row
from ctiforge.evaluation.statistics import INTERVALS
from ctiforge.evaluation.tables.classifiers import markdown, plain_text
from ctiforge.records.base import SchemaError
from ctiforge.records.classification import Case, ClassifierEvaluation
from ctiforge.records.evaluation import ModelInfo, TestSetInfo

LABELS = ("Windows", "Linux", "MacOS", "multiple", "Unknown")


def _predictions(truths: list[str], right: float, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [truth if rng.random() < right else rng.choice(LABELS) for truth in truths]


def _evaluation(predictions: dict[str, list[str]], truths: list[str], **changed: object) -> ClassifierEvaluation:
    rows = [score_row(name, "model", truths, each, LABELS) for name, each in predictions.items()]
    fields = {
        "model": ModelInfo(name=rows[-1].name, version="v"),
        "test_set": TestSetInfo(name="t", version="1", content_hash="h", articles=len(truths)),
        "measure": "accuracy",
        "labels": LABELS,
        "fingerprint": "f",
        "intervals": INTERVALS,
        "cases": tuple(Case(id=str(n), label=label) for n, label in enumerate(truths)),
        "rows": tuple(rows),
    }
    return ClassifierEvaluation.model_validate(fields | changed)


TRUTHS = [LABELS[n % 4] for n in range(90)]


def test_figures_are_those_of_scikit_learn_over_the_classes_that_occur() -> None:
    predictions = _predictions(TRUTHS, 0.6, 1)
    row = score_row("m", "model", TRUTHS, predictions, LABELS)
    report = classification_report(TRUTHS, predictions, output_dict=True, zero_division=0)
    assert row.metrics["accuracy"].value == pytest.approx(report["accuracy"])
    # Unknown is predicted now and then, and never true
    occurring = [report[label]["f1-score"] for label in LABELS[:4]]
    assert row.metrics["macro_f1"].value == pytest.approx(np.mean(occurring))
    for ours, theirs in (
        ("weighted_f1", "f1-score"),
        ("weighted_precision", "precision"),
        ("weighted_recall", "recall"),
    ):
        assert row.metrics[ours].value == pytest.approx(report["weighted avg"][theirs])
    for figures in row.classes[:4]:
        assert figures.precision == pytest.approx(report[figures.label]["precision"])
        assert figures.recall == pytest.approx(report[figures.label]["recall"])
        assert figures.f1 == pytest.approx(report[figures.label]["f1-score"])
    assert row.confusion == tuple(map(tuple, confusion_matrix(TRUTHS, predictions, labels=LABELS).tolist()))


def test_intervals_hold_their_figure_and_are_absent_where_few_articles_carry_them() -> None:
    truths = ["Windows"] * 30 + ["MacOS"] * 4
    row = score_row("m", "model", truths, _predictions(truths, 0.7, 2), LABELS)
    for metric in row.metrics.values():
        assert metric.low is not None
        assert metric.high is not None
        assert metric.value is not None
        assert metric.low <= metric.value <= metric.high
    by_label = {each.label: each for each in row.classes}
    assert by_label["Windows"].low is not None
    assert by_label["MacOS"].low is None
    assert by_label["MacOS"].support == 4
    few = score_row("m", "model", ["Linux"] * 5, ["Linux"] * 5, LABELS)
    assert few.metrics["accuracy"].value == 1
    assert few.metrics["accuracy"].low is None


def test_a_class_that_never_occurs_and_is_never_predicted_says_nothing() -> None:
    row = score_row("m", "model", ["Linux"] * 12, ["Linux"] * 12, LABELS)
    macos = next(each for each in row.classes if each.label == "MacOS")
    assert (macos.precision, macos.recall, macos.f1) == (None, None, None)
    assert row.metrics["macro_f1"].value == 1


def test_every_row_is_set_against_the_last_model_in_pairs() -> None:
    weak, strong = _predictions(TRUTHS, 0.3, 3), _predictions(TRUTHS, 0.95, 4)
    comparison = compare_classifiers([_evaluation({"floor": weak, "twin": list(strong), "new": strong}, TRUTHS)])
    floor, twin, new = comparison.rows
    assert floor.differences["accuracy"].verdict == "better"
    assert floor.differences["accuracy"].low is not None
    assert floor.differences["accuracy"].low > 0
    assert twin.differences["macro_f1"].verdict == "equal"
    assert new.differences == {}
    assert comparison.model == "new"


def test_rows_of_several_evaluations_stand_in_one_table() -> None:
    old = _evaluation({"keywords": _predictions(TRUTHS, 0.5, 5), "in use": _predictions(TRUTHS, 0.7, 6)}, TRUTHS)
    new = _evaluation({"keywords": _predictions(TRUTHS, 0.5, 5), "new": _predictions(TRUTHS, 0.8, 7)}, TRUTHS)
    comparison = compare_classifiers([old, new])
    assert [each.row.name for each in comparison.rows] == ["keywords", "in use", "new"]
    text = plain_text(comparison)
    assert all(name in text for name in ("keywords", "in use", "new"))
    assert markdown(comparison).count("\n| ") == 4


def test_evaluations_of_different_test_sets_are_not_compared() -> None:
    one = _evaluation({"a": _predictions(TRUTHS, 0.5, 8)}, TRUTHS)
    other = _evaluation(
        {"b": _predictions(TRUTHS, 0.5, 9)},
        TRUTHS,
        test_set=TestSetInfo(name="t", version="2", content_hash="other", articles=90),
    )
    with pytest.raises(UsageError, match="a was evaluated on t 1, b on t 2: evaluate both on one test set"):
        compare_classifiers([one, other])


def test_agreement_is_never_called_accuracy() -> None:
    evaluation = _evaluation({"new": _predictions(TRUTHS, 0.5, 8)}, TRUTHS, measure="agreement")
    text = plain_text(compare_classifiers([evaluation]))
    assert "agreement" in text
    assert "accuracy" not in text


def test_an_evaluation_survives_being_written_and_read() -> None:
    evaluation = _evaluation({"new": _predictions(TRUTHS, 0.5, 8)}, TRUTHS)
    assert ClassifierEvaluation.parse(evaluation.to_json(), "x") == evaluation


@pytest.mark.parametrize(("text", "reason"), [("{}", "model: Field required"), ("prose", "it is not JSON")])
def test_what_is_no_evaluation_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=f"x.json is no evaluation.json of ctiforge: {reason}"):
        ClassifierEvaluation.parse(text, "x.json")


def test_an_evaluation_of_another_schema_is_refused() -> None:
    text = _evaluation({"new": TRUTHS}, TRUTHS).to_json().replace('"schema": 2', '"schema": 99')
    with pytest.raises(SchemaError, match=r"schema 99 of evaluation\.json, this ctiforge reads up to 2"):
        ClassifierEvaluation.parse(text, "x.json")
