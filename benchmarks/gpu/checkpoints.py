"""Checkpoints in a folder of this machine: what a training asks of the store, where there is no store."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctiforge.records.checkpoint import StoredFile


@dataclass(frozen=True)
class _Elsewhere:
    """What the check of free disk asks: nothing is kept on the scratch's disk."""

    folder: None = None


class FolderCheckpoints:
    """Keeps the newest checkpoint; has the methods of `ctiforge.store.checkpoints.Checkpoints` that training calls."""

    def __init__(self, folder: Path) -> None:
        self.store = _Elsewhere()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def begin(self, into: Path, settings: str = "", *, resume: bool = True) -> int:
        """Copy the newest checkpoint into a folder; gives its step, 0 without one."""
        if not resume:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
        return self.fetch_newest(into)

    def fetch_newest(self, into: Path) -> int:
        """Copy the newest checkpoint into a folder; gives its step, 0 without one."""
        shutil.rmtree(into, ignore_errors=True)
        step = max((int(each.name) for each in self.folder.iterdir() if each.name.isdigit()), default=0)
        if step:
            shutil.copytree(self.folder / str(step), into)
        return step

    def save(self, step: int, files: Mapping[str, Path], others: Mapping[str, StoredFile] | None = None) -> bool:
        """Keep a checkpoint in the place of the one before; `others`, of sharded weights, has no place to come from."""
        assert not others, "sharded weights need a store"
        part = self.folder / "part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name, path in files.items():
            shutil.copy(path, part / name)
        shutil.rmtree(self.folder / str(step), ignore_errors=True)
        part.rename(self.folder / str(step))
        for each in self.folder.iterdir():
            if each.name != str(step):
                shutil.rmtree(each)
        return True

    @property
    def newest(self) -> None:
        """There is one machine, whose processes find the checkpoint in their folder."""
        return

    def newest_attempt(self) -> int:
        """Attempts have no numbers here."""
        return 0

    def adopt(self, after: int) -> None:
        """Attempts have no numbers here."""
