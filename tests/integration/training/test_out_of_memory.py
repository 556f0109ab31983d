"""A GPU that is too small for the micro-batch: a real model whose forward pass says so above some size."""

from dataclasses import replace
from itertools import chain

import pytest
import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.training.resumable import ResumableTrainer
from tests.integration.training.conftest import OPTIONS, run


def too_large(above, *, from_batch=0, in_training=True):
    """Raises what torch raises, for more examples than `above`, from the given micro-batch on."""
    seen = []

    def check(training, size):
        seen.append(size)
        if training == in_training and size > above and len(seen) > from_batch:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return check


@pytest.mark.parametrize("from_batch", [0, pytest.param(8, marks=pytest.mark.slow)])
def test_training_goes_on_with_half_the_micro_batch(store_folder, tmp_path, capsys, uninterrupted, from_batch):
    whole = uninterrupted()
    halved = run(store_folder, tmp_path / "first", before_forward=too_large(3, from_batch=from_batch))
    sizes = [(each.batch_size, each.gradient_accumulation_steps) for each in halved.result.micro_batches]
    assert sizes == [(8, 1), (4, 2), (2, 4)]
    assert halved.result.steps_done == whole.result.steps_done
    # the rows of every step are those that it had
    done = halved.result.micro_batches[-1].from_step
    assert (done > 0) == (from_batch > 0)
    assert list(chain(*halved.batches[done:])) == list(chain(*whole.batches[done:]))
    for name, weights in halved.weights.items():
        torch.testing.assert_close(weights, whole.weights[name], atol=5e-3, rtol=5e-2)
    told = capsys.readouterr().err
    assert "with --batch-size 8: going on with --batch-size 4 --gradient-accumulation-steps 2" in told


def test_an_evaluation_is_done_again_in_smaller_batches(store_folder, tmp_path, capsys):
    result = run(store_folder, tmp_path / "first", before_forward=too_large(4, in_training=False)).result
    assert [each.batch_size for each in result.micro_batches] == [8]
    assert len([line for line in result.log if "eval_loss" in line]) == 5
    assert "in an evaluation with 8 examples at once: again with 4" in capsys.readouterr().err


@pytest.mark.parametrize("in_training", [pytest.param(True, marks=pytest.mark.slow), False])
def test_one_example_that_is_too_large_is_the_end(store_folder, tmp_path, in_training):
    with pytest.raises(CannotGoOnError, match="one example at once: train a smaller model") as caught:
        run(store_folder, tmp_path / "first", before_forward=too_large(0, in_training=in_training))
    assert caught.value.exit_code == 4


def test_a_lack_of_memory_in_the_optimizer_is_the_end(store_folder, tmp_path, monkeypatch):
    """Some weights may have changed by then and others not."""

    def step(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    create = ResumableTrainer.create_optimizer

    def with_failing_step(self, *arguments):
        optimizer = create(self, *arguments)
        optimizer.step = step
        return optimizer

    monkeypatch.setattr(ResumableTrainer, "create_optimizer", with_failing_step)
    with pytest.raises(CannotGoOnError, match="no memory for the optimizer's step"):
        run(store_folder, tmp_path / "first", replace(OPTIONS, max_steps=2))
