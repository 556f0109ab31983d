"""Writes and uploads checkpoints of a sharded model: each rank its parts, and the first says when all are there."""

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh

from ctiforge.errors import StoreError
from ctiforge.records.checkpoint import StoredFile
from ctiforge.training.checkpoints import CheckpointWriter, HostCopy
from ctiforge.training.parts import part_of
from ctiforge.training.ranks import WAITS_AT_MOST, Ranks
from ctiforge.training.shard_files import METADATA, write_shards

if TYPE_CHECKING:
    from ctiforge.store.checkpoints import Checkpoints

STATE_SHARDS = "state"
"""The folder of weights and optimizer in a checkpoint."""
BEST_SHARDS = "best"
"""The folder of the weights of the lowest validation loss so far."""


class ShardedCheckpointWriter(CheckpointWriter):
    """As its base, but every rank writes and uploads the files of its parts.

    The ranks of a machine write into one folder. A checkpoint counts when the first rank has heard of all others that
    their files are uploaded, and has written the manifest; if it arrived is told to all.
    """

    def __init__(self, checkpoints: "Checkpoints", scratch: Path, ranks: Ranks) -> None:
        super().__init__(checkpoints, scratch, ranks)
        # of their own, since the threads that write talk while the training does
        self._group = dist.new_group(backend="gloo", timeout=WAITS_AT_MOST)
        self._mesh = init_device_mesh("cpu", (ranks.count,))
        self._attempt = 0
        self._bests = 0
        self._best_folder = scratch / "best-0"

    @property
    def best(self) -> Path:
        """Name the folder of the best weights so far, if there are any; `wait` first."""
        return self._best_folder

    def begin(self, settings: str, *, resume: bool) -> Path | None:
        """Begin an attempt; gives back the folder of the checkpoint to go on from, None without one."""
        folder = super().begin(f"{settings}, sharded", resume=resume)
        self._attempt = self.ranks.by_first(lambda: self._checkpoints.attempt)
        if self.ranks.local == 0:
            shutil.rmtree(self._best_folder, ignore_errors=True)
            if folder and (folder / BEST_SHARDS).exists():
                (folder / BEST_SHARDS).replace(self._best_folder)
        self.ranks.wait()
        return folder

    def _restored(self, folder: Path) -> Path | None:
        return folder if self.newest else None

    def new_folder(self, step: int) -> Path:
        """Make an empty folder for the small files of a checkpoint, once the one before is on its way no more."""
        self._wait(self._saving)
        if self.ranks.local == 0:
            return super().new_folder(step)
        return self.scratch / f"checkpoint-{step}"

    def save(self, step: int, folder: Path, large: Mapping[str, Any]) -> None:
        """Add this rank's parts of nested tensors to the folder and upload them, in the background."""
        self._saving = self._in_background(self._state, large, lambda state: self._write(step, folder, state))

    def keep_best(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Keep these weights, of which each rank has its parts, in the background, as the best so far."""
        self._wait(self._keeping)
        self._keeping = self._in_background(self._best, weights, self._write_best)

    def _in_background(
        self, copy: HostCopy, state: Mapping[str, Any], write: Callable[[Mapping[str, Any]], None]
    ) -> "Future[None]":
        """Copy the parts, so that training may go on, and write them; where memory is short, wait instead."""
        started = time.monotonic()
        copied = copy.take(_parts(state), of=self.ranks.on_machine)
        saving = self._pool.submit(write, state if copied is None else self._sharded(state, copied))
        if copied is None:
            saving.result()
        self.blocked_s += time.monotonic() - started
        return saving

    def _sharded(self, state: Mapping[str, Any], copied: Mapping[str, Any]) -> dict[str, Any]:
        """Make sharded tensors of the copies of their parts."""
        found = {}
        for name, each in state.items():
            part = copied[name]
            if isinstance(each, Mapping):
                part = self._sharded(each, part)
            elif isinstance(each, dist.tensor.DTensor):
                part = dist.tensor.DTensor.from_local(
                    part, self._mesh, each.placements, run_check=False, shape=each.shape, stride=each.stride()
                )
            found[name] = part
        return found

    def _write(self, step: int, folder: Path, large: Mapping[str, Any]) -> None:
        write_shards(dict(large), folder / STATE_SHARDS, self._group)
        files = {path.name: path for path in folder.iterdir() if path.is_file()} if self.ranks.is_first else {}
        files |= self._own(STATE_SHARDS, folder / STATE_SHARDS) | self._own(BEST_SHARDS, self._best_folder)
        stored, failure = dict[str, StoredFile](), None
        try:
            stored = self._checkpoints.upload(self._attempt, step, files)
        except StoreError as error:
            failure = error
        told = [(stored, failure)] * self.ranks.count
        dist.all_gather_object(told, (stored, failure), group=self._group)
        done: list[Any] = [self._finish(step, told) if self.ranks.is_first else None]
        dist.broadcast_object_list(done, src=0, group=self._group)
        self.newest, self.failure = done[0]
        if self.ranks.local == 0:
            shutil.rmtree(folder, ignore_errors=True)

    def _finish(self, step: int, told: list[tuple[dict[str, StoredFile], StoreError | None]]) -> tuple[int, Any]:
        """Write the manifest once all files are there; gives back the newest step that is saved, and why not this."""
        every = {name: each for stored, _ in told for name, each in stored.items()}
        failure = next((each for _, each in told if each), None)
        self._note(step, lambda: self._checkpoints.save(step, {}, every), failure)
        return self.newest, self.failure

    def _own(self, name: str, folder: Path) -> dict[str, Path]:
        """Find the files that this rank has written, and must upload."""
        own = [*folder.glob(f"__{self.ranks.rank}_*"), *(folder.glob(METADATA) if self.ranks.is_first else ())]
        return {f"{name}/{path.name}": path for path in own}

    def _write_best(self, weights: Mapping[str, torch.Tensor]) -> None:
        before, self._bests = self._best_folder, self._bests + 1
        folder = self.scratch / f"best-{self._bests}"
        write_shards({"model": dict(weights)}, folder, self._group)
        self._share_index(folder)
        self._best_folder = folder
        # all have uploaded the one before: a checkpoint ends with word of that
        if self.ranks.local == 0:
            shutil.rmtree(before, ignore_errors=True)

    def _share_index(self, folder: Path) -> None:
        """Bring what says where each part lies, which the first rank writes, to the other machines, too."""
        index: list[Any] = [(folder / METADATA).read_bytes() if self.ranks.is_first else None]
        dist.broadcast_object_list(index, src=0, group=self._group)
        if self.ranks.local == 0 and not self.ranks.is_first:
            (folder / METADATA).write_bytes(index[0])
        dist.barrier(group=self._group)


def _parts(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _parts(each) if isinstance(each, Mapping) else part_of(each) for name, each in state.items()}
