"""The trainer of a model whose weights are sharded: what it saves and loads, each rank does its part of."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from ctiforge.training.batches import evenly
from ctiforge.training.finite import check_weights
from ctiforge.training.randomness import random_state
from ctiforge.training.ranks import ALONE
from ctiforge.training.resumable import SCHEDULER, ResumableTrainer
from ctiforge.training.shard_files import read_shards
from ctiforge.training.sharded_checkpoints import STATE_SHARDS

GROUPS = "groups.pt"
"""The optimizer's settings of the moment, its learning rate above all: the same in each rank."""


class ShardedTrainer(ResumableTrainer):
    """As its base; every rank computes as often as the others, since each computes with the others' parts.

    Gradients are summed and parted after each micro-batch: whole ones, kept until the step's last, would take the
    memory that sharding is to save.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # the model sums its gradients itself: DDP must not be laid around it
        self.accelerator.prepare_model = partial(self.accelerator.prepare_model, evaluation_mode=True)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Load this rank's share of the validation, with as many batches as the first has."""
        size, rows = self.args.per_device_eval_batch_size, self.eval_dataset
        batches = evenly(len(rows), size, self.ranks)
        most = -(-len(evenly(len(rows), size, ALONE)) // self.ranks.count)
        return self._loader(rows, batches + [[] for _ in range(most - len(batches))])

    def _validate(self) -> dict[str, float]:
        try:
            return super()._validate()
        finally:
            # what a forward pass gathers last waits for a backward pass, which does not come
            self.model.reshard()

    def _keep_best(self) -> None:
        self.writer.keep_best(get_model_state_dict(self.model))

    # private hook: the original writes whole models to a folder and stops the loop for it
    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.store_flos()
        step = self.state.global_step
        check_weights(self.model, step, self.writer.newest)
        of_ranks = self.ranks.gather(random_state())
        folder = self.writer.new_folder(step)
        if self.ranks.is_first:
            self._write_small(folder, of_ranks)
            torch.save([_settings(each) for each in self._torch_optimizer.param_groups], folder / GROUPS)
        self.writer.save(step, folder, {"model": get_model_state_dict(self.model), "optimizer": self._averages()})

    # private hook: the original looks for a file of whole weights
    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint) / STATE_SHARDS)

    # private hook: the original reads an optimizer of whole weights
    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not checkpoint:
            return
        folder, averages = Path(checkpoint), self._averages()
        read_shards({"optimizer": averages}, folder / STATE_SHARDS)
        groups = get_optimizer_state_dict(self.model, self._torch_optimizer)["param_groups"]
        whole = {"state": averages, "param_groups": groups}
        set_optimizer_state_dict(self.model, self._torch_optimizer, optim_state_dict=whole)
        saved = torch.load(folder / GROUPS, weights_only=True)
        for group, settings in zip(self._torch_optimizer.param_groups, saved, strict=True):
            group.update(settings)
        self.lr_scheduler.load_state_dict(torch.load(folder / SCHEDULER, weights_only=True))

    def _averages(self) -> Any:
        """Collect AdamW's averages, this rank's parts, by the names of the weights."""
        return get_optimizer_state_dict(self.model, self._torch_optimizer)["state"]

    @property
    def _torch_optimizer(self) -> torch.optim.Optimizer:
        # accelerate lays its own around it
        found: torch.optim.Optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        return found


def load_weights(model: Any, shards: Path) -> None:
    """Read weights into a sharded model; all ranks call it together.

    Args:
        model: The model.
        shards: The folder of a checkpoint's weights; other tensors there are left alone.
    """
    weights = get_model_state_dict(model)
    read_shards({"model": weights}, shards)
    set_model_state_dict(model, weights)


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}
