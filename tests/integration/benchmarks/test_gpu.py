"""The GPU's benchmark where there is none: a CPU stands in for it, and every reason to leave something out is made."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import bench_gpu
from benchmarks.gpu import answering, shapes, training
from benchmarks.gpu.shapes import write_model
from ctiforge.extract.answering.writing import Writer
from tests.gpu import runs, test_memory
from tests.integration.benchmarks.pretended import SIZES, TINY, Pretended

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Compute the same on every machine."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    write_model(TINY, folder, torch.device("cpu"))
    return folder


def test_it_runs_on_a_machine_with_torch_and_little_else_without_store_and_launcher(tmp_path: Path) -> None:
    given = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "tests.integration.benchmarks.bare_machine", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "imported: []" in done.stdout
    assert "bitsandbytes is not installed" in done.stdout
    rows = re.findall(r"^\| tiny \|.*$", done.stdout, re.MULTILINE)
    assert "missing: bitsandbytes: pip install bitsandbytes" in rows[0]
    assert [row.split(" | ")[1:4] for row in rows[1:3]] == [
        ["LoRA", "bfloat16", "4"],
        ["full fine-tuning", "bfloat16", "4"],
    ]
    assert re.search(r"\| tiny \| 4 \| [\d.]+ \|", rows[3])


def test_each_method_is_measured_beside_its_estimate(tiny: Path) -> None:
    for method in training.METHODS:
        found = training.measure_training(tiny, method, Pretended(), length=32)  # type: ignore[arg-type]
        assert found.computed_in == "bfloat16"
        assert found.batch_size == 4
        assert found.tokens_per_s > 0
        assert found.busy == 0.5
        assert found.reckoned > 0
    assert list(tiny.parent.iterdir()) == [tiny], "nothing is left of the trainings"


def test_what_does_not_fit_is_left_out_with_the_reason(tiny: Path) -> None:
    with pytest.raises(training.LeftOutError, match=r"takes about 1\.0 GiB, and 0\.5 GiB are free"):
        training.measure_training(tiny, "full", Pretended(room=2**29), length=32)  # type: ignore[arg-type]


def test_a_halved_micro_batch_is_measured_from_its_own_beginning(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, sizes = training.load_to_train, list[int]()

    def too_large(module: Any, _arguments: Any, named: Any) -> None:
        sizes.append(len(named["input_ids"]))
        if len(sizes) > 4 and sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def loaded(*given: Any) -> Any:
        model = load(*given)
        model.model.register_forward_pre_hook(too_large, with_kwargs=True)
        return model

    monkeypatch.setattr(training, "load_to_train", loaded)
    assert training.measure_training(tiny, "full", Pretended(), length=32).batch_size == 2  # type: ignore[arg-type]
    assert sizes.count(2) == training.WARM_UP + training.MEASURED


def test_a_training_that_takes_too_long_is_left_out(tiny: Path) -> None:
    with pytest.raises(training.LeftOutError, match="minutes of this benchmark were over"):
        training.measure_training(tiny, "lora", Pretended(), length=32, until=0.0)  # type: ignore[arg-type]


def test_answers_that_fail_are_no_speed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(Writer, "write", broken)
    with pytest.raises(RuntimeError, match="4 of 4 windows have no answer: RuntimeError: no kernel"):
        answering.measure_answering(tiny, Pretended(), **SIZES[1])  # type: ignore[arg-type]


def test_what_fails_is_a_row_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("a new transformers\nmore of it")

    monkeypatch.setattr(training, "measure_training", fail)
    monkeypatch.setattr(answering, "measure_answering", fail)
    assert bench_gpu.measure([TINY], Pretended(), tmp_path, 60, *SIZES) == 1
    assert capsys.readouterr().out.count("failed: ValueError: a new transformers |") == 4
    assert bench_gpu.measure([TINY], Pretended(), tmp_path, -1, *SIZES) == 0
    assert capsys.readouterr().out.count("left out: the minutes of this benchmark were over |") == 4


def test_a_model_that_the_gpu_cannot_hold_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(shapes, "write_model", full)
    assert bench_gpu.measure([TINY], Pretended(), tmp_path, 60, *SIZES) == 0
    assert capsys.readouterr().out.count("left out: the GPU has too little memory |") == 4


def test_without_a_gpu_it_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench_gpu.main([]) == 0
    told = capsys.readouterr().out
    assert told.startswith("no GPU, nothing to try: torch ")
    assert told.count("\n") == 1


def test_the_tests_for_a_gpu_are_skipped_without_one_and_say_why() -> None:
    given = {"PYTHONPATH": str(ROOT / "src"), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pytest", "tests/gpu", "-p", "no:warnings"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    told = [line for line in done.stdout.splitlines() if "no GPU" in line]
    assert len(told) == 1
    assert re.fullmatch(r"\d+ tests skipped: no GPU, nothing to try: torch .*", told[0])


@pytest.mark.slow
def test_the_test_of_a_short_allocator_with_an_allocator_that_is_told_to_be_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load, sizes, limit = runs.load_to_train, list[int](), [1.0]

    def allocate(_module: Any, _arguments: Any, named: Any) -> None:
        sizes.append(len(named["input_ids"]))
        if sizes[-1] > 10 * limit[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def loaded(*given: Any) -> Any:
        model = load(*given)
        model.model.register_forward_pre_hook(allocate, with_kwargs=True)
        return model

    monkeypatch.setattr(runs, "load_to_train", loaded)
    monkeypatch.setattr(test_memory, "WIDE", TINY)
    monkeypatch.setattr(test_memory, "LENGTH", 32)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", sizes.clear)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: max(sizes))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=10))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda part: limit.__setitem__(0, part))
    test_memory.test_training_goes_on_with_a_smaller_micro_batch(tmp_path, "cpu", capsys)
    assert limit == [1.0]


@pytest.mark.slow
def test_one_of_the_tests_for_a_gpu_on_a_cpu() -> None:
    given = {"PYTHONPATH": str(ROOT / "src")}
    one = "tests/gpu/test_training.py::test_an_interrupted_training_ends_with_the_same_weights[lora]"
    command = [sys.executable, "-m", "pytest", one, "--on", "cpu", "-p", "no:warnings"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
