"""Several processes train what one would, through kills, signals, lack of memory and other numbers of processes."""

from dataclasses import replace

import pytest

from ctiforge.errors import CannotGoOnError, InterruptedRunError
from ctiforge.pod import ranks as pod_ranks
from ctiforge.pod.ranks import RanksFailedError
from tests.integration.training.of_ranks import KILL, OPTIONS, TERMINATE, apart


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1])
def test_a_signal_to_one_stops_all_after_the_same_step(place, alone, rank):
    with pytest.raises(InterruptedRunError, match="interrupted at step 8 of 20; its state is saved"):
        place.train(2, signals=((rank, 8, TERMINATE),))
    assert max(place.rows) == 8
    place.train(2)
    assert min(place.rows) == 9
    assert apart(place, alone()) < 1e-5


@pytest.mark.prove
@pytest.mark.slow
def test_a_signal_to_one_ends_the_look_of_another(place, alone):
    with pytest.raises(InterruptedRunError, match="interrupted at step 4 of 20; its state is saved"):
        place.train(2, signaled_in_look=1)
    found = place.train(2)
    assert found["resumed_from_step"] == 4
    assert apart(place, alone()) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0])
def test_one_that_is_killed_ends_all_and_costs_what_was_not_saved(place, alone, rank):
    with pytest.raises(RanksFailedError, match=f"process {rank} of 2 .* killed by signal 9") as caught:
        place.train(2, signals=((rank, 13, KILL),))
    assert caught.value.exit_code == 137
    found = place.train(2)
    assert 13 - OPTIONS.save_steps <= found["resumed_from_step"] < 13
    assert apart(place, alone()) < 1e-5


@pytest.mark.prove
@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(place, alone):
    for count, step in ((2, 5), (1, 15)):
        with pytest.raises(InterruptedRunError):
            place.train(count, signals=((count - 1, step, TERMINATE),))
    found = place.train(2)
    assert found["resumed_from_step"] == 15
    assert apart(place, alone()) < 1e-5


@pytest.mark.prove
@pytest.mark.slow
def test_one_without_memory_ends_all_and_all_begin_again_with_less(place, alone, capsys, monkeypatch):
    monkeypatch.setattr(pod_ranks, "OTHERS_END_WITHIN_S", 5.0)
    found = place.train(2, no_memory=(1, 2))
    assert found["micro_batches"] == [2]
    assert "out of GPU memory at step 1 with 4 examples in a process: all begin again with 2" in capsys.readouterr().err
    assert apart(place, alone()) < 1e-5
    with pytest.raises(CannotGoOnError, match="with one example in each process at once"):
        place.train(2, replace(OPTIONS, resume=False), no_memory=(0, 0))


@pytest.mark.prove
@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_is_told_by_it(place):
    with pytest.raises(RanksFailedError, match=r"the loss is no number \(inf or nan\) in step 2") as caught:
        place.train(2, no_number=1)
    assert caught.value.exit_code == 4
