"""A GPU whose allocator has too little for the micro-batch: training goes on with a smaller one, and ends."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.shapes import Shape, make_rows, write_model
from ctiforge.training.resumable import free_gpu_memory
from tests.gpu.runs import OPTIONS, in_micro_batches, run

WIDE = Shape("a Llama with many words", 512, 1024, 2, 8, 4, vocab_size=32_768)
LENGTH = 2_048
SHORT = replace(OPTIONS, max_steps=4, eval_steps=4, save_steps=4)


@pytest.mark.cuda
def test_training_goes_on_with_a_smaller_micro_batch(
    tmp_path: Path, on: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(WIDE, tmp_path / "model", torch.device("cpu"), torch.float32)
    rows = make_rows(48, LENGTH, WIDE.vocab_size)
    of_one, of_eight = (_reserved(tmp_path, on, rows, size) for size in (1, 8))
    assert of_eight > 2 * of_one, "the micro-batch decides"
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((of_one + of_eight) / 2 / total)
    try:
        found = run(tmp_path / "model", tmp_path / "short", on, "full", SHORT, rows=rows).result
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    sizes = [each.batch_size for each in found.micro_batches]
    assert sizes[0] == 8
    assert sizes[-1] < 8
    assert {each.batch_size * each.gradient_accumulation_steps for each in found.micro_batches} == {8}
    assert found.steps_done == SHORT.max_steps
    assert "out of GPU memory" in capsys.readouterr().err


def _reserved(folder: Path, on: str, rows: list, size: int) -> int:
    """Train one step in micro-batches of a size; gives the bytes that the allocator took at most."""
    free_gpu_memory()
    torch.cuda.reset_peak_memory_stats()
    options = in_micro_batches(size, replace(SHORT, max_steps=1))
    run(folder / "model", folder / f"of-{size}", on, "full", options, rows=rows)
    taken = torch.cuda.max_memory_reserved()
    free_gpu_memory()
    return int(taken)
