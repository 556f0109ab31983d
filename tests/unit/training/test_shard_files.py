"""Files of sharded tensors: read as they were written, and no other pickle than theirs."""

import os
import pickle

import pytest
import torch

from ctiforge.errors import StoreError
from ctiforge.training.shard_files import METADATA, read_shards, write_shards

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")


def test_what_is_written_is_read(tmp_path):
    weights = {"model": {"a": torch.rand(3, 2), "b": torch.rand(4)}, "optimizer": {"a": {"step": torch.tensor(7.0)}}}
    write_shards(weights, tmp_path)
    read = {"model": {"b": torch.zeros(4)}, "optimizer": {"a": {"step": torch.tensor(0.0)}}}
    read_shards(read, tmp_path)
    assert read["model"]["b"].equal(weights["model"]["b"])
    assert read["optimizer"]["a"]["step"] == 7


def test_a_pickle_that_would_run_something_is_refused_before_it_does(tmp_path):
    write_shards({"a": torch.rand(3)}, tmp_path)
    (tmp_path / METADATA).write_bytes(pickle.dumps(_Harmful(str(tmp_path / "ran"))))
    with pytest.raises(StoreError, match=r"holds posix.mkdir, which no checkpoint does"):
        read_shards({"a": torch.zeros(3)}, tmp_path)
    assert not (tmp_path / "ran").exists()


class _Harmful:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)
