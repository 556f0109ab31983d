import shutil

import pytest
import torch

from ctiforge.errors import CannotGoOnError
from ctiforge.training import memory


def test_tensors_are_counted_in_bytes():
    assert memory.tensor_bytes([torch.zeros(3, 5), torch.zeros(7, dtype=torch.bfloat16)]) == 74


def test_a_disk_that_holds_the_checkpoints_is_enough(tmp_path):
    memory.check_disk(tmp_path, tmp_path, 1_000)


def test_a_small_disk_is_refused_with_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 15_000_000_000))
    memory.check_disk(tmp_path, None, 1_600_000_000)
    with pytest.raises(CannotGoOnError, match=r"up to 33\.6 GB of checkpoints, and 15\.0 GB are free") as caught:
        memory.check_disk(tmp_path, tmp_path, 1_600_000_000)
    assert caught.value.exit_code == 4


def test_a_volume_may_hold_less_than_its_file_system_says(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "cache").write_bytes(b"x" * 2**20)
    monkeypatch.setattr(memory.Path, "is_mount", lambda path: path == tmp_path)
    monkeypatch.setenv(memory.SCRATCH_LIMIT, "10Mi")
    memory.check_disk(tmp_path / "work", None, 2**20)
    with pytest.raises(CannotGoOnError, match="GB are free"):
        memory.check_disk(tmp_path / "work", None, 2**20 + 1)


def test_free_memory_is_that_of_the_container_where_it_has_less(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.free_memory() == 8_000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 2000000\ninactive_file 400000\n")
    assert memory.free_memory() == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() == 8_000 * 1024
