"""Our options in the words of transformers' trainer."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from ctiforge.training.numerics import Numerics
from ctiforge.training.options import Schedule, TrainingOptions
from ctiforge.training.ranks import Ranks
from ctiforge.training.steps import Steps

_SCHEDULES: dict[Schedule, str] = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def make_arguments(
    options: TrainingOptions,
    steps: Steps,
    scratch: Path,
    device: torch.device,
    numerics: Numerics,
    *,
    evaluates: bool,
    ranks: Ranks,
    name: str | None = None,
) -> TrainingArguments:
    """Make the trainer's arguments.

    Args:
        options: Length, speed and batch.
        steps: What follows from them and the data.
        scratch: A folder for what the trainer itself writes.
        device: Where it computes.
        numerics: The types.
        evaluates: Whether there is anything to validate on.
        ranks: This process among those that train together.
        name: What a tracker calls the run; None: as it likes.

    Returns:
        The arguments.
    """
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        gradient_accumulation_steps=options.gradient_accumulation_steps // ranks.count,
        max_steps=steps.total,
        learning_rate=options.learning_rate,
        lr_scheduler_type=_SCHEDULES[options.schedule],
        warmup_steps=steps.warmup,
        weight_decay=options.weight_decay,
        adam_beta2=options.adam_beta2,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=steps.evaluate_every,
        save_strategy="steps",
        save_steps=steps.save_every,
        metric_for_best_model="eval_loss" if evaluates else None,
        greater_is_better=False if evaluates else None,
        logging_steps=max(1, min(10, steps.evaluate_every)),
        prediction_loss_only=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        use_cpu=device.type == "cpu",
        bf16=numerics.compute is torch.bfloat16,
        fp16=numerics.compute is torch.float16,
        optim=numerics.optimizer,
        seed=options.seed,
        disable_tqdm=True,
        # a text leaves unused what a model has for pictures
        ddp_find_unused_parameters=True,
        report_to=options.report_to,
        run_name=name,
    )
    # of several visible GPUs one is used: this process's batches are not to be split among them
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments
