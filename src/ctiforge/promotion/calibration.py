"""What a version's confidence is worth: how sure the model was in its evaluation, and how often it was right."""

from collections.abc import Iterable

from ctiforge.evaluation.sureness import calibration_pairs
from ctiforge.records.answer import KeptAnswer
from ctiforge.records.calibration import KeptCalibration
from ctiforge.records.evaluation import Evaluation
from ctiforge.store.objects import ObjectStore


def calibration_of(evaluation: Evaluation, answers: Iterable[KeptAnswer]) -> KeptCalibration | None:
    """Pair how sure the model was with what is right.

    Args:
        evaluation: The model's.
        answers: What is kept beside it.

    Returns:
        The pairs; None where the answers say of no item how likely it was.
    """
    pairs = calibration_pairs(evaluation, answers)
    return KeptCalibration(test_set=evaluation.test_set, pairs=tuple(pairs)) if pairs else None


def keep_calibration(store: ObjectStore, line: str, content: str, calibration: KeptCalibration) -> None:
    """Keep a model's calibration; the first one stands.

    Args:
        store: The store of the registry.
        line: The line's name.
        content: The model's content hash.
        calibration: What is kept.
    """
    store.write_new(_key(line, content), calibration.to_json().encode())


def read_calibration(store: ObjectStore, line: str, content: str) -> KeptCalibration | None:
    """Read a model's calibration.

    Args:
        store: The store of the registry.
        line: The line's name.
        content: The model's content hash.

    Returns:
        What was kept; None where nothing was.
    """
    key = _key(line, content)
    try:
        return KeptCalibration.parse(store.read(key), f"{store.uri}/{key}")
    except FileNotFoundError:
        return None


def _key(line: str, content: str) -> str:
    return f"models/{line}/calibrations/{content}.json"
