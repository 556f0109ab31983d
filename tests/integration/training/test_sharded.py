"""Processes that each keep a part of the weights (FSDP) train what one would, and go on from each other's parts."""

from dataclasses import replace

import pytest

from ctiforge.errors import InterruptedRunError, UsageError
from ctiforge.pod.ranks import RanksFailedError
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.resumable import STATE
from tests.integration.training.conftest import FOLDER, run
from tests.integration.training.of_ranks import KILL, OPTIONS, TERMINATE, apart

# an evaluation has three batches, of which the second process has one; the third step has fewer rows
SHORT = replace(OPTIONS, batch_size=6, max_steps=3, eval_steps=2)


def test_two_with_half_the_weights_each_train_what_one_would(place, alone):
    # a GPU computes activations again
    one = alone(options=SHORT, method="full", recompute=True)
    found = place.train(2, SHORT, fsdp=True, recompute=True)
    assert found["steps"] == 3
    assert place.rows == one.rows
    assert apart(place, one) < 1e-5
    weights = sum(each.numel() for each in one.weights.values())
    assert sum(found["held"]) == weights
    assert max(found["held"]) < 0.51 * weights


@pytest.mark.prove
@pytest.mark.slow
def test_through_a_signal_another_number_of_them_and_a_kill_they_train_what_one_would(place, alone):
    options = replace(OPTIONS, batch_size=2, gradient_accumulation_steps=6)
    with pytest.raises(InterruptedRunError, match="interrupted at step 5 of 20; its state is saved"):
        place.train(2, options, fsdp=True, signals=((1, 5, TERMINATE),))
    # three read what two have written
    with pytest.raises(RanksFailedError, match=r"process 0 of 3 .* killed by signal 9"):
        place.train(3, options, fsdp=True, signals=((0, 13, KILL),))
    assert min(place.rows) == 6
    found = place.train(2, options, fsdp=True)
    # what all had saved counts
    assert 13 - OPTIONS.save_steps <= found["resumed_from_step"] < 13
    assert apart(place, alone(options=options, method="full")) < 1e-5


def test_a_checkpoint_of_sharded_weights_is_not_gone_on_from_without_them(store_folder, tmp_path):
    saved = Checkpoints(open_store(store_folder), FOLDER)
    saved.begin(tmp_path / "restored")
    (tmp_path / STATE).write_text("{}")
    saved.save(3, {STATE: tmp_path / STATE})
    with pytest.raises(UsageError, match=r"step 3 was saved with --fsdp, .* go on with it, or .* --no-resume"):
        run(store_folder, tmp_path / "scratch")
