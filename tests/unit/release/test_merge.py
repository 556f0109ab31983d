"""What is written must answer as what was given, shard by shard and in every type."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ctiforge.errors import DataError, UsageError
from ctiforge.release.merge import compare_logits, copy_weights, keep_sentencepiece, limit, merge_shards
from ctiforge.release.weights import INDEX, describe_weights
from ctiforge.training.encoding import resolve_model
from ctiforge.training.models import load_causal_lm

PROMPTS = [[1, 3, 40, 50, 60], [1, 3, 99]]


def load(path):
    return load_causal_lm(str(path), torch.device("cpu"), torch.float32).eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The demo's base in two shards."""
    folder = tmp_path_factory.mktemp("base")
    load("demo").save_pretrained(folder, max_shard_size="2MB")
    assert (folder / INDEX).is_file()
    return folder


def adapted(base, folder, **settings):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    lora = LoraConfig(**({"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | settings))
    model = get_peft_model(load(base), lora)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    model.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(base)}))
    return folder


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_rslora": True, "lora_alpha": 3}, {"alpha_pattern": {"q_proj": 32}, "rank_pattern": {"w1": 2}}],
)
def test_an_adapter_is_merged_shard_by_shard_and_the_logits_stay(tmp_path, base, settings):
    adapter = adapted(base, tmp_path / "adapter", **settings)
    (tmp_path / "out").mkdir()
    merged = merge_shards(base, adapter, "f32", tmp_path / "out")
    difference, largest = compare_logits(partial(load, adapter), partial(load, tmp_path / "out"), PROMPTS, "f32")

    assert (merged.weights, merged.compared) == (24, 16)
    assert 0 < difference <= limit(largest, "f32")
    assert {path.name for path in base.glob("*.safetensors*")} == {
        path.name for path in (tmp_path / "out").glob("*.safetensors*")
    }


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_a_merge_in_half_precision_is_as_far_away_as_rounding_is(tmp_path, base, dtype):
    adapter = adapted(base, tmp_path / "adapter")
    (tmp_path / "out").mkdir()
    merged = merge_shards(base, adapter, dtype, tmp_path / "out")
    difference, largest = compare_logits(partial(load, adapter), partial(load, tmp_path / "out"), PROMPTS, dtype)

    assert limit(largest, "f32") < difference < limit(largest, dtype)
    assert merged.largest > 1e-5
    described = describe_weights(tmp_path / "out")
    assert (described.dtype, described.uniform) == (dtype, True)


def test_a_merge_that_changes_the_logits_is_refused(tmp_path, base):
    adapter = adapted(base, tmp_path / "adapter")
    with pytest.raises(DataError, match="differ from base and adapter"):
        compare_logits(partial(load, adapter), partial(load, base), PROMPTS, "bf16")


def test_an_adapter_of_another_base_or_of_another_kind_is_refused(tmp_path, base):
    adapter = adapted(base, tmp_path / "adapter")
    (tmp_path / "out").mkdir()
    file = adapter / "adapter_model.safetensors"
    whole = load_file(file)
    renamed = {name.replace("layers.3", "layers.9"): tensor for name, tensor in whole.items()}
    save_file(renamed, file)
    with pytest.raises(DataError, match=r"has weights for model\.layers\.9.*another base"):
        merge_shards(base, adapter, "f32", tmp_path / "out")
    save_file(dict(list(whole.items())[1:]), file)
    with pytest.raises(DataError, match="only one half"):
        merge_shards(base, adapter, "f32", tmp_path / "out")
    dora = adapted(base, tmp_path / "dora", use_dora=True)
    with pytest.raises(UsageError, match="more than a plain LoRA"):
        merge_shards(base, dora, "f32", tmp_path / "out")


def test_weights_that_do_not_change_are_copied_or_linked(tmp_path, base):
    copy_weights(base, tmp_path, links=False)
    assert (tmp_path / INDEX).read_bytes() == (base / INDEX).read_bytes()
    (tmp_path / "links").mkdir()
    copy_weights(base, tmp_path / "links", links=True)
    assert all(path.is_symlink() for path in (tmp_path / "links").iterdir())


def test_the_base_s_vocabulary_is_kept_where_it_has_one(tmp_path):
    assert not keep_sentencepiece(None, tmp_path)
    assert keep_sentencepiece(b"pieces", tmp_path)
    assert (tmp_path / "tokenizer.model").read_bytes() == b"pieces"


def test_the_limit_grows_with_the_logits_as_rounding_does():
    assert limit(2.0, "f32") == limit(10.0, "f32") == pytest.approx(1e-4)
    assert limit(30.0, "f32") == pytest.approx(3e-4)
    assert limit(30.0, "f32") < limit(30.0, "f16") < limit(30.0, "bf16")


def test_the_demo_is_described_from_its_header():
    found = describe_weights(Path(resolve_model("demo")))
    assert found.dtype == "bf16"
    assert found.largest_tensor < found.largest_shard == found.count
