import pytest

from ctiforge.training.summary import print_training
from tests.making import training


@pytest.mark.parametrize(("named", "is_told"), [("other", True), ("agent", False), (None, False)])
def test_a_name_that_a_cached_training_does_not_take_is_told(
    capsys: pytest.CaptureFixture[str], named: str | None, is_told: bool
) -> None:
    print_training(training(name="agent"), "store/agent", named)
    said = "warning: --name other is not taken: this training was done before, and its model is called agent\n"
    assert (said in capsys.readouterr().out) == is_told


def test_its_speed_is_told_where_the_last_attempt_trained(capsys: pytest.CaptureFixture[str]) -> None:
    print_training(training(tokens_per_s=1234.5), "store/agent")
    assert "150 steps in 61 s (1,234 tokens/s) on cpu" in capsys.readouterr().out
    print_training(training(), "store/agent")
    assert "150 steps in 61 s on cpu" in capsys.readouterr().out
