"""Models of known shapes with weights drawn at random, and rows of random tokens: speed and memory need no more."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from ctiforge.training.encoding import EncodedExample
from ctiforge.training.estimate import ANSWER_SHARE

_LEAST_TOKEN = 5
"""Tokens below are what a tokenizer pads and ends with."""


@dataclass(frozen=True)
class Shape:
    """A Llama's measures, in the words of its config."""

    name: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int = 128_256
    max_position_embeddings: int = 8_192
    tie_word_embeddings: bool = False

    def config(self) -> LlamaConfig:
        measures: dict[str, Any] = {name: value for name, value in vars(self).items() if name != "name"}
        return LlamaConfig(**measures, rope_theta=500_000.0, bos_token_id=1, eos_token_id=2, pad_token_id=0)


LLAMA_1B = Shape("Llama-3.2-1B's shape", 2048, 8192, 16, 32, 8, tie_word_embeddings=True)
LLAMA_8B = Shape("Llama-3-8B's shape", 4096, 14336, 32, 32, 8)


def write_model(shape: Shape, folder: Path, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> None:
    """Draw a model's weights on a device and save it as a base that is fine-tuned."""
    torch.manual_seed(0)
    with device:
        model = AutoModelForCausalLM.from_config(shape.config(), dtype=dtype)
    model.save_pretrained(folder)


def make_rows(count: int, length: int, vocabulary: int, seed: int = 0) -> list[EncodedExample]:
    """Draw rows of so many tokens, whose answers are as long as the estimate of memory reckons with."""
    numbers = random.Random(seed)
    start = length - int(ANSWER_SHARE * length)
    return [
        EncodedExample([numbers.randrange(_LEAST_TOKEN, vocabulary) for _ in range(length)], start)
        for _ in range(count)
    ]
