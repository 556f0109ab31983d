"""What a config tells before anything is loaded."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.training.encoding import DEMO_MODEL, on_this_machine
from ctiforge.training.options import LoraOptions
from ctiforge.training.suitability import (
    LinearLayer,
    ModelShape,
    adapted_layers,
    check_attention,
    check_suitable,
    read_shape,
)

SHAPE = ModelShape(parameters=7_000_000_000, positions=2048, vocabulary=32_000, experts=0)


def check(shape=SHAPE, **changes):
    given = {
        "name": "team/base", "method": "qlora", "max_length": 2048, "tokens": (0, 2), "device": "cuda", "asked": "auto",
    }  # fmt: skip
    check_suitable(shape, **given | changes)


def test_what_suits_is_let_pass():
    check()
    check(device="cpu", asked="cpu")
    check(replace(SHAPE, experts=8), method="full")
    check(replace(SHAPE, positions=None), max_length=9_999)
    check(replace(SHAPE, parameters=135_000_000), device="cpu")


@pytest.mark.parametrize(
    ("shape", "changes", "said"),
    [
        (
            SHAPE,
            {"max_length": 2049},
            "reads 2,048 tokens at most, and examples have up to 2,049: prepare the data again",
        ),
        (SHAPE, {"tokens": (2, 32_000)}, "token 32,000, and its embedding has 32,000 rows"),
        (replace(SHAPE, experts=8), {}, "a mixture of 8 experts"),
        (
            replace(SHAPE, experts=8),
            {"method": "lora"},
            "--method lora: team/base is a mixture of 8 experts, whose layers an adapter does not reach, whatever "
            "--lora-dropout",
        ),
        (SHAPE, {"device": "cpu"}, "7.0 billion weights, and this machine has no usable GPU"),
    ],
)
def test_what_would_fail_or_take_days_is_told_in_one_line(shape, changes, said):
    with pytest.raises(UsageError) as caught:
        check(shape, **changes)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_shape_is_read_from_the_config_alone(tmp_path: Path):
    with on_this_machine(DEMO_MODEL) as demo:
        shutil.copy(Path(demo) / "config.json", tmp_path)
    shape = read_shape(str(tmp_path))
    assert (shape.positions, shape.experts) == (4096, 0)
    config = json.loads((tmp_path / "config.json").read_text())
    assert shape.vocabulary == config["vocab_size"]
    assert 100_000 < shape.parameters < 5_000_000
    assert (shape.hidden, shape.layers) == (config["hidden_size"], config["num_hidden_layers"])
    assert shape.embedding == config["vocab_size"] * config["hidden_size"]
    assert sum(shape.tensors) + shape.embedding == shape.parameters
    assert not any("lm_head" in each.name for each in shape.linears)
    mixture = {
        "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "hidden_size": 32,
        "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "vocab_size": 64,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(mixture))
    assert read_shape(str(tmp_path)).experts == 4


def test_a_checkpoint_that_sees_is_told_from_one_that_is_not_there(tmp_path: Path):
    text = {"model_type": "llama", "vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "text_config": text}))
    with pytest.raises(UsageError) as told:
        read_shape(str(tmp_path))
    assert str(told.value).startswith(f"{tmp_path} is a Llava, no model that answers text with text")


def test_an_adapter_is_laid_beside_the_layers_that_its_targets_name():
    layers = tuple(LinearLayer(f"layers.{n}.{name}", 8, 8) for n in (0, 1) for name in ("q_proj", "my_q_proj", "up"))
    shape = replace(SHAPE, linears=layers)

    def names(targets: str) -> list[str]:
        return [each.name for each in adapted_layers(shape, LoraOptions(targets=targets))]

    assert len(names("all-linear")) == 6
    assert names("q_proj,up") == ["layers.0.q_proj", "layers.0.up", "layers.1.q_proj", "layers.1.up"]
    assert names("layers.1.up") == ["layers.1.up"]
    with pytest.raises(UsageError) as caught:
        names("up,v_proj")
    assert str(caught.value) == (
        "--lora-targets v_proj: the model has no linear layer of that name; it has my_q_proj, q_proj, up"
    )


def test_attention_that_takes_a_gpu_is_refused_without_one():
    check_attention("eager", "cpu")
    check_attention("flex", "cuda")
    with pytest.raises(UsageError, match="--attention flex is compiled for a GPU"):
        check_attention("flex", "cpu")
