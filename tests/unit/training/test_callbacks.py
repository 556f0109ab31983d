import random
from types import SimpleNamespace

import pytest
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState

from ctiforge.training.callbacks import Stops
from ctiforge.training.steps import Steps

ARGS = SimpleNamespace(
    metric_for_best_model="eval_loss", greater_is_better=False, load_best_model_at_end=True, eval_strategy="steps"
)


@pytest.mark.parametrize("seed", range(20))
def test_training_stops_where_the_librarys_callback_would(seed):
    numbers = random.Random(seed)
    losses = [round(numbers.uniform(1, 2), 1) for _ in range(40)]
    assert _stops_at(Stops(None, Steps(9, 9, 0, 9, 9, 9), 3), losses) == _stops_at(EarlyStoppingCallback(3), losses)


def _stops_at(callback, losses):
    state, control = TrainerState(), TrainerControl()
    for index, loss in enumerate(losses):
        state.log_history.append({"eval_loss": loss})
        callback.on_evaluate(ARGS, state, control, metrics={"eval_loss": loss})
        if control.should_training_stop:
            return index
        state.best_metric = loss if state.best_metric is None else min(loss, state.best_metric)
    return len(losses) - 1
