"""What is written must answer as what was given."""

import pytest
import torch

from ctiforge.errors import DataError
from ctiforge.release.merge import keep_sentencepiece, limit, merge
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.models import load_causal_lm

PROMPTS = [[1, 3, 40, 50, 60], [1, 3, 99]]


def load(path):
    return load_causal_lm(str(path), torch.device("cpu"), torch.float32).eval()


def adapted(std=0.05):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(load("demo"), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=std)
    return model


def test_an_adapter_is_merged_and_the_logits_stay(tmp_path):
    merged = merge(adapted(), load_tokenizer("demo"), PROMPTS, load, tmp_path)
    assert merged.adapter
    assert 0 < merged.largest_difference <= limit(merged.largest_logit)
    assert not (tmp_path / "adapter_config.json").exists()


def test_weights_without_an_adapter_pass_through(tmp_path):
    merged = merge(load("demo"), load_tokenizer("demo"), PROMPTS, load, tmp_path)
    assert (merged.adapter, merged.largest_difference) == (False, 0.0)


def test_a_merge_that_changes_the_logits_is_refused(tmp_path):
    with pytest.raises(DataError, match="differ from base and adapter"):
        merge(adapted(), load_tokenizer("demo"), PROMPTS, lambda _: load("demo"), tmp_path)


def test_the_base_s_vocabulary_is_kept_where_it_has_one(tmp_path):
    assert not keep_sentencepiece(None, tmp_path)
    assert keep_sentencepiece(b"pieces", tmp_path)
    assert (tmp_path / "tokenizer.model").read_bytes() == b"pieces"


def test_the_limit_grows_with_the_logits_as_rounding_does():
    assert limit(2.0) == limit(10.0) == pytest.approx(1e-4)
    assert limit(30.0) == pytest.approx(3e-4)
