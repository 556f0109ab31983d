"""Every method learns on a GPU what it learns on a CPU, goes on where it was, and is merged into what it was."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.machine import FOR_QLORA, missing
from ctiforge.errors import InterruptedRunError
from ctiforge.training.batches import AnswerCollator
from ctiforge.training.devices import check_computing, visible_devices
from ctiforge.training.models import load_to_train, merge_adapter, pick_device
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import Method
from tests.gpu.runs import LORA, OPTIONS, apart, rows_to_learn, run, trained_weights

_NO_QLORA = missing([FOR_QLORA])
METHODS = [
    pytest.param("qlora", marks=pytest.mark.skipif(_NO_QLORA is not None, reason=str(_NO_QLORA))),
    "lora",
    "full",
]
APART = 0.05
"""Nats between bf16 on a GPU and fp32 on a CPU; bf16 on a CPU is within 0.01 (measured), and the loss falls by 0.8."""


def test_every_gpu_computes(on: str) -> None:
    for device in visible_devices(on):
        assert "computes" in check_computing(device)


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_falls_as_in_fp32_on_the_cpu(small: Path, tmp_path: Path, on: str, method: Method) -> None:
    usual = run(small, tmp_path / "cpu", "cpu", method)
    found = run(small, tmp_path / "gpu", on, method, replace(OPTIONS, precision="auto" if on == "cuda" else "bf16"))
    assert {each.dtype for each in found.weights.values()} == {torch.float32}
    assert usual.losses[0] - usual.losses[-1] > 10 * APART, "there is something to learn"
    assert found.losses == pytest.approx(usual.losses, abs=APART)


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_training_ends_with_the_same_weights(
    small: Path, tmp_path: Path, on: str, method: Method
) -> None:
    before = trained_weights(_loaded(small, on, method))
    whole = run(small, tmp_path / "whole", on, method)
    with pytest.raises(InterruptedRunError, match="at step 13 of 24"):
        run(small, tmp_path / "two", on, method, stop_at=13)
    resumed = run(small, tmp_path / "two", on, method)
    assert resumed.result.resumed_from == 13
    assert apart(resumed.weights, whole.weights) < 0.05 * apart(whole.weights, before)
    assert resumed.losses == pytest.approx(whole.losses, abs=0.05)


def test_a_merged_adapter_computes_the_same(small: Path, tmp_path: Path, on: str) -> None:
    model = run(small, tmp_path / "run", on, "lora", replace(OPTIONS, precision="fp32")).model.eval()
    batch = AnswerCollator(0)(rows_to_learn(8, seed=1))
    given = {name: batch[name].to(pick_device(on)) for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        with model.disable_adapter():
            base = model(**given).logits
        beside = model(**given).logits
        merged = merge_adapter(model)(**given).logits
    assert float((beside - base).abs().max()) > 1, "the adapter has learnt something"
    torch.testing.assert_close(merged, beside, atol=2e-3, rtol=1e-3)


def _loaded(small: Path, on: str, method: Method) -> torch.nn.Module:
    device = pick_device(on)
    torch.manual_seed(OPTIONS.seed)
    return load_to_train(str(small), device, choose_numerics(ComputeDevice.of(device), method), LORA)
