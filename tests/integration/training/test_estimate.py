"""What a training is reckoned to take, beside what it takes."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from ctiforge.training.batches import AnswerCollator
from ctiforge.training.encoding import EncodedExample
from ctiforge.training.estimate import Workload, estimate
from ctiforge.training.memory import tensor_bytes
from ctiforge.training.models import load_to_train
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import LoraOptions, Method, OptimizerName
from ctiforge.training.suitability import read_shape

CPU = ComputeDevice("cpu")
LENGTH = 128


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = LlamaConfig(
        hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=512, max_position_embeddings=1024, tie_word_embeddings=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("optimizer", ["adamw", "adamw-8bit"])
@pytest.mark.parametrize("method", ["qlora", "lora", "full"])
def test_weights_gradients_and_averages_are_as_reckoned_to_the_byte(
    llama: str, method: Method, optimizer: OptimizerName, tmp_path: Path
) -> None:
    numerics, lora = choose_numerics(CPU, method, optimizer=optimizer), LoraOptions(r=64)
    shape = read_shape(llama)
    memory = estimate(Workload(shape, numerics, lora, batch_size=2), LENGTH)
    model = load_to_train(llama, torch.device("cpu"), numerics, lora)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, optim=numerics.optimizer, report_to="none")
    step = Trainer(model, args=arguments).create_optimizer()
    model(**_batch()).loss.backward()
    step.step()

    parameters = list(model.parameters())
    trained = [each for each in parameters if each.requires_grad]
    assert memory.trained == tensor_bytes(trained)
    assert memory.gradients == tensor_bytes(each.grad for each in trained)
    frozen = [each for each in parameters if not each.requires_grad]
    assert memory.frozen == tensor_bytes(frozen) + sum(tensor_bytes(_quantization(each)) for each in frozen)
    assert memory.optimizer == tensor_bytes(_averages(step.state.values()))
    if method == "full":
        assert shape.parameters == sum(each.numel() for each in parameters)


@pytest.mark.parametrize(("method", "recompute", "most"), [("full", False, 2), ("lora", False, 2), ("full", True, 8)])
def test_activations_are_reckoned_in_their_order_of_magnitude(
    llama: str, method: Method, recompute: bool, most: int
) -> None:
    numerics, lora = replace(choose_numerics(CPU, method), recompute=recompute), LoraOptions()
    model = load_to_train(llama, torch.device("cpu"), numerics, lora).train()
    batch = _batch()
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**batch)
    memory = estimate(Workload(read_shape(llama), numerics, lora, batch_size=2), LENGTH)
    reckoned = memory.activations + memory.logits
    # reckoned with is the backward pass, which takes more: gradients, and a block that is computed again
    assert 1 <= reckoned / sum(kept.values()) <= most


def _batch() -> dict[str, Any]:
    """Two examples, two fifths of each an answer."""
    numbers = torch.randint(5, 500, (2, LENGTH), generator=torch.Generator().manual_seed(0)).tolist()
    return AnswerCollator(0)([EncodedExample(row, LENGTH - int(0.4 * LENGTH)) for row in numbers])


def _quantization(weight: Any) -> Iterable[torch.Tensor]:
    """What lies beside a 4-bit weight."""
    state = getattr(weight, "quant_state", None)
    return [state.absmax, state.code, state.state2.absmax, state.state2.code, state.offset] if state else []


def _averages(states: Iterable[dict[str, Any]]) -> list[torch.Tensor]:
    """The optimizer's averages and their scales: no counts of steps, nor the table that all tensors share."""
    names = ("exp_avg", "exp_avg_sq", "state1", "state2", "absmax1", "absmax2")
    return [state[name] for state in states for name in names if name in state]
