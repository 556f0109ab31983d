import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.verbs import _stage_flags


def test_flags_of_stages_are_read() -> None:
    flags = _stage_flags(
        ["train_extract.epochs=3", "train_extract.learning-rate=2e-4", "eval_extract.note=a=b.c", "x.y=false"]
    )
    assert flags == {
        "train_extract": {"epochs": "3", "learning_rate": "2e-4"},
        "eval_extract": {"note": "a=b.c"},
        "x": {"y": False},
    }


@pytest.mark.parametrize("text", ["train_extract.epochs", "epochs=3", ".epochs=3", "train_extract.=3", ""])
def test_flags_of_stages_that_cannot_be_read_are_usage_errors(text: str) -> None:
    with pytest.raises(UsageError, match=r"stage\.flag=value"):
        _stage_flags([text])
