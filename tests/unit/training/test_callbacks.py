import random
from types import SimpleNamespace

import pytest
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState

from ctiforge.training.batches import LengthBucketSampler
from ctiforge.training.callbacks import Stops, Throughput
from ctiforge.training.steps import Steps

ARGS = SimpleNamespace(
    metric_for_best_model="eval_loss", greater_is_better=False, load_best_model_at_end=True, eval_strategy="steps"
)


@pytest.mark.parametrize("seed", range(20))
def test_training_stops_where_the_librarys_callback_would(seed):
    numbers = random.Random(seed)
    losses = [round(numbers.uniform(1, 2), 1) for _ in range(40)]
    assert _stops_at(Stops(None, Steps(9, 9, 0, 9, 9, 9), 3), losses) == _stops_at(EarlyStoppingCallback(3), losses)


def test_tokens_a_second_are_those_of_steps_without_looks_and_checkpoints_from_any_step_on():
    order, seconds = (
        LengthBucketSampler([30, 10, 20, 90, 50], 2, seed=1),
        iter([10, 12, 12, 100, 101, 101, 200, 203, 203]),
    )
    throughput, state, tokens = Throughput(order, lambda: next(seconds)), TrainerState(), []
    assert throughput.tokens_per_s is None
    for epoch in range(2):
        order.set_epoch(epoch)
        tokens += order.tokens_of_steps().tolist()
    order.set_epoch(0)
    throughput.on_train_begin(ARGS, state, None)
    for step, pause in ((3, throughput.on_evaluate), (4, throughput.on_save), (5, None)):
        state.global_step = step
        throughput.on_step_end(ARGS, state, None)
        if pause:
            pause(ARGS, state, None)
    assert throughput.tokens_per_s == sum(tokens[2:5]) / (2 + 1 + 3)


def _stops_at(callback, losses):
    state, control = TrainerState(), TrainerControl()
    for index, loss in enumerate(losses):
        state.log_history.append({"eval_loss": loss})
        callback.on_evaluate(ARGS, state, control, metrics={"eval_loss": loss})
        if control.should_training_stop:
            return index
        state.best_metric = loss if state.best_metric is None else min(loss, state.best_metric)
    return len(losses) - 1
