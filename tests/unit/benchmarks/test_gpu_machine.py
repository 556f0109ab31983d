"""What the GPU's benchmark says of a machine: versions, missing packages, how busy its GPU is."""

import os
from pathlib import Path

import pytest

from benchmarks.gpu import machine
from benchmarks.gpu.machine import BusyTime, mean_busy, missing, read_pins, versions

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
    ("lines", "mean"), [("90\n100\n", 0.95), ("[N/A]\n40\n", 0.4), ("", None), ("[Not Supported]\n", None)]
)
def test_business_is_the_mean_of_what_is_a_number(lines: str, mean: float | None) -> None:
    assert mean_busy(lines) == mean


def test_business_is_read_until_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text('#!/bin/sh\nfor each in "$@"; do echo "$each" >> "$0.asked"; done\necho 80; echo 90\nexec cat\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    watch = BusyTime("GPU-1")
    assert watch._process
    assert watch._process.stdout
    first = watch._process.stdout.readline()
    assert first == "80\n"
    assert watch.end() == 0.9
    assert "--id=GPU-1" in Path(f"{script}.asked").read_text().splitlines()


def test_without_nvidia_smi_nobody_says_how_busy_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert BusyTime("GPU-1").end() is None
