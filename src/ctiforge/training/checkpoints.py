"""Writes and uploads checkpoints beside the training loop, which waits for little more than a copy in memory."""

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ctiforge.errors import StoreError
from ctiforge.progress import warn
from ctiforge.training.memory import free_memory, tensor_bytes
from ctiforge.training.ranks import Ranks

if TYPE_CHECKING:
    from ctiforge.store.checkpoints import Checkpoints

BEST = "best.pt"
"""The weights of the lowest validation loss so far, by parameter name; in the scratch and in every checkpoint."""


class CheckpointWriter:
    """One checkpoint at a time on its way from the model to the store; use as a context manager.

    What fails on the way is raised at the next `save` or `wait`, but for a store that is not
    there: that is told, and the next checkpoint is another try. Of several ranks the first alone writes.
    """

    def __init__(self, checkpoints: "Checkpoints", scratch: Path, ranks: Ranks) -> None:
        self.newest = 0
        """The step of the newest whole checkpoint; 0: none."""
        self.blocked_s = 0.0
        """Seconds that the training loop has spent here."""
        self.failure: StoreError | None = None
        """Why the last checkpoint did not arrive."""
        self._checkpoints = checkpoints
        self.scratch = scratch
        self.ranks = ranks
        self._superseded = False
        self._state, self._best = HostCopy(), HostCopy()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._saving: Future[None] | None = None
        self._keeping: Future[None] | None = None

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def begin(self, settings: str, *, resume: bool) -> Path | None:
        """Begin an attempt; gives back the folder of the checkpoint to go on from, None without one."""
        folder = self.scratch / "restored"

        def take() -> tuple[int, str | None]:
            self.newest = self._checkpoints.begin(folder, settings, resume=resume)
            self._restored(folder)
            return self.newest, self._checkpoints.newest if self.ranks.count > 1 else None

        self.newest, checkpoint = self.ranks.by_first(take)
        if self.ranks.count > 1:
            if checkpoint and self.ranks.local == 0 and not self.ranks.is_first:
                # the first of another machine, whose others find it there
                self._checkpoints.fetch(checkpoint, folder)
            self.ranks.wait()
        return folder if self.newest else None

    def fetch_newest(self) -> Path | None:
        """Fetch this attempt's newest checkpoint back; returns its folder."""
        folder = self.scratch / "restored"
        self.newest = self._checkpoints.fetch_newest(folder)
        return self._restored(folder)

    @property
    def best(self) -> Path:
        """Name the file of the best weights so far, if there are any; `wait` first."""
        return self.scratch / BEST

    def new_folder(self, step: int) -> Path:
        """Make an empty folder for the small files of a checkpoint, once the one before is on its way no more."""
        self._wait(self._saving)
        shutil.rmtree(self.scratch / "restored", ignore_errors=True)
        folder = self.scratch / f"checkpoint-{step}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def save(self, step: int, folder: Path, large: Mapping[str, Any]) -> None:
        """Add the large files to the folder (name to what torch.save writes) and upload it, in the background.

        Their tensors are copied first, so that training may go on; where memory is short, it waits instead.
        """
        started = time.monotonic()
        copied = self._state.take(large)
        self._saving = self._pool.submit(self._write, step, folder, large if copied is None else copied)
        self.blocked_s += time.monotonic() - started
        if copied is None:
            self.wait()

    def keep_best(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Keep these weights, in the background, as the best so far."""
        self._wait(self._keeping)
        started = time.monotonic()
        copied = self._best.take(weights)
        self._keeping = self._pool.submit(self._write_best, weights if copied is None else copied)
        self.blocked_s += time.monotonic() - started
        if copied is None:
            self._wait(self._keeping)

    def wait(self) -> None:
        """Wait until everything on its way has arrived."""
        for each in (self._keeping, self._saving):
            self._wait(each)

    def _wait(self, future: Future[None] | None) -> None:
        started = time.monotonic()
        if future:
            future.result()
        self.blocked_s += time.monotonic() - started

    def _restored(self, folder: Path) -> Path | None:
        self.best.unlink(missing_ok=True)
        if not self.newest:
            return None
        if (folder / BEST).exists():
            (folder / BEST).replace(self.best)
        return folder

    def _write(self, step: int, folder: Path, large: Mapping[str, Any]) -> None:
        for name, value in large.items():
            torch.save(value, folder / name)
        files = {path.name: path for path in folder.iterdir()}
        if self.best.exists():
            files[BEST] = self.best
        try:
            self._note(step, lambda: self._checkpoints.save(step, files))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _note(self, step: int, save: Callable[[], bool], failure: StoreError | None = None) -> None:
        """Save, unless it has failed before that, and remember what came of it."""
        try:
            if failure:
                raise failure
            stands = save()
        except StoreError as error:
            self.failure = error
            warn(f"the checkpoint of step {step} is not saved: {error}")
            return
        self.failure = None
        if stands:
            self.newest = step
        elif not self._superseded:
            self._superseded = True
            warn("another attempt at the same work has taken over: this one's checkpoints are no longer kept")

    def _write_best(self, weights: Mapping[str, torch.Tensor]) -> None:
        part = self.best.with_suffix(".part")
        torch.save(dict(weights), part)
        part.replace(self.best)


class HostCopy:
    """A copy of nested tensors in this machine's memory; its buffers serve again for the next."""

    def __init__(self) -> None:
        self._buffers: dict[str, torch.Tensor] = {}

    def take(self, value: Any, of: int = 1) -> Any | None:
        """Copy to the same dictionaries and lists with copied tensors; None, and no copy, where memory is short.

        Of so many processes of this machine each copies as much.
        """
        tensors = dict(_tensors(value, ""))
        new = tensor_bytes(t for path, t in tensors.items() if path not in self._buffers)
        free = free_memory()
        if free is not None and of * new > free // 2:
            return None
        on_gpu = any(tensor.is_cuda for tensor in tensors.values())
        for path, tensor in tensors.items():
            if path not in self._buffers:
                self._buffers[path] = torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda)
            self._buffers[path].copy_(tensor, non_blocking=True)
        if on_gpu:
            torch.cuda.synchronize()
        return self._rebuilt(value, "")

    def _rebuilt(self, value: Any, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            return self._buffers[path]
        if isinstance(value, Mapping):
            return {key: self._rebuilt(each, f"{path}/{key}") for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._rebuilt(each, f"{path}/{index}") for index, each in enumerate(value))
        return value


def _tensors(value: Any, path: str) -> list[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        return [(path, value.detach())]
    if isinstance(value, Mapping):
        return [pair for key, each in value.items() for pair in _tensors(each, f"{path}/{key}")]
    if isinstance(value, list | tuple):
        return [pair for index, each in enumerate(value) for pair in _tensors(each, f"{path}/{index}")]
    return []
