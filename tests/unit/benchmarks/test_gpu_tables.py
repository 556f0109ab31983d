"""The rows of the GPU's benchmark, and what of the two shapes it says by arithmetic alone."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from benchmarks.gpu import answering, training
from benchmarks.gpu.answering import Answering
from benchmarks.gpu.shapes import LLAMA_1B, LLAMA_8B, Shape, make_rows
from benchmarks.gpu.training import LeftOutError, Speed, too_large
from ctiforge.training.estimate import GIB, Workload, estimate
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import AGENT, LORA, Method
from ctiforge.training.suitability import read_shape

H200 = 139 * GIB


@pytest.mark.parametrize(("shape", "weights"), [(LLAMA_1B, 1_235_814_400), (LLAMA_8B, 8_030_261_248)])
def test_shapes_have_the_weights_of_the_models_that_they_are_named_after(shape: Shape, weights: int) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape.config())
    assert sum(each.numel() for each in model.parameters()) == weights


@pytest.mark.parametrize(
    ("shape", "method", "fits"),
    [(LLAMA_1B, "full", True), (LLAMA_8B, "qlora", True), (LLAMA_8B, "lora", True), (LLAMA_8B, "full", False)],
)
def test_an_h200_has_room_for_all_but_8_billion_weights_trained_in_full(
    tmp_path: Path, shape: Shape, method: Method, fits: bool
) -> None:
    shape.config().save_pretrained(tmp_path)
    # an architecture is what a loaded model's config names
    numerics = choose_numerics(ComputeDevice("cuda", 9), method)
    work = Workload(read_shape(str(tmp_path)), numerics, LORA, AGENT.training.batch_size)
    why = too_large(estimate(work, AGENT.max_length).total, H200)
    assert (why is None) == fits
    assert fits or "139.0 GiB are free" in str(why)


def test_rows_are_as_long_as_said_and_two_fifths_answer() -> None:
    rows = make_rows(3, 100, 1_000)
    assert {(each.length, each.answer_start) for each in rows} == {(100, 60)}
    assert make_rows(3, 100, 1_000) == rows


def test_a_row_has_a_cell_for_each_title() -> None:
    speed = Speed("bfloat16", 4, 12_345.6, 0.934, 3 * GIB, 4 * GIB)
    assert training.row_of("m", "qlora", speed) == (
        "m", "QLoRA", "bfloat16", "4", "12,346", "93%", "3.00", "4.00", "0.75",
    )  # fmt: skip
    unknown = Speed("bfloat16", 4, 1.0, None, GIB, GIB)
    assert training.row_of("m", "full", unknown)[5] == "not told"
    left_out = training.row_of("m", "full", LeftOutError("left out: too large"))
    assert left_out[:3] == ("m", "full fine-tuning", "left out: too large")
    assert len(left_out) == len(training.TITLES)


def test_answers_are_counted_by_windows_and_seconds() -> None:
    row = answering.row_of("m", Answering(64, 64 * 950, 64 * 300, 16.0, 2 * GIB))
    assert row == ("m", "64", "4.00", "950", "300", "1,200", "2.00")
    assert len(answering.row_of("m", LeftOutError("why"))) == len(answering.TITLES) == len(row)
