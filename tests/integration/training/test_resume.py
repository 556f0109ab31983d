"""An interrupted run goes on where it was, on another machine, and ends with the weights of an uninterrupted one."""

import os
import signal
import threading
from dataclasses import replace

import pytest
import torch

from ctiforge.errors import CannotGoOnError, InterruptedRunError, StoreError
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training import checkpoints as checkpoints_module
from ctiforge.training import trainer as trainer_module
from ctiforge.training.checkpoints import CheckpointWriter
from tests.integration.training.conftest import FOLDER, OPTIONS, run, same_weights


@pytest.mark.parametrize(
    ("step", "qlora"), [(1, False), (8, False), (11, False), pytest.param(11, True, marks=pytest.mark.slow)]
)
def test_sigterm_costs_nothing(store_folder, tmp_path, signal_at, step, qlora, uninterrupted):
    """Before the first checkpoint, at the end of an epoch, and within the second."""
    whole = uninterrupted(qlora=qlora)
    signal_at(signal.SIGTERM, step)
    with pytest.raises(InterruptedRunError, match=f"at step {step} of 14") as caught:
        run(store_folder, tmp_path / "first", qlora=qlora)
    assert caught.value.exit_code == 75
    resumed = run(store_folder, tmp_path / "second", qlora=qlora)
    assert resumed.result.resumed_from == step
    assert len(resumed.batches) == len(whole.batches) - step
    assert resumed.batches == whole.batches[step:]
    assert same_weights(resumed, whole)
    assert (resumed.result.best_step, resumed.result.steps_done) == (whole.result.best_step, whole.result.steps_done)


def in_look(step):
    """What sends a signal when the look after a step has begun, and notes how many batches are looked at after it."""
    trained, seen = [], []

    def before_forward(training, size):
        if training:
            trained.append(size)
        elif len(trained) == step:
            if not seen:
                os.kill(os.getpid(), signal.SIGTERM)
            seen.append(size)

    return before_forward, seen


def looks(found):
    return [(line["step"], line["eval_loss"], line.get("eval_f1")) for line in found.result.log if "eval_loss" in line]


@pytest.mark.parametrize(("step", "qlora"), [(3, False), (12, True), (14, False)])
def test_a_signal_in_a_look_ends_it_and_whoever_goes_on_does_it_again(
    store_folder, tmp_path, step, qlora, uninterrupted
):
    """The first look, one within an epoch of a model with dropout, and the last."""
    whole = uninterrupted(qlora=qlora)
    before_forward, seen = in_look(step)
    with pytest.raises(InterruptedRunError, match=f"at step {step} of 14; its state is saved"):
        run(store_folder, tmp_path / "first", qlora=qlora, before_forward=before_forward)
    assert len(seen) == 1
    resumed = run(store_folder, tmp_path / "second", qlora=qlora)
    assert resumed.result.resumed_from == step
    assert resumed.batches == whole.batches[step:]
    assert same_weights(resumed, whole)
    assert looks(resumed) == looks(whole)
    assert (resumed.result.best_step, resumed.result.steps_done) == (whole.result.best_step, whole.result.steps_done)


def test_a_signal_in_the_step_before_a_look_leaves_it_to_whoever_goes_on(
    store_folder, tmp_path, signal_at, uninterrupted
):
    """A look draws no number of the training's: it has dropout."""
    whole, seen = uninterrupted(qlora=True), []
    signal_at(signal.SIGTERM, 3)
    with pytest.raises(InterruptedRunError, match="at step 3 of 14"):
        run(store_folder, tmp_path / "first", qlora=True, before_forward=lambda train, _: train or seen.append(1))
    assert not seen
    resumed = run(store_folder, tmp_path / "second", qlora=True)
    assert looks(resumed) == looks(whole)
    assert same_weights(resumed, whole)


@pytest.mark.slow
def test_a_look_that_was_cut_short_again_and_then_ends_the_training_trains_nothing_more(store_folder, tmp_path):
    options = replace(OPTIONS, learning_rate=8e-3, max_steps=40)
    whole = run(str(tmp_path / "whole"), tmp_path / "alone", options)
    step = whole.result.steps_done
    assert whole.result.stopped_early
    for name, trained in (("first", step), ("second", 0)):
        before_forward, seen = in_look(trained)
        with pytest.raises(InterruptedRunError, match=f"at step {step} of 40"):
            run(store_folder, tmp_path / name, options, before_forward=before_forward)
        assert len(seen) == 1
    resumed = run(store_folder, tmp_path / "third", options)
    assert not resumed.batches
    assert looks(resumed) == looks(whole)
    assert same_weights(resumed, whole)
    assert (resumed.result.best_step, resumed.result.steps_done) == (whole.result.best_step, step)


def test_a_signal_while_articles_are_answered_in_a_look_ends_that_too(store_folder, tmp_path):
    def judge(go_on):
        judged.append(1)
        go_on()
        if len(judged) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            go_on()
            pytest.fail("a look goes on after SIGTERM")
        return 0.5

    judged = [0, 0, 0]
    whole = run(str(tmp_path / "whole"), tmp_path / "alone", judge=judge)
    judged = []
    with pytest.raises(InterruptedRunError, match="at step 6 of 14"):
        run(store_folder, tmp_path / "first", judge=judge)
    resumed = run(store_folder, tmp_path / "second", judge=judge)
    assert looks(resumed) == looks(whole)
    assert same_weights(resumed, whole)


