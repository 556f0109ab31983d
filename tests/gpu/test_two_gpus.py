"""Two processes, each on a GPU of its own, train what one trains."""

from pathlib import Path

import pytest
import torch

from benchmarks.gpu.checkpoints import FolderCheckpoints
from ctiforge.training.options import Method
from ctiforge.training.together import train_together
from tests.gpu.runs import OPTIONS, Request, apart, run, train_as_rank


@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_train_what_one_trains(small: Path, tmp_path: Path, on: str, method: Method) -> None:
    pytest.importorskip("typer", reason="missing: typer, which starts the processes: pip install typer")
    if on == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip(f"{torch.cuda.device_count()} GPU is visible, and two are needed")
    one = run(small, tmp_path / "one", on, method)
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir(), scratch.mkdir()
    request = Request(OPTIONS, small, on, method)
    checkpoints = FolderCheckpoints(tmp_path / "checkpoints")
    found = train_together(train_as_rank, request, tmp_path, out, scratch, checkpoints, 2)  # type: ignore[arg-type]
    assert found["losses"] == pytest.approx(one.losses, abs=0.05)
    weights = torch.load(out / "weights.pt", weights_only=True)
    length = float(sum((each**2).sum() for each in one.weights.values()) ** 0.5)
    assert apart(weights, one.weights) < 0.05 * length
