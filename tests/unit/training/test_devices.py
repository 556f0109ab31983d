"""A device computes what it must, or says what is wrong with it."""

import pytest
import torch

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.training import devices
from ctiforge.training.devices import check_computing, visible_devices


def test_the_cpu_computes() -> None:
    assert [check_computing(each) for each in visible_devices("cpu")] == ["cpu: CPU computes"]


def test_every_visible_gpu_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [str(each) for each in visible_devices()] == ["cuda:0", "cuda:1", "cuda:2"]


def test_a_gpu_that_is_asked_for_and_is_not_there_is_an_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match="no usable GPU"):
        visible_devices("cuda")


def test_a_device_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    monkeypatch.setattr(devices.torch, "arange", fail)
    with pytest.raises(CannotGoOnError, match=r"^cpu \(CPU\) does not compute: CUDA error: no kernel image .*580"):
        check_computing(torch.device("cpu"))


def test_a_device_that_computes_wrongly_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.torch, "arange", lambda *_, **__: torch.ones(devices.SIZE))
    with pytest.raises(CannotGoOnError, match="computes wrongly"):
        check_computing(torch.device("cpu"))
