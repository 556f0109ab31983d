"""What a training takes, from a shape alone; what it takes in truth, an integration test looks at."""

from dataclasses import replace

import pytest

from ctiforge.training.estimate import FOR_CUDA, GIB, Workload, describe, estimate, longest_that_fits
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import LoraOptions, Method
from ctiforge.training.suitability import LinearLayer, ModelShape

GPU = ComputeDevice("cuda", 8)


def _block(number: int) -> list[LinearLayer]:
    widths = {
        "q_proj": (4096, 4096), "k_proj": (4096, 1024), "v_proj": (4096, 1024), "o_proj": (4096, 4096),
        "gate_proj": (4096, 14_336), "up_proj": (4096, 14_336), "down_proj": (14_336, 4096),
    }  # fmt: skip
    return [LinearLayer(f"model.layers.{number}.{name}", *each) for name, each in widths.items()]


LINEARS = tuple(layer for number in range(32) for layer in _block(number))
NORMS = (4096,) * 65
HEAD = 128_256 * 4096
SIZES = (*(each.inputs * each.outputs for each in LINEARS), *NORMS, HEAD)
LLAMA_8B = ModelShape(
    parameters=sum(SIZES) + HEAD, positions=8192, vocabulary=128_256, experts=0, hidden=4096, layers=32, heads=32,
    embedding=HEAD, tensors=SIZES, linears=LINEARS,
)  # fmt: skip


def workload(method: Method = "qlora", **changes: object) -> Workload:
    return replace(Workload(LLAMA_8B, choose_numerics(GPU, method), LoraOptions(), batch_size=4), **changes)


def test_a_model_of_eight_billion_weights_takes_what_is_known_of_it() -> None:
    assert LLAMA_8B.parameters == 8_030_261_248
    adapter = estimate(workload(), 2048)
    # what peft prints of this model at rank 16
    assert adapter.trained == 4 * 41_943_040
    assert (adapter.gradients, adapter.optimizer) == (adapter.trained, 2 * adapter.trained)
    assert 7 * GIB < adapter.frozen < 8 * GIB
    assert estimate(workload("lora"), 2048).frozen == 2 * LLAMA_8B.parameters
    # weights, gradients and both averages: 16 bytes a weight
    full = estimate(workload("full"), 2048)
    assert full.frozen + full.trained + full.gradients + full.optimizer == 16 * LLAMA_8B.parameters


def test_each_choice_moves_what_it_should() -> None:
    usual = estimate(workload(), 2048)
    assert estimate(workload(lora=LoraOptions(r=32)), 2048).trained == 2 * usual.trained
    assert estimate(workload(lora=LoraOptions(targets="q_proj")), 2048).trained == 4 * 32 * 16 * 8192
    assert estimate(workload(batch_size=8), 2048).logits == 2 * usual.logits
    assert estimate(workload(batch_size=8), 2048).frozen == usual.frozen
    in_8_bits = choose_numerics(GPU, "qlora", optimizer="adamw-8bit")
    assert estimate(workload(numerics=in_8_bits), 2048).optimizer < 0.26 * usual.optimizer
    kept = replace(choose_numerics(GPU, "qlora"), recompute=False)
    assert estimate(workload(numerics=kept), 2048).activations > 5 * usual.activations
    # scores of all pairs of tokens, of one block at a time
    assert estimate(workload(attention="eager"), 2048).activations - usual.activations == 2 * 32 * 4 * 2048**2 * 8


def test_the_longest_that_fits_is_that_and_no_longer() -> None:
    work = workload()
    found = longest_that_fits(work, 24 * GIB)
    assert found % 64 == 0
    assert estimate(work, found).total + FOR_CUDA <= 24 * GIB < estimate(work, found + 64).total + FOR_CUDA
    assert longest_that_fits(work, 4 * GIB) == 0
    assert longest_that_fits(work, 800 * GIB) == 8192


@pytest.mark.parametrize("free", [None, 30 * GIB])
def test_it_is_said_part_by_part_with_what_fits(free: int | None) -> None:
    said = describe(workload(), "team/base", 2048, free)
    assert said[0].startswith(
        "memory of QLoRA of team/base: 8,030,261,248 weights, computed in bfloat16, 4 examples of"
    )
    assert said[1].split("  ")[-1] == " 7.27 GiB"
    assert said[-3].split()[:2] == ["all", "together"]
    assert said[-1].startswith("  16 GiB: ")
    assert ("free on this GPU: " in said[-1]) == (free is not None)


def test_processes_that_share_the_weights_out_hold_a_part_and_what_they_compute_with() -> None:
    whole, part = estimate(workload("full"), 2048), estimate(workload("full", shares=8), 2048)
    assert (8 * part.trained, 8 * part.optimizer) == (whole.trained, whole.optimizer)
    block = sum(each.inputs * each.outputs for each in _block(0))
    # two layers in bf16; embeddings and the layer that computes logits in fp32, and the latter in bf16 as well
    assert part.copies == pytest.approx(2 * 2 * block + 4 * 2 * HEAD + 2 * HEAD, rel=1e-3)
    assert part.gradients == pytest.approx(whole.gradients / 8 + 4 * 2 * HEAD, rel=1e-3)
    assert (part.activations, part.logits) == (whole.activations, whole.logits)
    # eight billion weights do not fit into 80 GiB, and in eight such GPUs they do
    assert longest_that_fits(workload("full"), 80 * GIB) == 0
    assert longest_that_fits(workload("full", shares=8), 80 * GIB) >= 2048
    told = "\n".join(describe(workload("full", shares=8), "base", 2048, None))
    assert "in each of 8 processes that share them out" in told
    assert "weights gathered (bfloat16)" in told
