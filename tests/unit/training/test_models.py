import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear
from safetensors.torch import load_file, save_file

from ctiforge.errors import UsageError
from ctiforge.pod import GPU_VARIABLE
from ctiforge.training import models
from ctiforge.training.encoding import DEMO_MODEL, on_this_machine
from ctiforge.training.models import load_causal_lm, merge_adapter, pick_device


@pytest.mark.parametrize("name", ["gpu", "", "cuda:7"])
def test_an_unknown_device_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=f"--device {name}: give one of auto, cpu, cuda"):
        pick_device(name)


def test_a_gpu_that_is_asked_for_and_not_usable_is_told_with_driver_and_cuda(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(models, "_DRIVER", tmp_path / "version")
    assert pick_device().type == "cpu"
    with pytest.raises(UsageError, match=r"--device cuda: torch .* has no driver of NVIDIA; CUDA 13"):
        pick_device("cuda")
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5")
    monkeypatch.setenv(GPU_VARIABLE, "required")
    with pytest.raises(UsageError, match=r"this pod has a GPU: .* this machine has driver 550\.54\.15"):
        pick_device()
    assert pick_device("cpu").type == "cpu"


def test_of_several_gpus_the_first_is_used_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device() == torch.device("cuda", 0)
    assert "2 GPUs are visible, and the first is used" in capsys.readouterr().err


IDS = torch.tensor([[1, 3, 40, 50, 60]])


@pytest.fixture
def adapted() -> torch.nn.Module:
    """The demo's base with an adapter that does something."""
    torch.manual_seed(0)
    base = load_causal_lm(DEMO_MODEL, torch.device("cpu"), torch.float32)
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return model.eval()


@torch.no_grad()
def test_an_adapter_is_merged_where_it_is_asked_and_answers_as_before(adapted: torch.nn.Module) -> None:
    before = adapted(IDS).logits
    merged = merge_adapter(adapted)

    assert not isinstance(merged, PeftModel)
    assert not any("lora" in name for name, _ in merged.named_modules())
    torch.testing.assert_close(merged(IDS).logits, before, atol=1e-4, rtol=1e-4)
    assert merge_adapter(merged) is merged


@torch.no_grad()
def test_an_adapter_whose_merge_lacks_memory_answers_as_before(
    adapted: torch.nn.Module, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, calls, merge = adapted(IDS).logits, [], Linear.merge

    def merge_some(self: Linear, *arguments: object, **options: object) -> None:
        calls.append(self)
        if len(calls) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        merge(self, *arguments, **options)

    monkeypatch.setattr(Linear, "merge", merge_some)
    kept = merge_adapter(adapted)

    assert kept is adapted
    torch.testing.assert_close(kept(IDS).logits, before, atol=1e-4, rtol=1e-4)
    assert "has no room to merge it" in capsys.readouterr().err


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    with on_this_machine(DEMO_MODEL) as demo:
        shutil.copytree(demo, tmp_path / "model")
    file = tmp_path / "model/model.safetensors"
    weights = load_file(file)
    gone = next(name for name in weights if "norm" not in name)
    save_file({name: each for name, each in weights.items() if name != gone}, file, {"format": "pt"})
    with pytest.raises(UsageError, match=r"\d weights are missing or of another shape, .* drawn at random"):
        load_causal_lm(str(tmp_path / "model"), torch.device("cpu"), torch.float32)
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps(config | {"intermediate_size": 8}))
    with pytest.raises(UsageError):
        load_causal_lm(str(tmp_path / "model"), torch.device("cpu"), torch.float32)


def test_what_libraries_say_of_each_other_is_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    base = load_causal_lm(DEMO_MODEL, torch.device("cpu"), torch.float32)
    get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert [each for each in recwarn if each.category is FutureWarning] == []
    assert not logging.getLogger("bitsandbytes.backends.cpu.ops").isEnabledFor(logging.WARNING)
