"""What becomes of an article on which a classifier fails, and when that ends an evaluation."""

import io
from collections.abc import Callable, Sequence

import pytest
import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.osbert.detection import Detection
from ctiforge.osbert.evaluate import _row
from ctiforge.progress import Progress
from ctiforge.records.classification import ClassifierRow

TRUTHS = ["Windows", "Linux"] * 30


class Failing:
    """Says Windows of every text, and calls `fail` on those that say so."""

    name = "failing"
    size_bytes = None

    def __init__(self, fail: Callable[[], float]) -> None:
        self.fail = fail

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        return [
            Detection("Windows", self.fail() if "break me" in text else 0.9, {"Windows": 1.0}, None) for text in texts
        ]


def evaluated(fail: Callable[[], float], broken: Sequence[int] = (0,)) -> ClassifierRow:
    texts = ["break me" if number in broken else "fine" for number in range(len(TRUTHS))]
    with Progress("eval_os_bert", len(texts), stream=io.StringIO()) as progress:
        row = _row("model", Failing(fail), texts, TRUTHS, progress)
        assert progress.done == len(texts)
    return row


def raising(error: Exception) -> Callable[[], float]:
    def fail() -> float:
        raise error

    return fail


@pytest.mark.parametrize("error", [ValueError("odd\ntrace"), torch.OutOfMemoryError("CUDA out of memory")])
def test_an_article_that_fails_is_wrong_and_stays_in_every_denominator(error: Exception) -> None:
    row = evaluated(raising(error))

    assert row.predictions[:3] == ("no answer", "Windows", "Windows")
    assert row.failed == {f"{type(error).__name__}: {error}".splitlines()[0]: 1}
    assert row.metrics["accuracy"].value == 29 / 60
    windows = row.classes[0]
    assert (windows.label, windows.support, windows.found, windows.predicted) == ("Windows", 30, 29, 59)


def test_more_than_two_percent_end_the_evaluation() -> None:
    with pytest.raises(CannotGoOnError, match=r"failing failed on 2 of 60 articles, more than 2%.*ValueError: odd"):
        evaluated(raising(ValueError("odd")), (0, 7))


def test_a_device_that_failed_ends_the_evaluation() -> None:
    with pytest.raises(CannotGoOnError, match="the device failed"):
        evaluated(raising(RuntimeError("CUDA error: device-side assert triggered")))


def test_probabilities_that_are_no_numbers_end_the_evaluation() -> None:
    with pytest.raises(CannotGoOnError, match="failing computes no numbers"):
        evaluated(lambda: float("nan"))
