import pytest

from ctiforge.training.options import LoraOptions, TrainingOptions, result_params
from ctiforge.training.trainer import derive_steps


@pytest.mark.parametrize(("examples", "per_epoch", "total"), [(40, 3, 9), (40_000, 2_500, 7_500), (1, 1, 3)])
def test_steps_follow_the_data(examples, per_epoch, total):
    steps = derive_steps(examples, TrainingOptions())
    assert (steps.per_epoch, steps.total) == (per_epoch, total)
    assert 1 <= steps.evaluate_every <= per_epoch
    assert steps.save_every % steps.evaluate_every == 0
    assert steps.save_every <= max(per_epoch, steps.evaluate_every)


def test_max_steps_overrules_epochs():
    assert derive_steps(40_000, TrainingOptions(max_steps=5)).total == 5


def test_the_effective_batch_stands_for_its_factors_in_the_fingerprint():
    one = result_params(TrainingOptions(batch_size=4, gradient_accumulation_steps=4), None)
    other = result_params(TrainingOptions(batch_size=8, gradient_accumulation_steps=2, report_to="mlflow"), None)
    assert one == other
    assert one != result_params(TrainingOptions(seed=1), None)
    assert one != result_params(TrainingOptions(), LoraOptions())
