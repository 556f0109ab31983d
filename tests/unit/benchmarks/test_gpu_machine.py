"""What the GPU's benchmark says of a machine: versions, missing packages, how busy its GPU is."""

import os
from pathlib import Path
from threading import Semaphore

import pytest

from benchmarks.gpu import machine
from benchmarks.gpu.machine import BusyTime, ask_nvidia_smi, mean_busy, missing, read_pins, versions

THERE = {"torch": "2.11.0+cu130", "transformers": "5.17.0", "peft": "0.21.2", "pydantic": "2.14.3"}


def test_other_versions_than_the_pinned_ones_are_told() -> None:
    pins = {"torch": "2.11.0", "transformers": "5.23.0", "bitsandbytes": "0.50.2"}
    told = versions(THERE.get, pins)
    assert "torch 2.11.0+cu130, transformers 5.17.0 (pinned: 5.23.0), accelerate is not installed" in told
    assert "peft 0.21.2, pydantic 2.14.3, bitsandbytes is not installed" in told


def test_pins_are_those_that_images_install_with() -> None:
    pins = read_pins(machine.PINS.read_text(encoding="utf-8"))
    assert set(machine.NAMED) <= pins.keys()


def test_what_is_missing_is_named_with_how_to_get_it() -> None:
    assert missing(["torch"], THERE.get) is None
    assert (
        missing(["torch", "accelerate", "numpy"], THERE.get)
        == "missing: accelerate, numpy: pip install accelerate numpy"
    )


@pytest.mark.parametrize(
    ("said", "mean"),
    [(["90\n", "100\n"], 0.95), (["[N/A]\n", "40\n"], 0.4), ([], None), (["", "[Not Supported]"], None)],
)
def test_business_is_the_mean_of_what_is_a_number(said: list[str], mean: float | None) -> None:
    assert mean_busy(said) == mean


def test_business_is_asked_for_until_it_is_ended() -> None:
    told, asked = iter(["80\n", "90\n"]), Semaphore(0)

    def ask() -> str:
        asked.release()
        return next(told, "")

    watch = BusyTime(ask)
    for _ in range(3):
        assert asked.acquire(timeout=30)
    assert watch.end() == 0.85


def test_nvidia_smi_is_asked_for_the_gpu_that_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text('#!/bin/sh\necho "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert ask_nvidia_smi("GPU-1") == "--id=GPU-1 --query-gpu=utilization.gpu --format=csv,noheader,nounits\n"


def test_without_nvidia_smi_nobody_says_how_busy_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_nvidia_smi("GPU-1") == ""
