"""Our options in the words of the trainer, and what the learning rate does then."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import get_scheduler

from ctiforge.training.arguments import make_arguments
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import Schedule, TrainingOptions
from ctiforge.training.ranks import Ranks
from ctiforge.training.steps import derive_steps

OPTIONS = TrainingOptions(max_steps=100, warmup_ratio=0.1, learning_rate=1.0)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [("linear", (0.5, 1.0, 0.5, 0.0)), ("cosine", (0.5, 1.0, 0.5, 0.0)), ("constant", (0.5, 1.0, 1.0, 1.0))],
)
def test_the_learning_rate_rises_and_goes_on_as_the_schedule_says(
    schedule: Schedule, rates: tuple[float, ...], tmp_path: Path
) -> None:
    options = replace(OPTIONS, schedule=schedule)
    steps = derive_steps(64, options)
    numerics = choose_numerics(ComputeDevice("cpu"))
    arguments = make_arguments(options, steps, tmp_path, torch.device("cpu"), numerics, evaluates=False, ranks=Ranks())
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=arguments.learning_rate)
    scheduler = get_scheduler(arguments.lr_scheduler_type, optimizer, arguments.warmup_steps, arguments.max_steps)
    seen = []
    for _ in range(101):
        seen.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert [seen[step] for step in (5, 10, 55, 100)] == pytest.approx(list(rates))
    # half a cosine lies above the line a quarter of the way
    assert (seen[32] > 0.76) == (schedule != "linear")
