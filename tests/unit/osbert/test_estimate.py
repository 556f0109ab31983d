"""What a training of OS-BERT is reckoned to take, beside what it takes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig

from ctiforge.errors import UsageError
from ctiforge.osbert.estimate import describe_memory
from ctiforge.osbert.model import PooledClassifier
from ctiforge.osbert.windows import TOKENS_TOGETHER
from ctiforge.records.article import OS_LABELS
from ctiforge.training.estimate import GIB
from ctiforge.training.memory import tensor_bytes

WINDOW = 64
CONFIG = BertConfig(
    hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, vocab_size=512,
    max_position_embeddings=128, num_labels=len(OS_LABELS),
)  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> str:
    """A base model's config alone."""
    CONFIG.save_pretrained(tmp_path)
    return str(tmp_path)


def size_of(lines: list[str], part: str) -> float:
    line = next(each for each in lines if each.strip().startswith(part))
    number, unit = line.split()[-2:]
    return float(number.replace(",", "")) * (GIB if unit == "GiB" else 2**20)


def test_the_parts_are_those_of_a_step_of_as_many_windows_as_are_computed_together(base: str) -> None:
    said = describe_memory(base, WINDOW, "cpu", fp16=False)
    encoder: Any = BertForSequenceClassification(CONFIG).train()
    weights = tensor_bytes(encoder.parameters())
    count = sum(each.numel() for each in encoder.parameters())
    assert said[0].endswith(
        f"{base}: {count:,} weights, computed in float32, {TOKENS_TOGETHER // WINDOW} windows of 64 tokens at once"
    )
    assert size_of(said, "weights, trained") == pytest.approx(weights, abs=2**17)
    assert size_of(said, "AdamW") == pytest.approx(2 * weights, abs=2**17)
    reckoned, kept = size_of(said, "activations"), _kept(encoder)
    # an order of magnitude
    assert 0.8 <= reckoned / kept <= 2
    assert size_of(said, "all together") == pytest.approx(4 * weights + reckoned, abs=2**18)
    assert said[-1].startswith("  16 GiB: yes; 24 GiB: yes")


def test_longer_windows_are_fewer_at_once(base: str) -> None:
    said = describe_memory(base, 128, "cpu", fp16=False)
    assert f"{TOKENS_TOGETHER // 128} windows of 128 tokens at once" in said[0]


def test_what_training_would_refuse_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reads at most 128 tokens"):
        describe_memory(base, 256, "cpu", fp16=False)
    with pytest.raises(UsageError, match="--fp16 needs a GPU"):
        describe_memory(base, WINDOW, "cpu", fp16=True)
    LlamaConfig(architectures=["LlamaForCausalLM"]).save_pretrained(tmp_path / "llama")
    with pytest.raises(UsageError, match="no encoder that classifies"):
        describe_memory(str(tmp_path / "llama"), WINDOW, "cpu", fp16=False)


def _kept(encoder: Any) -> int:
    """Count the bytes that the backward pass of a step keeps, weights left out."""
    model = PooledClassifier(encoder, "mean")
    windows = TOKENS_TOGETHER // WINDOW
    ids = torch.ones((windows, WINDOW), dtype=torch.long)
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(torch.zeros(1, dtype=torch.long), torch.zeros(windows, dtype=torch.long), ids, torch.ones_like(ids))
    return sum(kept.values())