def test_it_goes_on_from_either_kind_of_store(store_uri, tmp_path, signal_at, uninterrupted):
    whole = uninterrupted()
    signal_at(signal.SIGTERM, 10)
    with pytest.raises(InterruptedRunError):
        run(store_uri, tmp_path / "first")
    assert same_weights(run(store_uri, tmp_path / "second"), whole)


def test_a_crash_costs_at_most_save_steps(store_folder, tmp_path, monkeypatch, uninterrupted):
    """Not even while a checkpoint is on its way: training waits for it rather than go further."""
    whole = uninterrupted()
    at_risk, writers = [], []
    begin, write = CheckpointWriter.begin, CheckpointWriter._write
    trained = threading.Semaphore(0)

    def watched_begin(self, *arguments, **named):
        writers.append(self)
        return begin(self, *arguments, **named)

    def slow_write(self, step, folder, large):
        # arrives when training has gone on for two steps, or waits
        for _ in range(2):
            trained.acquire(timeout=0.3)
        write(self, step, folder, large)

    def forward(training, size):
        if training:
            trained.release()
            at_risk.append(len(at_risk) + 1 - writers[0].newest)
            if len(at_risk) == 12:
                raise RuntimeError("crash")

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointWriter, "begin", watched_begin)
        patched.setattr(CheckpointWriter, "_write", slow_write)
        with pytest.raises(RuntimeError, match="crash"):
            run(store_folder, tmp_path / "first", before_forward=forward)
    assert max(at_risk) == OPTIONS.save_steps
    resumed = run(store_folder, tmp_path / "second")
    assert resumed.result.resumed_from == 9
    assert same_weights(resumed, whole)


def test_a_damaged_newest_checkpoint_costs_one_more(store_folder, tmp_path, signal_at, uninterrupted):
    whole = uninterrupted()
    signal_at(signal.SIGTERM, 11)
    with pytest.raises(InterruptedRunError):
        run(store_folder, tmp_path / "first")
    open_store(store_folder).write(f"{FOLDER}/1/11/optimizer.pt", b"half")
    resumed = run(store_folder, tmp_path / "second")
    assert resumed.result.resumed_from == 9
    assert same_weights(resumed, whole)


def test_the_best_weights_so_far_survive(store_folder, tmp_path, signal_at, uninterrupted):
    """Stopping early gives back weights of before the interruption, which no later checkpoint has as its own."""
    options = replace(OPTIONS, learning_rate=8e-3, max_steps=40)
    whole = uninterrupted(options)
    best = whole.result.best_step
    assert whole.result.stopped_early
    assert best < whole.result.steps_done
    signal_at(signal.SIGTERM, best + 2)
    with pytest.raises(InterruptedRunError):
        run(store_folder, tmp_path / "first", options)
    resumed = run(store_folder, tmp_path / "second", options)
    assert resumed.result.best_step == best
    assert resumed.result.steps_done == whole.result.steps_done
    assert same_weights(resumed, whole)


@pytest.mark.parametrize("learning_rate", [2e-3, pytest.param(8e-3, marks=pytest.mark.slow)])
def test_a_finished_run_that_was_not_published_is_not_trained_again(store_folder, tmp_path, learning_rate):
    """Neither one that did all its steps nor one that stopped early."""
    options = replace(OPTIONS, learning_rate=learning_rate, max_steps=14 if learning_rate == 2e-3 else 40)
    whole = run(store_folder, tmp_path / "first", options)
    again = run(store_folder, tmp_path / "second", options)
    assert again.batches == []
    assert same_weights(again, whole)


def test_another_micro_batch_goes_on_with_the_rows_that_come_next(store_folder, tmp_path, signal_at, uninterrupted):
    whole = uninterrupted()
    signal_at(signal.SIGTERM, 10)
    with pytest.raises(InterruptedRunError):
        run(store_folder, tmp_path / "first")
    halved = run(store_folder, tmp_path / "second", replace(OPTIONS, batch_size=4, gradient_accumulation_steps=2))
    steps = [one + other for one, other in zip(halved.batches[::2], halved.batches[1::2], strict=True)]
    assert steps == whole.batches[10:]
    for name, weights in halved.weights.items():
        torch.testing.assert_close(weights, whole.weights[name], atol=1e-3, rtol=1e-2)


def test_a_store_that_is_gone_stops_no_training_but_is_told(store_folder, tmp_path, monkeypatch, capsys, signal_at):
    def fail(*_):
        raise StoreError("s3://bucket: nothing answers there")

    monkeypatch.setattr(Checkpoints, "save", fail)
    assert run(store_folder, tmp_path / "first").result.steps_done == 14
    assert "the checkpoint of step 3 is not saved: s3://bucket: nothing answers there" in capsys.readouterr().err
    # but nobody is told that a state was saved which was not
    signal_at(signal.SIGTERM, 5)
    with pytest.raises(StoreError, match="nothing answers"):
        run(store_folder, tmp_path / "second")


@pytest.mark.slow
def test_where_memory_is_short_it_waits_for_the_checkpoint(store_folder, tmp_path, monkeypatch, uninterrupted):
    whole = uninterrupted()
    monkeypatch.setattr(checkpoints_module, "free_memory", lambda: 1_000)
    assert same_weights(run(store_folder, tmp_path / "first"), whole)


def test_a_full_disk_is_told_before_training(store_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "tensor_bytes", lambda _: 10**15)
    with pytest.raises(CannotGoOnError, match="GB are free"):
        run(store_folder, tmp_path / "first")
    assert not open_store(store_folder).list("checkpoints")
