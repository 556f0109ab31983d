import tempfile
from pathlib import Path

import bitsandbytes
import pytest
import torch

from ctiforge.errors import UsageError
from ctiforge.store.objects import open_store
from ctiforge.training.encoding import load_tokenizer, resolve_model, tokenizer_hash
from ctiforge.training.models import keep_training_gradients_right, load_causal_lm, load_to_train, pick_device
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import LoraOptions
from ctiforge.training.suitability import adapted_layers, read_shape

CPU = torch.device("cpu")


def gradient(layer, inputs):
    inputs = inputs.clone().requires_grad_(True)
    layer(inputs).square().sum().backward()
    return inputs.grad


def test_gradients_through_4_bit_weights_are_right_after_an_evaluation():
    torch.manual_seed(0)
    layer = bitsandbytes.nn.Linear4bit(256, 256, bias=False, quant_type="nf4", compute_dtype=torch.float32)
    layer.load_state_dict({"weight": torch.randn(256, 256)})
    layer = layer.to(CPU)
    keep_training_gradients_right(torch.nn.Sequential(layer))
    inputs = torch.randn(8, 256)
    with torch.no_grad():
        layer.eval()(inputs)
    weights = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
    reference = torch.nn.Linear(256, 256, bias=False)
    reference.weight.data = weights.reshape(256, 256)
    expected = gradient(reference, inputs)
    error = (gradient(layer.train(), inputs) - expected).norm() / expected.norm()
    assert error < 0.02


def test_qlora_trains_low_rank_matrices_on_all_linear_layers_alone():
    model = load_to_train("demo", CPU, choose_numerics(ComputeDevice("cpu"), "qlora"), LoraOptions(r=4, alpha=8))
    trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trainable
    assert all("lora_" in name for name in trainable)
    quantized = [module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    assert quantized
    assert all(module.support_avx512bf16_for_cpu is False for module in quantized)


@pytest.mark.parametrize("targets", ["all-linear", "q_proj,v_proj"])
def test_an_adapter_is_laid_beside_its_targets_alone(targets):
    lora = LoraOptions(r=4, targets=targets)
    model = load_to_train("demo", CPU, choose_numerics(ComputeDevice("cpu"), "lora"), lora)
    names = [name.removeprefix("base_model.model.").partition(".lora_A.") for name, _ in model.named_parameters()]
    laid = {layer for layer, is_there, _ in names if is_there}
    assert laid == {each.name for each in adapted_layers(read_shape("demo"), lora)}


def test_a_model_that_cannot_be_loaded_offline_is_told_in_one_line(monkeypatch):
    with pytest.raises(UsageError, match="no-such-team/no-such-model") as caught:
        load_causal_lm("no-such-team/no-such-model", CPU, torch.float32)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(UsageError, match="no usable GPU"):
        pick_device("cuda")


def test_a_base_in_s3_is_loaded_as_from_a_folder_and_nothing_stays(
    s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = open_store(f"{s3_bucket}/base")
    for file in Path(resolve_model("demo")).iterdir():
        store.upload(file, file.name)

    tokenizer = load_tokenizer(store.uri)
    model = load_causal_lm(store.uri, torch.device("cpu"), torch.float32)

    assert tokenizer_hash(tokenizer) == tokenizer_hash(load_tokenizer("demo"))
    expected = load_causal_lm("demo", torch.device("cpu"), torch.float32).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    assert list(tmp_path.iterdir()) == []


def test_attention_is_computed_as_asked_and_of_no_effect_on_what_is_saved(tmp_path: Path) -> None:
    numerics, ids = choose_numerics(ComputeDevice("cpu"), "full"), torch.tensor([[1, 3, 40, 50, 60]])
    logits, saved = [], []
    for attention in ("auto", "sdpa", "eager"):
        model = load_to_train("demo", CPU, numerics, LoraOptions(), attention).eval()
        assert attention in ("auto", model.config._attn_implementation)
        logits.append(model(ids).logits)
        model.save_pretrained(tmp_path / attention)
        saved.append((tmp_path / attention / "config.json").read_text())
    assert len(set(saved)) == 1
    for other in logits[1:]:
        torch.testing.assert_close(logits[0], other, atol=1e-4, rtol=1e-4)
