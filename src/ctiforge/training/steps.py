"""How many steps a run has, and how often it evaluates and saves: from the data, and from what a person chose."""

import math
from dataclasses import dataclass

from ctiforge.training.options import TrainingOptions


@dataclass(frozen=True)
class Steps:
    """Steps of one run, in optimizer updates."""

    per_epoch: int
    total: int
    warmup: int
    save_every: int
    evaluate_every: int
    at_risk: int
    """At most so many are done again after a crash: training waits for a checkpoint rather than go further."""


def derive_steps(examples: int, options: TrainingOptions) -> Steps:
    """Derive steps from the data, so that 40 examples and 40,000 both evaluate and save: `min(flag, one epoch)`.

    A checkpoint is begun somewhat before `save_steps` are over, so that it has time to arrive.
    """
    per_epoch = max(1, math.ceil(examples / options.effective_batch))
    total = options.max_steps or max(1, math.ceil(per_epoch * options.epochs))
    evaluate_every = max(1, min(options.eval_steps, per_epoch, total))
    at_risk = max(1, min(options.save_steps, per_epoch, total))
    save_every = max(1, at_risk - max(1, at_risk // 4))
    return Steps(per_epoch, total, round(total * options.warmup_ratio), save_every, evaluate_every, at_risk)
