"""Sharded tensors in the files of torch's distributed checkpoint: each rank writes its parts, any number reads them.

`__<rank>_<n>.distcp` hold tensors, read with `weights_only`. `.metadata`, which says where each part lies, is a pickle;
it is read with no other classes than those that such a file consists of.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta

from ctiforge.errors import StoreError

METADATA = ".metadata"
_CLASSES = {
    "torch": ("Size", "float32", "int64", "float64", "strided", "contiguous_format"),
    "torch.serialization": ("_get_layout",),
    "torch.distributed.checkpoint.filesystem": ("_StorageInfo",),
    "torch.distributed.checkpoint.metadata": (
        *("Metadata", "MetadataIndex", "TensorStorageMetadata", "TensorProperties", "ChunkStorageMetadata"),
        *("StorageMeta", "_MEM_FORMAT_ENCODING"),
    ),
    "pathlib": ("PosixPath", "PurePosixPath"),
}


def write_shards(state: dict[str, Any], folder: Path, group: dist.ProcessGroup | None = None) -> None:
    """Write this rank's parts of a state; all ranks call it together.

    Args:
        state: Nested dictionaries of tensors, the same names in each rank.
        folder: A folder of this machine.
        group: The ranks, as the thread that calls it may use them; None: all, or this process alone.
    """
    with _one_failure():
        dcp.save(state, storage_writer=dcp.FileSystemWriter(folder), process_group=group)


def read_shards(state: dict[str, Any], folder: Path) -> None:
    """Read this rank's parts of a state, whatever parts it was written in; all ranks call it together.

    Args:
        state: Nested dictionaries of tensors, which are overwritten.
        folder: A folder with the files of all ranks that have written.

    Raises:
        StoreError: A file holds something else.
    """
    with _one_failure():
        dcp.load(state, storage_reader=_ShardReader(folder))


@contextmanager
def _one_failure() -> Iterator[None]:
    """Raise what went wrong in one rank, where torch raises a collection that is no Exception."""
    try:
        yield
    except dcp.CheckpointException as error:
        raise next(iter(error.failures.values()))[0] from None


class _ShardReader(dcp.FileSystemReader):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # not when it is asked for: torch would wrap what goes wrong then
        with (folder / METADATA).open("rb") as file:
            self._metadata = cast(Metadata, _IndexUnpickler(file).load())

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        self._metadata.storage_meta = self._metadata.storage_meta or StorageMeta()
        self._metadata.storage_meta.load_id = self.load_id
        return self._metadata


class _IndexUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._name = file.name

    def find_class(self, module: str, name: str) -> Any:
        if name in _CLASSES.get(module, ()):
            return super().find_class(module, name)
        raise StoreError(f"{self._name} holds {module}.{name}, which no checkpoint does: begin anew with --no-resume")
